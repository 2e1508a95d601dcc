"""The windows of the standard desk over HTTP, to the second, on the case's own clock (desk-rules Windows)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from services.local.clock import fast_forward
from tests.chaos.desk import ADA, BOB, TestDesk, make_desk
from tests.client import Caller, Connections, Json, ProblemError
from tests.stack import RunningStack

LONDON = ZoneInfo("Europe/London")
FRIDAY, WEDNESDAY = 4, 2


class Clock:
    """The clock of one case: where it stands, and moving it."""

    def __init__(self, stack: RunningStack, desk: str, number: int) -> None:
        self._settings = stack.settings
        self._desk, self._number = desk, number
        self._moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._moved

    async def move_to(self, moment: datetime) -> None:
        distance = moment - self.now()
        seconds = int(distance.total_seconds())
        await asyncio.to_thread(fast_forward, self._settings, self._desk, self._number, f"{seconds}s")
        self._moved += timedelta(seconds=seconds)


def next_friday_at_three(after: datetime) -> datetime:
    local = after.astimezone(LONDON)
    day = local.date() + timedelta(days=(FRIDAY - local.weekday()) % 7 or 7)
    return datetime(day.year, day.month, day.day, 15, tzinfo=LONDON).astimezone(UTC)


def moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


@dataclass
class ResolvedCase:
    """A case of Bob's that Ada resolved on a Friday at 15:00 in London."""

    bob: Caller
    number: int
    clock: Clock
    auto_close_at: datetime

    async def case(self) -> Json:
        return await self.bob.case(self.number)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> AsyncIterator[tuple[TestDesk, Connections]]:
    made = await make_desk(stack)
    async with Connections(stack.api, 2).kept() as connections:
        yield made, connections


@pytest_asyncio.fixture(loop_scope="session")
async def resolved(stack: RunningStack, desk: tuple[TestDesk, Connections]) -> ResolvedCase:
    made, connections = desk
    bob, ada = made.caller(connections, BOB), made.caller(connections, ADA)
    number = (await bob.open(subject="Windows", description="To the second"))["number"]
    clock = Clock(stack, made.slug, number)
    await clock.move_to(next_friday_at_three(clock.now()) + timedelta(seconds=1))
    case = await ada.act(number, "resolve", resolution_type="Provided", summary="Water")
    return ResolvedCase(bob, number, clock, moment(case["auto_close_at"]))


async def closed_at_its_time(resolved: ResolvedCase) -> Json:
    await resolved.clock.move_to(resolved.auto_close_at + timedelta(seconds=1))
    return await resolved.case()


async def test_standard_3_resolved_friday_at_three_closes_wednesday_at_three_and_not_a_second_before(
    resolved: ResolvedCase,
) -> None:
    local = resolved.auto_close_at.astimezone(LONDON)
    assert (local.weekday(), local.hour, local.minute) == (WEDNESDAY, 15, 0)
    await resolved.clock.move_to(resolved.auto_close_at - timedelta(seconds=1))
    before = await resolved.case()
    assert resolved.clock.now() < resolved.auto_close_at, "the machine was too slow for this test to say anything"
    assert before["status"] == "resolved"
    closed = await closed_at_its_time(resolved)
    assert (closed["status"], closed["closed_reason"]) == ("closed", "no_answer")
    assert timedelta() <= moment(closed["closed_at"]) - resolved.auto_close_at < timedelta(seconds=1)


async def test_standard_4_reopening_works_until_the_last_moment(resolved: ResolvedCase) -> None:
    closed = await closed_at_its_time(resolved)
    ends_at = moment(closed["reopen_until"])
    assert ends_at.astimezone(LONDON).date() - moment(closed["closed_at"]).astimezone(LONDON).date() == timedelta(20)
    await resolved.clock.move_to(ends_at - timedelta(seconds=3))
    reopened = await resolved.bob.act(resolved.number, "reopen", reason="It burns again")
    assert resolved.clock.now() < ends_at, "the machine was too slow for this test to say anything"
    assert reopened["status"] == "open"


async def test_standard_4_after_its_window_reopening_is_refused_with_the_date(resolved: ResolvedCase) -> None:
    closed = await closed_at_its_time(resolved)
    ends_at = moment(closed["reopen_until"])
    await resolved.clock.move_to(ends_at + timedelta(seconds=1))
    assert (await resolved.case())["sealed"] is True
    with pytest.raises(ProblemError) as refused:
        await resolved.bob.act(resolved.number, "reopen", reason="It burns again")
    assert (refused.value.status, refused.value.code) == (409, "reopen_window_passed")
    assert f"{ends_at.astimezone(LONDON):%-d %b %Y, %H:%M}" in str(refused.value)
    follow_up = await resolved.bob.act(resolved.number, "follow-up", description="It burns again")
    assert follow_up["follow_up_of"] == resolved.number
    assert (await resolved.case())["follow_ups"] == [follow_up["number"]]
