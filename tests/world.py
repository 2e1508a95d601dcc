"""A worker in the test's own process, on real servers: the door in, Postgres out."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkipper
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from services.api.door import CaseAddress, Door
from services.workflows.record import Recorder, nobody_told
from services.workflows.worker import make_worker
from shared.contracts.workflow import CaseRun, Outcome, RecordRequest, workflow_id
from shared.db.cases import POLICIES
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent
from shared.domain.case import Actor, ActorKind, CaseState
from shared.domain.commands import Command, Open
from shared.domain.decision import as_opened, decide
from shared.domain.policy import Policy
from shared.domain.profiles import STANDARD
from shared.domain.refusals import Refusal
from shared.settings import Settings
from shared.temporal import connect, ensure_search_attributes
from tests.desks import desk_row

BOB = Actor(kind=ActorKind.CUSTOMER, email="bob@acme.example", name="Bob Acme")
ADA = Actor(kind=ActorKind.STAFF, email="ada@vendor.example", name="Ada Vendor")


def command_id() -> str:
    return uuid.uuid4().hex


@dataclass
class CaseInTest:
    """One case, with what a test asks of it."""

    world: World
    address: CaseAddress
    policy: Policy

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle(workflow_id(self.address.desk, self.address.number))

    async def do(self, command: Command) -> Outcome:
        return await self.world.door.execute(self.address, command)

    def decided(self, state: CaseState, command: Command, at: datetime) -> RecordRequest:
        """What the workflow would ask to be recorded, for tests that do so beside it."""
        events = decide(state, self.policy, command, at)
        assert not isinstance(events, Refusal), events
        return RecordRequest(
            case_id=str(self.address.case_id),
            desk=self.address.desk,
            number=self.address.number,
            policy=None,
            policy_version=1,
            events=list(events),
            traceparents={},
        )

    async def row(self) -> Case:
        async with self.world.database.read() as session:
            return (await session.execute(select(Case).where(Case.id == self.address.case_id))).scalar_one()

    async def events(self) -> list[CaseEvent]:
        async with self.world.database.read() as session:
            found = select(CaseEvent).where(CaseEvent.case_id == self.address.case_id).order_by(CaseEvent.seq)
            return list((await session.scalars(found)).all())

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.events()]

    async def becomes(self, condition: Callable[[Case], bool]) -> Case:
        """Wait for what a timer does: one that ends at the very moment of arrival fires just after it."""
        async with asyncio.timeout(10):
            while not condition(row := await self.row()):
                await asyncio.sleep(0.02)
        return row

    async def fast_forward(self, duration: timedelta) -> None:
        await TimeSkipper(self.world.client).fast_forward(self.handle, duration)


@dataclass
class World:
    """Real servers, a worker on them, and a desk."""

    settings: Settings
    client: Client
    database: Database
    door: Door
    numbers: int = 0

    async def desk(self, policy: Policy, timezone: str = "Europe/London") -> str:
        slug = f"desk-{uuid.uuid4().hex[:8]}"
        async with self.database.write() as session:
            session.add(
                desk_row(
                    slug,
                    policy=POLICIES.dump_python(policy, mode="json"),
                    timezone=timezone,
                    products=["ERP"],
                    case_types=["Question"],
                    severities=["High", "Low"],
                )
            )
        return slug

    def run_of(self, desk: str, policy: Policy) -> CaseRun:
        self.numbers += 1
        return CaseRun(case_id=str(uuid.uuid4()), desk=desk, number=self.numbers, policy=policy, policy_version=1)

    async def enter(self, run: CaseRun, command: Open) -> Outcome:
        """Through the door, as the API does."""
        return await self.door.open(run, command, as_opened(run.policy, command, datetime.now(UTC)))

    async def open(self, policy: Policy = STANDARD, **fields: Any) -> CaseInTest:
        run = self.run_of(await self.desk(policy), policy)
        values = {"subject": "Printer on fire", "description": "It burns.", "reporter": BOB.email, **fields}
        outcome = await self.enter(run, Open(command_id=command_id(), actor=BOB, **values))
        assert outcome.accepted, outcome
        return CaseInTest(self, CaseAddress(run.desk, run.number, uuid.UUID(run.case_id)), policy)


def sandboxed() -> SandboxedWorkflowRunner:
    """Temporal's sandbox: workflow code that reads a clock, a file or a random number fails in it."""
    passed_through = ("shared", "pydantic", "pydantic_core", "annotated_types", "opentelemetry", "structlog", "rich")
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*passed_through))


@asynccontextmanager
async def open_world(
    settings: Settings,
    *,
    encrypted: bool = True,
    runner: WorkflowRunner | None = None,
    told: Callable[[RecordRequest], Awaitable[None]] = nobody_told,
) -> AsyncIterator[World]:
    """A worker on running servers, and the door to it."""
    client = await connect(settings)
    if not encrypted:
        config = client.config()
        config["data_converter"] = pydantic_data_converter
        client = Client(**config)
    await ensure_search_attributes(client)
    database = Database(settings.database_url)
    recorder = Recorder(database, committed=lambda: None, told=told)
    async with make_worker(client, recorder, runner or sandboxed()):
        door = Door(client, database, timeout=20)
        yield World(settings, client, database, door)
        await door.close()
    await database.close()
