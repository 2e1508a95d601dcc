"""`casebound fast-forward` on the real server: one case's clock, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from services.local.clock import fast_forward
from services.local.durations import parse_duration
from services.local.errors import StackError
from shared.domain import commands as c
from shared.domain.profiles import STANDARD, TEAM_PORTAL
from shared.settings import Settings
from tests.world import ADA, BOB, CaseInTest, World, command_id, open_world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[World]:
    async with open_world(servers) as opened:
        yield opened


async def move(case: CaseInTest, duration: str) -> str:
    return await asyncio.to_thread(fast_forward, case.world.settings, case.address.desk, case.address.number, duration)


async def resolved(world: World) -> CaseInTest:
    case = await world.open(STANDARD)
    await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="Provided", summary="Water"))
    return case


async def test_handlers_see_the_moved_clock_and_it_runs_on(world: World) -> None:
    case, other = await world.open(), await world.open()
    sentence = await move(case, "10h")
    for each in (case, other):
        await each.do(c.Comment(command_id=command_id(), actor=BOB, body="What time is it?"))
    moved, still = (await case.events())[-1].at, (await other.events())[-1].at
    assert timedelta(hours=10) <= moved - still + timedelta(seconds=30) < timedelta(hours=10, minutes=1)
    assert f"{moved:%Y-%m-%d %H:}" in sentence
    assert (await case.row()).clock_offset == timedelta(hours=10)


async def test_windows_end_on_the_way_each_at_its_own_time(world: World) -> None:
    case = await resolved(world)
    await move(case, "40d")
    row = await case.row()
    assert await case.kinds() == ["opened", "resolved", "closed", "sealed"]
    closed, sealed = (event.at for event in (await case.events())[2:])
    assert sealed - closed > timedelta(days=18)
    assert row.state["window"]["ends_at"] <= sealed.isoformat()


async def test_standard_3_the_window_of_three_business_days_ends_after_three_and_not_before(world: World) -> None:
    case = await resolved(world)
    ends_at = datetime.fromisoformat((await case.row()).state["window"]["ends_at"])
    short = int((ends_at - datetime.now(UTC)).total_seconds()) - 5
    await move(case, f"{short}s")
    assert (await case.row()).status == "resolved"
    await move(case, "6s")
    assert (await case.row()).status == "closed"


async def test_business_days_are_the_desks(world: World) -> None:
    case = await resolved(world)
    await move(case, "2bd")
    assert (await case.row()).status == "resolved"
    await move(case, "2bd")
    assert (await case.row()).status == "closed"


async def test_a_case_without_a_running_workflow_goes_on_at_the_moved_time(world: World) -> None:
    """desk-rules T11: a reply reopens however long ago the case closed."""
    case = await world.open(TEAM_PORTAL)
    await case.do(c.Close(command_id=command_id(), actor=BOB))
    await case.handle.result()
    await move(case, "400d")
    await case.do(c.Comment(command_id=command_id(), actor=BOB, body="Again"))
    events = await case.events()
    assert [event.kind for event in events] == ["opened", "closed", "commented", "reopened"]
    assert events[2].at - events[1].at >= timedelta(days=400)


async def test_an_unknown_case_is_named(servers: Settings) -> None:
    with pytest.raises(StackError, match="there is no case demo/999999"):
        await asyncio.to_thread(fast_forward, servers, "demo", 999999, "1d")


async def test_only_in_development(servers: Settings) -> None:
    with pytest.raises(StackError, match="development only"):
        fast_forward(servers.model_copy(update={"development": False}), "demo", 1, "1d")


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("36h", timedelta(hours=36)),
        ("4d", timedelta(days=4)),
        (" 4d ", timedelta(days=4)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "4", "d", "4 days", "0s", "-1d", "1.5h", "3w", "9999999d", "٣d"])
def test_what_is_no_duration_is_said_with_an_example(text: str) -> None:
    with pytest.raises(StackError, match=r"is not a duration|too long a time"):
        parse_duration(text)
