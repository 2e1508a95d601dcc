"""Cases, events and a search service as tests of searching need them, on real Postgres and NATS."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from services.search import main
from services.search.index import CaseDocument
from shared.contracts.events import CaseEvent, details, event_id, event_source, event_type
from shared.contracts.search import SearchAnswer, SearchQuery, Viewer
from shared.contracts.subjects import SEARCH_QUERY, case_event
from shared.db import models
from shared.db.engine import Database
from shared.domain import events as domain
from shared.domain.case import Actor, ActorKind
from shared.messaging import Bus, connect, ensure_topology, publish
from shared.settings import Settings
from tests.contract import search_oracle as oracle
from tests.desks import desk_row
from tests.waiting import PATIENCE, until

STAFF = Viewer(staff=True, email="ada@vendor.example")
BOB = Viewer(email="bob@acme.example")
ADA = Actor(kind=ActorKind.STAFF, email="ada@vendor.example", name="Ada Vendor")
MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class World:
    """Writes cases and events as the recorder and the relay would."""

    def __init__(self, settings: Settings, database: Database, bus: Bus) -> None:
        self.settings = settings
        self.database = database
        self.bus = bus

    async def add_desk(self, slug: str | None = None, key: str = "CON") -> str:
        slug = slug or f"desk-{uuid.uuid4().hex[:8]}"
        async with self.database.write() as session:
            session.add(desk_row(slug, key=key, severities=list(oracle.SEVERITIES)))
        return slug

    async def add(self, cases: Iterable[CaseDocument], *, tell: bool = True) -> list[CaseDocument]:
        """Insert cases with the events that make them so, on desks that exist."""
        cases = list(cases)
        async with self.database.write() as session:
            desks = dict((await session.execute(select(models.Desk.slug, models.Desk.id))).all())
            session.add_all(_case_row(case, desks[case.desk]) for case in cases)
            await session.flush()
            for case in cases:
                session.add_all(
                    _event_row(case.id, event) for event in (_opened(case), _noted(case)) if event is not None
                )
        if tell:
            for case in cases:
                await self.tell(case, case.seq)
        return cases

    async def happen(self, case: CaseDocument, event: domain.Event, *, tell: bool = True) -> None:
        """Record an event of a case."""
        async with self.database.write() as session:
            session.add(_event_row(case.id, event))
            await session.execute(
                update(models.Case)
                .where(models.Case.id == uuid.UUID(case.id))
                .values(seq=event.seq, updated_at=event.at)
            )
        if tell:
            await self.tell(case, event.seq, event.kind)

    async def tell(self, case: CaseDocument, seq: int, kind: str = "opened", traceparent: str | None = None) -> None:
        """Publish an event, again if it has been published before."""
        told = CaseEvent.model_validate(
            {
                "id": event_id(case.id, seq),
                "source": event_source(case.desk, case.number),
                "type": event_type(kind),
                "time": MOMENT,
                "traceparent": traceparent,
                "data": {
                    "seq": seq,
                    "actor": ADA,
                    "command_id": "c",
                    "command": "x",
                    "part": 0,
                    "case": _snapshot(case),
                },
            }
        )
        await publish(self.bus, case_event(case.desk, case.number, kind), told.model_dump_json().encode())

    async def ask(self, query: SearchQuery | bytes) -> SearchAnswer:
        data = query if isinstance(query, bytes) else query.model_dump_json().encode()
        return SearchAnswer.model_validate_json((await self.bus.nc.request(SEARCH_QUERY, data, timeout=10)).data)

    async def find(self, desk: str, q: str = "", viewer: Viewer = STAFF, **more: object) -> SearchAnswer:
        answer = await self.ask(SearchQuery.model_validate({"desk": desk, "q": q, "viewer": viewer} | more))
        assert answer.error is None
        return answer

    async def until_found(self, desk: str, q: str, total: int) -> SearchAnswer:
        async def found() -> SearchAnswer | None:
            answer = await self.find(desk, q)
            return answer if answer.total == total else None

        return await until(found)


@asynccontextmanager
async def open_world(settings: Settings) -> AsyncIterator[World]:
    database, bus = Database(settings.database_url), await connect(settings, "test")
    await ensure_topology(bus)
    yield World(settings, database, bus)
    await bus.close()
    await database.close()


@asynccontextmanager
async def service(world: World, directory: Path) -> AsyncIterator[None]:
    """The search service on an index directory, from its first answer on."""
    stop = asyncio.Event()
    settings = world.settings.model_copy(update={"search_index_dir": directory, "metrics_port": None})
    serving = asyncio.create_task(main.serve(settings, stop))
    try:
        await answering(world, serving)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(serving, PATIENCE)


async def answering(world: World, serving: asyncio.Task[None] | None = None) -> None:
    async def answers() -> bool:
        if serving and serving.done():
            serving.result()
        with contextlib.suppress(Exception):
            return (await world.ask(SearchQuery(desk="none", viewer=STAFF))).error is None
        return False

    await until(answers)


def copy_name(directory: Path) -> str:
    return (directory / "current").read_text()


def copies(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.is_dir()]


def one_case(desk: str, number: int = 1, **changes: Any) -> CaseDocument:
    (case,) = oracle.random_cases(random.Random(number), 1)
    plain: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "desk": desk,
        "key": "CON",
        "number": number,
        "seq": 1,
        "internal": "",
    }
    people = {"people": ["bob@acme.example"], "names": []}
    return dataclasses.replace(case, **(plain | people | changes))


def comment(seq: int, body: str) -> domain.Event:
    return domain.Commented(seq=seq, at=MOMENT, actor=ADA, command_id=f"c{seq}", command="comment", body=body)


def _state(case: CaseDocument) -> dict[str, Any]:
    window = {"ends_at": case.due_at.isoformat()} if case.due_at else None
    return {"internal_reference": case.internal_reference, "window": window}


def _case_row(case: CaseDocument, desk_id: int) -> models.Case:
    reporter, contact, *cc = (*case.people, None) if len(case.people) == 1 else case.people
    return models.Case(
        id=uuid.UUID(case.id), desk_id=desk_id, number=case.number, policy={}, policy_version=1,
        state=_state(case), description=case.text, seq=case.seq, status=case.status,
        subject=case.subject, product=case.product, type=case.type, severity=case.severity, impact=case.impact,
        account=case.account, reporter=reporter, contact=contact, cc=cc, assignee=case.assignee,
        created_at=case.created_at, updated_at=case.updated_at,
    )  # fmt: skip


def _opened(case: CaseDocument) -> domain.Event:
    return domain.Opened(
        seq=1, at=case.created_at, actor=ADA, command_id="c1", command="open", subject=case.subject,
        description=case.text, reporter=case.people[0],
    )  # fmt: skip


def _noted(case: CaseDocument) -> domain.Event | None:
    if not case.internal:
        return None
    return domain.Noted(seq=2, at=MOMENT, actor=ADA, command_id="c2", command="comment", body=case.internal)


def _event_row(case_id: str, event: domain.Event) -> models.CaseEvent:
    return models.CaseEvent(
        case_id=uuid.UUID(case_id), seq=event.seq, kind=event.kind, at=event.at, actor={}, actor_email=None,
        command_id=event.command_id, command=event.command, part=event.part, data=details(event), traceparent=None,
    )  # fmt: skip


def _snapshot(case: CaseDocument) -> dict[str, Any]:
    people: Sequence[str] = case.people
    kept = ("id", "desk", "number", "subject", "status", "product", "type", "severity", "impact", "account", "assignee")
    more = {"key": f"{case.key}-{case.number}", "status_label": case.status, "environment": None, "contact": None}
    rest: dict[str, Any] = {
        "cc": [],
        "reporter": people[0],
        "internal_reference": None,
        "sealed": False,
        "seq": case.seq,
    }
    times = {"created_at": case.created_at, "updated_at": case.updated_at}
    return {name: getattr(case, name) for name in kept} | more | rest | times
