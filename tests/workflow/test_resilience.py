"""What a case survives: crowds, repetition, foreign signals, lost history, text that can't be stored."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import text, update
from structlog.testing import capture_logs
from structlog.typing import EventDict
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.converter import DataConverter

from services.api.door import Door
from services.workflows.overdue_cases import overdue_cases
from services.workflows.record import Recorder
from shared.contracts.events import STATES
from shared.contracts.workflow import (
    CASE_QUERY,
    CASE_WORKFLOW,
    SEEN_LIMIT,
    TASK_QUEUE,
    workflow_id,
)
from shared.db.cases import load_run
from shared.db.models import Case
from shared.domain import commands as c
from shared.domain.profiles import HELP_CENTRE, STANDARD, TEAM_PORTAL
from shared.settings import Settings
from shared.temporal import connect
from shared.temporal.codec import KeyRingCodec
from tests.waiting import until
from tests.world import ADA, BOB, CaseInTest, World, command_id, open_world


def comment(body: str = "Hello") -> c.Comment:
    return c.Comment(command_id=command_id(), actor=BOB, body=body)


async def assert_recorded_once(case: CaseInTest, commands: list[c.Comment]) -> None:
    recorded = [event.command_id for event in await case.events() if event.kind == "commented"]
    assert sorted(recorded) == sorted(command.command_id for command in commands)


async def test_a_crowd_on_one_case_is_served_and_nothing_is_lost(world: World) -> None:
    case = await world.open()
    commands = [comment() for _ in range(300)]
    outcomes = await asyncio.gather(*(case.do(command) for command in commands))
    assert all(outcome.accepted for outcome in outcomes)
    assert sorted(outcome.seq or 0 for outcome in outcomes) == list(range(2, 302))
    await assert_recorded_once(case, commands)


def _said(logs: list[EventDict], what: str) -> bool:
    return any(what in str(log.get("error")) for log in logs)


async def test_a_namespace_that_is_not_known_or_not_set_up_yet_is_waited_for(
    servers: Settings, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    late = servers.model_copy(update={"temporal_namespace": f"late-{command_id()}"})
    client = await connect(late)
    door = Door(client, world.database, timeout=30)
    run = world.run_of(await world.desk(STANDARD), STANDARD)
    command = c.Open(
        command_id=command_id(), actor=BOB, subject="Hello", description="Hello", reporter="bob@acme.example"
    )
    with capture_logs() as logs:
        opening = asyncio.create_task(door.open(run, command, None))
        await until(lambda: _said(logs, "is not found"), 10, "Temporal to miss its namespace")
        kept = RegisterNamespaceRequest(
            namespace=late.temporal_namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
        await client.workflow_service.register_namespace(kept)
        await until(lambda: _said(logs, "no mapping defined"), 20, "Temporal to miss the names that cases are found by")
    async with open_world(late):
        assert (await opening).accepted
    await door.close()
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_case_continues_as_new_and_works_as_before(world: World) -> None:
    case = await world.open()
    first_run = (await case.handle.describe()).run_id
    commands = [comment("x" * 60_000) for _ in range(150)]
    for start in range(0, 150, 10):
        await asyncio.gather(*(case.do(command) for command in commands[start : start + 10]))
    assert (await case.handle.describe()).run_id != first_run
    again = await case.do(commands[-1])
    assert again.accepted
    await assert_recorded_once(case, commands)
    answer = await case.handle.query(CASE_QUERY)
    assert answer["state"]["seq"] == (await case.row()).seq == 151


async def test_a_repetition_that_the_run_has_forgotten_is_applied_once(world: World) -> None:
    case = await world.open()
    first = comment("the first")
    outcome = await case.do(first)
    others = [comment() for _ in range(SEEN_LIMIT + 50)]
    await asyncio.gather(*(case.do(command) for command in others))
    assert await case.do(first) == outcome
    await assert_recorded_once(case, [first, *others])


async def test_a_workflow_that_lost_its_history_takes_over_what_is_recorded(world: World) -> None:
    case = await world.open()
    async with world.database.read() as session:
        stale = await load_run(session, case.address.case_id)
    assert stale is not None
    lost = [comment("one"), comment("two")]
    for command in lost:
        await case.do(command)
    await case.handle.terminate("Temporal lost its latest history")
    await world.client.start_workflow(
        CASE_WORKFLOW, stale, id=workflow_id(case.address.desk, case.address.number), task_queue=TASK_QUEUE
    )
    assert (await case.do(lost[1])).seq == 3
    new = comment("three")
    assert (await case.do(new)).seq == 4
    await assert_recorded_once(case, [*lost, new])


async def test_a_workflow_that_is_gone_is_started_again_from_what_is_recorded(world: World) -> None:
    case = await world.open()
    await case.handle.terminate("gone")
    assert (await case.do(comment())).seq == 2
    assert (await case.do(c.Comment(command_id=command_id(), actor=ADA, body="Hi"))).seq == 3
    assert (await case.row()).status == "open"


async def test_a_case_whose_workflow_is_gone_is_closed_by_silence_all_the_same(world: World) -> None:
    late, early = [await world.open() for _ in range(2)]
    for case in (late, early):
        await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="provided", summary="Done."))
        await case.handle.terminate("Temporal lost its data")
    async with world.database.write() as session:
        ahead = update(Case).where(Case.id == late.address.case_id).values(clock_offset=timedelta(days=7))
        await session.execute(ahead)
    assert await overdue_cases(world.database, world.client) >= 1
    closed = await late.becomes(lambda row: row.status == "closed")
    assert (closed.state["closed_reason"], closed.state["closed_at"]) == ("no_answer", closed.state["updated_at"])
    assert await late.kinds() == ["opened", "resolved", "closed"]
    status = (await early.handle.describe()).status
    assert status is WorkflowExecutionStatus.TERMINATED, "its window has not ended yet"


async def test_a_case_whose_workflow_is_behind_its_record_is_closed_by_silence_all_the_same(world: World) -> None:
    case = await world.open()
    opened = STATES.validate_python((await case.row()).state)
    resolve = c.Resolve(command_id=command_id(), actor=ADA, resolution_type="provided", summary="Done.")
    recorder = Recorder(world.database, committed=lambda: None)
    await recorder.record(case.decided(opened, resolve, datetime.now(UTC)))
    async with world.database.write() as session:
        ahead = update(Case).where(Case.id == case.address.case_id).values(clock_offset=timedelta(days=7))
        await session.execute(ahead)
    assert await overdue_cases(world.database, world.client) >= 1
    await case.becomes(lambda row: row.status == "closed")
    assert await case.kinds() == ["opened", "resolved", "closed"]


async def test_a_workflow_that_runs_is_not_disturbed_by_looking_after_it(world: World) -> None:
    case = await world.open()
    await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="provided", summary="Done."))
    before = await case.handle.describe()
    async with world.database.write() as session:
        ahead = update(Case).where(Case.id == case.address.case_id).values(clock_offset=timedelta(days=7))
        await session.execute(ahead)
    assert await overdue_cases(world.database, world.client) >= 1
    assert (await case.handle.describe()).run_id == before.run_id
    assert (await case.do(comment())).accepted


async def test_t11_a_reply_long_after_closing_reopens_in_a_new_run(world: World) -> None:
    case = await world.open(TEAM_PORTAL)
    await case.do(c.Close(command_id=command_id(), actor=BOB))
    assert await case.handle.result() is None
    outcome = await case.do(comment("Not done after all"))
    assert outcome.accepted
    assert (await case.row()).status == "open"
    assert await case.kinds() == ["opened", "closed", "commented", "reopened"]


async def test_a_desk_that_never_reopens_seals_at_once(world: World) -> None:
    case = await world.open(HELP_CENTRE)
    await case.do(c.Close(command_id=command_id(), actor=ADA))
    await case.handle.result()
    assert await case.kinds() == ["opened", "closed", "sealed"]
    assert (await case.do(comment())).code == "case_sealed"


async def test_what_cannot_be_stored_is_refused_alone(world: World) -> None:
    case = await world.open()
    async with world.database.write() as session:
        await session.execute(text("SET LOCAL ROLE NONE"))
        await session.execute(
            text("ALTER TABLE case_event ADD CONSTRAINT no_poison CHECK (data->>'body' <> 'poison') NOT VALID")
        )
    try:
        bodies = ["before", "poison", "after"]
        outcomes = await asyncio.gather(*(case.do(comment(body)) for body in ["first", *bodies]))
    finally:
        async with world.database.write() as session:
            await session.execute(text("SET LOCAL ROLE NONE"))
            await session.execute(text("ALTER TABLE case_event DROP CONSTRAINT no_poison"))
    assert [outcome.code for outcome in outcomes] == [None, None, "malformed", None]
    assert [event.data.get("body") for event in await case.events()] == [None, "first", "before", "after"]


async def test_opening_many_times_with_one_command_makes_one_case(world: World) -> None:
    run = world.run_of(await world.desk(HELP_CENTRE), HELP_CENTRE)
    command = c.Open(
        command_id=command_id(), actor=BOB, subject="Once", description="Only once", reporter="bob@acme.example"
    )
    outcomes = await asyncio.gather(*(world.enter(run, command) for _ in range(50)))
    assert {(outcome.accepted, outcome.seq) for outcome in outcomes} == {(True, 1)}


async def test_an_opening_that_is_refused_leaves_no_workflow_running(world: World) -> None:
    run = world.run_of(await world.desk(HELP_CENTRE), HELP_CENTRE)
    outcome = await world.enter(
        run, c.Open(command_id=command_id(), actor=BOB, subject="", description="", reporter="bob@acme.example")
    )
    assert (outcome.accepted, outcome.code, outcome.fields) == (False, "field_required", ("subject", "description"))
    handle = world.client.get_workflow_handle(workflow_id(run.desk, run.number))
    await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_signals_are_commands_without_an_answer(world: World) -> None:
    case = await world.open()
    actor = {"kind": "service", "name": "monitoring"}
    await case.handle.signal("comment", {"command_id": "m-1", "actor": actor, "body": "Disk full"})
    await case.handle.signal("comment", {"command_id": "m-1", "actor": actor, "body": "Disk full"})
    await case.handle.signal("accept", {"command_id": "m-2", "actor": {"kind": "customer", "email": BOB.email}})
    await case.handle.signal("elapse", {"command_id": "m-3", "actor": actor})
    await case.handle.signal("no_such_thing", {"command_id": "m-4", "actor": actor})
    await case.do(comment("the end"))
    events = await case.events()
    assert [event.kind for event in events] == ["opened", "commented", *["command_rejected"] * 3, "commented"]
    assert [event.data["code"] for event in events[2:5]] == [
        "not_allowed_in_status",
        "unknown_command",
        "unknown_command",
    ]


async def test_a_signal_sealed_with_a_foreign_key_does_not_wedge_the_case(world: World) -> None:
    case = await world.open()
    config = world.client.config()
    config["data_converter"] = dataclasses.replace(
        DataConverter.default, payload_codec=KeyRingCodec({"k1": os.urandom(32)})
    )
    foreign = type(world.client)(**config)
    handle = foreign.get_workflow_handle(workflow_id(case.address.desk, case.address.number))
    await handle.signal("comment", {"command_id": "f-1", "body": "?"})
    assert (await case.do(comment())).accepted
    assert await case.kinds() == ["opened", "command_rejected", "commented"]


async def test_temporal_keeps_nothing_readable(world: World) -> None:
    case = await world.open(subject="Zanzibar secret")
    await case.do(comment("Zanzibar again"))
    await case.do(c.Comment(command_id=command_id(), actor=ADA, body="Zanzibar from staff"))
    history = (await case.handle.fetch_history()).to_json()
    assert len(history) > 2_000
    assert "Zanzibar" not in history
    assert "acme.example" not in history
