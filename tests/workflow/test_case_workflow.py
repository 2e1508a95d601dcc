"""The case workflow on a real Temporal server: commands in, events out, its windows on its own clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from shared.domain import commands as c
from shared.temporal.cases import DESK, SEVERITY, STATUS
from tests.world import ADA, BOB, CaseInTest, World, command_id


async def test_a_command_is_answered_once_it_is_recorded(world: World) -> None:
    case = await world.open(severity="High")
    outcome = await case.do(c.Comment(command_id=command_id(), actor=ADA, body="Have you tried water?"))
    row = await case.row()
    assert (outcome.accepted, outcome.seq, row.seq, row.status) == (True, 2, 2, "open")
    assert await case.kinds() == ["opened", "commented"]


async def test_the_same_command_twice_is_applied_once_and_answers_the_same(world: World) -> None:
    case = await world.open()
    comment = c.Comment(command_id=command_id(), actor=BOB, body="Still burning")
    first, second = await asyncio.gather(case.do(comment), case.do(comment))
    third = await case.do(comment)
    assert first == second == third
    assert await case.kinds() == ["opened", "commented"]


async def test_temporal_is_told_what_a_case_is_with_its_start_and_when_that_changes(world: World) -> None:
    """To tell it again right after the start costs as much as recording the case does."""
    case = await world.open(severity="High")
    assert await _told_to_temporal(case) == ((case.address.desk, "new", "High"), 0)
    await case.do(c.Comment(command_id=command_id(), actor=BOB, body="Still burning"))
    assert await _told_to_temporal(case) == ((case.address.desk, "new", "High"), 0)
    await case.do(c.Comment(command_id=command_id(), actor=ADA, body="Have you tried water?"))
    assert await _told_to_temporal(case) == ((case.address.desk, "open", "High"), 1)


async def _told_to_temporal(case: CaseInTest) -> tuple[tuple[str | None, ...], int]:
    """Desk, status and severity as Temporal has them, and how often it was told so after the start."""
    known = (await case.handle.describe()).typed_search_attributes
    events = (await case.handle.fetch_history()).events
    kind = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    told_again = sum(event.event_type == kind for event in events)
    return (known.get(DESK), known.get(STATUS), known.get(SEVERITY)), told_again


async def test_a_refusal_is_an_outcome_and_records_nothing(world: World) -> None:
    case = await world.open()
    outcome = await case.do(c.Accept(command_id=command_id(), actor=BOB))
    assert (outcome.accepted, outcome.code) == (False, "not_allowed_in_status")
    assert await case.kinds() == ["opened"]


async def test_standard_3_silence_closes_and_the_reopen_window_seals(world: World) -> None:
    case = await world.open()
    await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="Provided", summary="Water"))
    before = await case.row()
    ends_at = datetime.fromisoformat(before.state["window"]["ends_at"])
    await case.fast_forward(ends_at - datetime.now(UTC) - timedelta(seconds=5))
    assert (await case.row()).status == "resolved"
    await case.fast_forward(timedelta(seconds=6))
    closed = await case.becomes(lambda row: row.status == "closed")
    assert datetime.fromisoformat(closed.state["closed_at"]) >= ends_at
    await case.fast_forward(timedelta(days=30))
    sealed = await case.becomes(lambda row: row.state["sealed"] is True)
    await case.handle.result()
    description = await case.handle.describe()
    assert description.status is WorkflowExecutionStatus.COMPLETED
    refused = await case.do(c.Reopen(command_id=command_id(), actor=BOB, reason="Smoke again"))
    assert refused.code == "reopen_window_passed"
    assert refused.window_ended_at == sealed.state["window"]["ends_at"].replace("Z", "+00:00")


@pytest.mark.parametrize("arguments", [[], ["text"], [7], [{"command_id": "x"}], [{"body": 5}], [{}, {}], [None]])
async def test_a_malformed_signal_is_recorded_and_the_case_lives_on(world: World, arguments: list[object]) -> None:
    case = await world.open()
    await case.handle.signal("comment", args=arguments)
    outcome = await case.do(c.Comment(command_id=command_id(), actor=BOB, body="Hello?"))
    assert outcome.accepted
    assert await case.kinds() == ["opened", "command_rejected", "commented"]
