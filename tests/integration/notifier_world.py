"""A desk with people, a case, a real mail server, and the notifier to be tested on them."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from sqlalchemy import select

from services.notifier.main import serve
from services.workflows.record import Recorder
from shared.contracts.events import to_cloud_event
from shared.contracts.subjects import case_event
from shared.contracts.workflow import RecordRequest
from shared.db.engine import Database
from shared.db.models import (
    Account,
    AccountMember,
    CaseEvent,
    Delivery,
    Person,
    Staff,
)
from shared.domain import commands as c
from shared.domain.case import Actor, ActorKind, CaseState
from shared.domain.decision import decide
from shared.domain.evolution import evolve
from shared.domain.policy import Policy
from shared.domain.refusals import Refusal
from shared.messaging import Bus, publish
from shared.settings import Settings
from tests.desks import desk_row
from tests.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


async def readiness(port: int) -> tuple[int, str]:
    """What ``/readyz`` answers; 0 while nobody does."""
    async with httpx.AsyncClient() as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.TransportError as error:
            return 0, str(error)
        return answer.status_code, answer.text


@dataclass
class MailServer:
    """A real SMTP server; ``answers`` are given, one an attempt, before mail is taken."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    taken: list[EmailMessage] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    port: int = 0
    takes: int = 1000
    """After so many it keeps senders waiting."""
    stuck: int = 0
    together: int = 1
    """It takes the first mails once it has so many in hand at the same time."""
    in_hand: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def is_stuck(self) -> bool:
        return self.stuck > 0

    async def handle_RCPT(  # noqa: N802 - called so by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.attempts.append(address)
        if waiting := self.answers.get(address):
            return waiting.pop(0) if len(waiting) > 1 or not waiting[0].startswith("5") else waiting[0]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if len(self.taken) >= self.takes:
            self.stuck += 1
            await asyncio.Event().wait()
        self.in_hand += 1
        if self.in_hand >= self.together:
            self.enough.set()
        await self.enough.wait()
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        assert envelope.rcpt_tos == [message["To"]]
        self.taken.append(message)
        return "250 OK"

    def recipients(self) -> list[str]:
        return sorted(message["To"] for message in self.taken)


@dataclass
class World:
    """A desk of the test's own, and what can be done there."""

    settings: Settings
    database: Database
    bus: Bus
    slug: str
    policy: Policy
    case_id: uuid.UUID = field(default_factory=uuid.uuid4)
    state: CaseState | None = None

    def address(self, name: str) -> str:
        return f"{name}@{self.slug}.example"

    def actor(self, name: str, kind: ActorKind = ActorKind.CUSTOMER) -> Actor:
        return Actor(kind=kind, email=self.address(name), name=name.capitalize())

    @property
    def ada(self) -> Actor:
        return self.actor("ada", ActorKind.STAFF)

    async def open(self, **more: Any) -> None:
        fields = {"subject": "Invoices are empty", "description": "All of them.", "account": "acme"} | more
        await self.do(
            c.Open(command_id=str(uuid.uuid4()), actor=self.actor("bob"), reporter=self.address("bob"), **fields)
        )

    async def say(self, body: str, actor: Actor | None = None, **flags: Any) -> None:
        await self.do(c.Comment(command_id=str(uuid.uuid4()), actor=actor or self.ada, body=body, **flags))

    async def do(self, command: c.Command, *, times: int = 1) -> None:
        """Record a command as the workflow does, and publish its events as the relay does."""
        events = decide(self.state, self.policy, command, datetime.now(UTC))
        assert not isinstance(events, Refusal), events
        request = RecordRequest(
            case_id=str(self.case_id),
            desk=self.slug,
            number=1,
            policy=self.policy,
            policy_version=1,
            events=list(events),
            traceparents={command.command_id: TRACEPARENT},
        )
        answer = await Recorder(self.database, lambda: None).record(request)
        assert answer.ahead is None
        for event in events:
            self.state = evolve(self.state, event)
        for _ in range(times):
            await self.publish_events(since=events[0].seq)

    async def publish_events(self, since: int) -> None:
        async with self.database.read() as session:
            rows = await session.scalars(
                select(CaseEvent)
                .where(CaseEvent.case_id == self.case_id, CaseEvent.seq >= since)
                .order_by(CaseEvent.seq)
            )
        for row in rows:
            event = to_cloud_event(
                desk=self.slug,
                desk_key="T",
                number=1,
                case_id=str(self.case_id),
                policy=self.policy,
                snapshot=row.snapshot or {},
                **{
                    name: getattr(row, name)
                    for name in ("kind", "seq", "at", "actor", "command_id", "command", "part", "data", "traceparent")
                },
            )
            await publish(self.bus, case_event(self.slug, 1, row.kind), event.model_dump_json().encode())

    async def deliveries(self) -> list[Delivery]:
        async with self.database.read() as session:
            rows = await session.scalars(
                select(Delivery).where(Delivery.case_id == self.case_id).order_by(Delivery.seq, Delivery.recipient)
            )
            return list(rows)

    async def all_done(self, count: int) -> None:
        async def done() -> bool:
            rows = await self.deliveries()
            return len(rows) == count and all(row.status != "pending" for row in rows)

        await until(done)

    async def quiet(self) -> None:
        """Wait until the notifier has taken in everything that was published."""

        async def caught_up() -> bool:
            info = await self.bus.js.consumer_info("CASES", "notifier")
            return bool(info.num_pending == 0 and info.num_ack_pending == 0)

        await until(caught_up)


async def make_desk(database: Database, slug: str) -> None:
    async with database.write() as session:
        desk = desk_row(slug, name="Test Support", key="T", timezone="Europe/London")
        people = {
            name: Person(email=f"{name}@{slug}.example", name=name.capitalize()) for name in ("ada", "eve", "root")
        }
        session.add_all([desk, *people.values()])
        await session.flush()
        account = Account(desk_id=desk.id, key="acme", name="Acme", environments=[])
        session.add_all(
            [account, *(Staff(desk_id=desk.id, person_id=people[name].id, role="agent") for name in ("ada", "eve"))]
        )
        await session.flush()
        session.add(AccountMember(account_id=account.id, person_id=people["root"].id, role="admin"))


@asynccontextmanager
async def notifier(settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, stop))
    try:
        yield
        assert not task.done(), task
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


def to_server(settings: Settings, server: MailServer) -> Settings:
    return settings.model_copy(
        update={
            "smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}"),
            "mail_from": "Casebound <support@desk.example>",
            "public_url": "https://help.example",
            "metrics_port": None,
        }
    )


def to_mailbox(settings: Settings) -> Settings:
    return settings.model_copy(update={"smtp_url": None, "development": True, "metrics_port": None})


@asynccontextmanager
async def process(settings: Settings, port: int, span_store: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The notifier as ``casebound notifier`` runs it."""
    environment = {
        "CASEBOUND_DATABASE_URL": settings.database_url,
        "CASEBOUND_NATS_URL": settings.nats_url,
        **({"CASEBOUND_SMTP_URL": settings.smtp_url.get_secret_value()} if settings.smtp_url else {}),
        "CASEBOUND_DEVELOPMENT": "true",
        "CASEBOUND_METRICS_PORT": str(port),
        "CASEBOUND_SPAN_STORE": str(span_store),
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "notifier", "--data-dir", str(span_store.parent)),
        env={"PATH": os.environ["PATH"], **environment},
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
