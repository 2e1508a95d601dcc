"""Windows of business days, to the second, on the case's own clock."""

from __future__ import annotations

import calendar
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio

from tests.client import Json
from tests.clock import FRIDAY, SATURDAY, SUNDAY, THURSDAY, TUESDAY, WEDNESDAY, Clock, moment, next_weekday
from tests.desks import BOB
from tests.integration.rules.desks import RuleDesk, rule_desk
from tests.integration.rules.kit import LONDON, SECOND, SHORTLY, refused, text_of_day
from tests.stack import RunningStack

PROFILE = "standard"
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TWELFTH_NIGHT = date(datetime.now(UTC).year + 1, 1, 6)


@dataclass
class CaseInTime:
    """A case of Bob's and its clock."""

    desk: RuleDesk
    number: int
    clock: Clock

    async def resolved(self) -> Json:
        return await self.desk.ada.act(self.number, "resolve", resolution_type="Provided", summary="Water")

    async def case(self) -> Json:
        return await self.desk.bob.case(self.number)


async def case_at(desk: RuleDesk, instant: datetime) -> CaseInTime:
    """A case whose clock shows that moment."""
    number = (await desk.bob.open(subject="Fire", description="It burns"))["number"]
    clock = desk.clock(number)
    await clock.move_to(instant + SECOND)
    return CaseInTime(desk, number, clock)


async def resolved_on_friday_at_three(desk: RuleDesk) -> tuple[CaseInTime, datetime]:
    case = await case_at(desk, next_weekday(datetime.now(UTC), FRIDAY, 15, LONDON))
    return case, moment((await case.resolved())["auto_close_at"])


async def closed_by_silence(desk: RuleDesk) -> tuple[CaseInTime, Json]:
    case, ends_at = await resolved_on_friday_at_three(desk)
    await case.clock.move_to(ends_at + SECOND)
    return case, await case.case()


def local(instant: datetime) -> tuple[int, int, int]:
    """Weekday, hour and minute in London."""
    here = instant.astimezone(LONDON)
    return here.weekday(), here.hour, here.minute


def days_between(start: datetime, end: datetime) -> int:
    return (end.astimezone(LONDON).date() - start.astimezone(LONDON).date()).days


def last_sunday(month: int) -> date:
    """Of that month next year: when clocks are changed in London."""
    year = datetime.now(UTC).year + 1
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - timedelta(days=(last.weekday() - SUNDAY) % 7)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def always_open(stack: RunningStack) -> AsyncIterator[RuleDesk]:
    """A desk that works on every day but one."""
    days = {"timezone": "Europe/London", "workdays": EVERY_DAY, "holidays": [str(TWELFTH_NIGHT)]}
    async with rule_desk(stack, "standard", calendar=days) as desk:
        yield desk


@pytest.mark.rule("W1")
async def test_w1_weekends_are_not_counted_and_the_local_time_stays(desk: RuleDesk) -> None:
    case, ends_at = await resolved_on_friday_at_three(desk)
    assert local(ends_at) == (WEDNESDAY, 15, 0)
    assert days_between(case.clock.now(), ends_at) == 5
    closed = await desk.bob.act(case.number, "accept")
    assert local(moment(closed["reopen_until"])) == (THURSDAY, 15, 0)
    assert days_between(case.clock.now(), moment(closed["reopen_until"])) == 20


@pytest.mark.rule("W1")
async def test_w1_the_desks_workdays_and_holidays_decide(always_open: RuleDesk) -> None:
    before = TWELFTH_NIGHT - timedelta(days=2)
    case = await case_at(always_open, datetime(before.year, before.month, before.day, 10, tzinfo=LONDON))
    ends_at = moment((await case.resolved())["auto_close_at"]).astimezone(LONDON)
    assert ends_at.date() == TWELFTH_NIGHT + timedelta(days=2)
    assert (ends_at.hour, ends_at.minute) == (10, 0)


@pytest.mark.rule("W2")
async def test_w2_what_begins_on_a_day_off_counts_from_the_next_business_day(desk: RuleDesk) -> None:
    case = await case_at(desk, next_weekday(datetime.now(UTC), SATURDAY, 10, LONDON))
    resolved = await case.resolved()
    assert local(moment(resolved["auto_close_at"])) == (THURSDAY, 0, 0)
    closed = await desk.bob.act(case.number, "accept")
    assert local(moment(closed["reopen_until"])) == (FRIDAY, 0, 0)
    assert days_between(moment(closed["closed_at"]), moment(closed["reopen_until"])) == 20


@pytest.mark.rule("W3")
async def test_w3_shortly_before_its_end_the_case_is_still_resolved_and_at_its_end_closed(desk: RuleDesk) -> None:
    case, ends_at = await resolved_on_friday_at_three(desk)
    await case.clock.move_to(ends_at - SHORTLY)
    before = await case.case()
    assert case.clock.now() < ends_at, "the machine was too slow for this test to say anything"
    assert before["status"] == "resolved"
    await case.clock.move_to(ends_at + SECOND)
    closed = await case.case()
    assert (closed["status"], closed["closed_reason"]) == ("closed", "no_answer")
    assert ends_at <= moment(closed["closed_at"]) <= case.clock.now()


@pytest.mark.rule("W3")
async def test_w3_reopening_works_until_shortly_before_the_end(desk: RuleDesk) -> None:
    case, closed = await closed_by_silence(desk)
    ends_at = moment(closed["reopen_until"])
    await case.clock.move_to(ends_at - SHORTLY)
    reopened = await desk.bob.act(case.number, "reopen", reason="It burns again")
    assert case.clock.now() < ends_at, "the machine was too slow for this test to say anything"
    assert reopened["status"] == "open"


@pytest.mark.rule("W3")
async def test_w3_from_the_end_on_reopening_is_refused(desk: RuleDesk) -> None:
    case, closed = await closed_by_silence(desk)
    await case.clock.move_to(moment(closed["reopen_until"]) + SECOND)
    assert (await case.case())["sealed"] is True
    with refused("reopen_window_passed"):
        await desk.bob.act(case.number, "reopen", reason="It burns again")


@pytest.mark.rule("W4")
async def test_w4_mail_and_refusal_say_date_and_time(desk: RuleDesk) -> None:
    case, ends_at = await resolved_on_friday_at_three(desk)
    seq = (await case.case())["seq"]
    [mail] = await desk.mails_about(case.number, seq, {BOB})
    assert f"It closes by itself on {text_of_day(ends_at)}, 15:00" in mail.text
    assert "(Europe/London)" in mail.text
    until = moment((await desk.bob.act(case.number, "accept"))["reopen_until"])
    await case.clock.move_to(until + SECOND)
    with refused("reopen_window_passed") as problem:
        await desk.bob.act(case.number, "reopen", reason="It burns again")
    assert f"{text_of_day(until)}, 15:00" in problem.value.body["detail"]
    assert moment(problem.value.body["window_ended_at"]) == until


@pytest.mark.rule("W5")
async def test_w5_an_end_in_a_skipped_hour_moves_on_by_the_gap(always_open: RuleDesk) -> None:
    sunday = last_sunday(3)
    start = sunday - timedelta(days=3)
    case = await case_at(always_open, datetime(start.year, start.month, start.day, 1, 30, tzinfo=LONDON))
    ends_at = moment((await case.resolved())["auto_close_at"])
    assert (ends_at.astimezone(LONDON).date(), local(ends_at)) == (sunday, (SUNDAY, 2, 30))


@pytest.mark.rule("W5")
async def test_w5_of_an_hour_that_comes_twice_the_first_counts(always_open: RuleDesk) -> None:
    sunday = last_sunday(10)
    start = sunday - timedelta(days=3)
    case = await case_at(always_open, datetime(start.year, start.month, start.day, 1, 30, tzinfo=LONDON))
    ends_at = moment((await case.resolved())["auto_close_at"])
    assert (ends_at.astimezone(LONDON).date(), local(ends_at)) == (sunday, (SUNDAY, 1, 30))
    assert (ends_at.hour, ends_at.minute) == (0, 30)


@pytest.mark.rule("W6")
async def test_w6_what_is_said_by_staff_after_the_resolving_moves_no_end(desk: RuleDesk) -> None:
    case, ends_at = await resolved_on_friday_at_three(desk)
    await case.clock.move_to(ends_at - timedelta(days=1))
    await desk.ada.comment(case.number, "Please try it")
    assert moment((await case.case())["auto_close_at"]) == ends_at


@pytest.mark.rule("W6")
async def test_w6_the_time_to_reopen_runs_from_the_closing(desk: RuleDesk) -> None:
    _, closed = await closed_by_silence(desk)
    assert days_between(moment(closed["resolved_at"]), moment(closed["closed_at"])) == 5
    assert local(moment(closed["reopen_until"])) == (TUESDAY, 15, 0)
    assert days_between(moment(closed["closed_at"]), moment(closed["reopen_until"])) == 20
