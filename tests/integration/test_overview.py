"""A desk in figures: the same numbers as somebody gets who reads its events one by one."""

from __future__ import annotations

import statistics
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import orjson
import pytest
import pytest_asyncio
import yaml

from services.api.callers import Caller as ApiCaller
from services.api.callers import load_caller
from services.api.identity import Identity
from services.api.overview.facts import AGES
from services.api.overview.figures import WORKED_ON, Behind, cases_behind, overview
from services.api.overview.schemas import Days, OverviewOut
from services.local.demo import DEMO_DESKS
from services.local.demo_player import play_stories
from services.local.demo_stories import stories_of
from shared.db.engine import Database
from shared.db.roles import Role
from shared.db.viewed import ViewedDatabase
from shared.holiday_lists import build_calendar
from tests.client import Json
from tests.desks import apply_to
from tests.stack import RunningStack

PERIODS: Sequence[Days] = (7, 30, 90)
DAY_OFF = (datetime.now(UTC) - timedelta(days=4)).date()
CALENDARS: dict[str, Json] = {
    "standard": {"timezone": "Europe/London", "workdays": ["mon", "tue", "wed", "thu", "fri"], "holidays": ["GB-ENG"]},
    "help-centre": {
        "timezone": "America/New_York",
        "workdays": ["sun", "mon", "tue", "wed", "thu", "sat"],
        "holidays": ["US", DAY_OFF.isoformat()],
    },
}


@dataclass
class Told:
    """A case as its events tell it."""

    number: int
    now: datetime
    status: str
    assignee: str | None
    product: str | None
    account: str | None
    events: list[Json] = field(default_factory=list)

    @property
    def opened(self) -> datetime:
        at: datetime = self.events[0]["at"]
        return at

    def answered(self) -> datetime | None:
        """When staff first said something to the customer."""
        words = {"commented", "resolved", "closed"}
        return next((e["at"] for e in self.events if e["who"] == "staff" and e["kind"] in words), None)

    def endings(self) -> Iterator[tuple[datetime, str | None]]:
        """Each time that work on it ended, and what took it up again."""
        ended: datetime | None = None
        for event in self.events:
            if event["kind"] in {"resolved", "closed"} and ended is None:
                ended = event["at"]
            elif event["kind"] in {"reopened", "rejected"} and ended is not None:
                yield ended, event["kind"]
                ended = None
        if ended is not None:
            yield ended, None


@dataclass
class Seeded:
    """A desk whose cases have lives behind them."""

    stack: RunningStack
    slug: str
    profile: str
    database: ViewedDatabase
    lead: ApiCaller
    cases: list[Told]

    def business_hours(self, start: datetime, end: datetime) -> float:
        """Day by day: what of it falls on business days."""
        desk = self.lead.desk
        calendar = build_calendar(desk.timezone, desk.workdays, desk.holidays, datetime.now(UTC) - timedelta(days=300))
        zone, total = ZoneInfo(desk.timezone), timedelta()
        day = start.astimezone(zone).date()
        while (begins := _midnight(day, zone)) < end:
            if calendar.is_business_day(day):
                total += max(timedelta(), min(end, _midnight(day + timedelta(days=1), zone)) - max(start, begins))
            day += timedelta(days=1)
        return total.total_seconds() / 3600


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(CALENDARS))
async def seeded(request: pytest.FixtureRequest, stack: RunningStack) -> AsyncIterator[Seeded]:
    profile = request.param
    slug = f"figures-{uuid.uuid4().hex[:8]}"
    content = yaml.safe_load((DEMO_DESKS / f"{profile}.yaml").read_text()) | {
        "desk": slug,
        "calendar": CALENDARS[profile],
    }
    database = Database(stack.settings.database_url, pool_size=2)
    await apply_to(database, content)
    await database.close()
    await play_stories(stack.settings, stack.api, {slug: stories_of(profile)})
    viewed = ViewedDatabase(stack.settings.database_url, pool_size=2)
    lead = next(person["email"] for person in content["staff"] if person["role"] == "lead")
    async with viewed.read() as session:
        caller = await load_caller(
            session, Identity(email=lead, name=lead, desk=None, expires_at=datetime.max.replace(tzinfo=UTC)), slug
        )
    assert caller is not None
    yield Seeded(stack, slug, profile, viewed, caller, await told(stack, slug))
    await viewed.close()


async def told(stack: RunningStack, slug: str) -> list[Told]:
    connection = await asyncpg.connect(stack.settings.database_url, server_settings=Role.SERVICE.settings)
    try:
        rows = await connection.fetch(
            """
            SELECT c.number, c.status, c.assignee, c.product, c.account, now() + c.clock_offset AS now,
                   e.kind, e.at, e.actor ->> 'kind' AS who, e.data::text
            FROM "case" c JOIN desk d ON d.id = c.desk_id JOIN case_event e ON e.case_id = c.id
            WHERE d.slug = $1 ORDER BY c.number, e.seq
            """,
            slug,
        )
    finally:
        await connection.close()
    cases: dict[int, Told] = {}
    for row in rows:
        about = {name: row[name] for name in ("number", "now", "status", "assignee", "product", "account")}
        case = cases.setdefault(row["number"], Told(**about))
        case.events.append({"kind": row["kind"], "at": row["at"], "who": row["who"], "data": orjson.loads(row["data"])})
    return list(cases.values())


def percentile(values: Sequence[float], part: float) -> float | None:
    """Between the two values around it, as ``percentile_cont`` has it."""
    if not values:
        return None
    place = part * (len(values) - 1)
    ordered = sorted(values)
    low = ordered[int(place)]
    return low + (ordered[min(int(place) + 1, len(values) - 1)] - low) * (place - int(place))


# ------------------------------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("days", PERIODS)
async def test_figures_of_a_period_are_those_of_its_events(seeded: Seeded, days: Days) -> None:
    found = await overview(seeded.database, seeded.lead, days)
    since = _since(seeded, days, found.now)
    assert found.since == since
    cases = seeded.cases
    assert found.opened == sum(case.opened >= since for case in cases)
    endings = [(case, at, then) for case in cases for at, then in case.endings() if at >= since]
    assert found.solved == len(endings)
    assert (found.reopened, found.rejected) == tuple(
        sum(then == kind for _, _, then in endings) for kind in ("reopened", "rejected")
    )
    answers = [(case, at) for case in cases if (at := case.answered()) and at >= since]
    _same_spread(found.first_response, [seeded.business_hours(case.opened, at) for case, at in answers])
    stayed = [seeded.business_hours(case.opened, at) for case, at, then in endings if then is None]
    _same_spread(found.resolution, stayed)
    _same_days(seeded, found, since, days, [at for _, at, _ in endings])
    _same_groups(found, cases, since, endings)
    _same_survey(found, cases, since)


def _since(seeded: Seeded, days: int, now: datetime) -> datetime:
    zone = ZoneInfo(seeded.lead.desk.timezone)
    return _midnight(now.astimezone(zone).date() - timedelta(days=days - 1), zone)


def _same_spread(found: Any, hours: Sequence[float]) -> None:
    assert found.cases == len(hours)
    assert found.median == (pytest.approx(statistics.median(hours), abs=1e-3) if hours else None)
    assert found.p90 == (pytest.approx(percentile(hours, 0.9), abs=1e-3) if hours else None)


def _same_days(seeded: Seeded, found: OverviewOut, since: datetime, days: int, ended: Sequence[datetime]) -> None:
    zone = ZoneInfo(seeded.lead.desk.timezone)
    opened = Counter(case.opened.astimezone(zone).date() for case in seeded.cases if case.opened >= since)
    solved = Counter(at.astimezone(zone).date() for at in ended)
    assert len(found.by_day) == days
    assert [(day.opened, day.solved) for day in found.by_day] == [(opened[d.day], solved[d.day]) for d in found.by_day]
    assert sum(day.opened for day in found.by_day) == found.opened


def _same_groups(found: OverviewOut, cases: Sequence[Told], since: datetime, endings: Sequence[Any]) -> None:
    for name, groups in (("assignee", found.assignees), ("product", found.products), ("account", found.accounts)):
        expected = {
            value: (
                sum(getattr(case, name) == value and case.status in WORKED_ON for case in cases),
                sum(getattr(case, name) == value and case.opened >= since for case in cases),
                sum(getattr(case, name) == value for case, _, _ in endings),
            )
            for value in {getattr(case, name) for case in cases}
        }
        counted = {group.value: (group.open, group.opened, group.solved) for group in groups.items}
        assert counted == {value: counts for value, counts in expected.items() if any(counts)}


def _same_survey(found: OverviewOut, cases: Sequence[Told], since: datetime) -> None:
    events = [event for case in cases for event in case.events if event["at"] >= since]
    assert found.survey.accepted == sum(event["kind"] == "accepted" for event in events)
    answers = [event["data"]["survey"] for event in events if event["data"].get("survey")]
    assert found.survey.answered == len(answers)
    for question, name in zip(found.survey.questions, ("q1", "q2"), strict=True):
        marks = [answer[name] for answer in answers if isinstance(answer[name], int)]
        assert {each.mark: each.answers for each in question.marks} == Counter(marks)
        assert question.average == (statistics.mean(marks) if marks else None)
        assert {each.words for each in question.words} == {a[name] for a in answers if isinstance(a[name], str)}


async def test_the_backlog_is_what_is_open_by_status_and_age(seeded: Seeded) -> None:
    found = await overview(seeded.database, seeded.lead, 30)
    expected: Counter[tuple[str, int]] = Counter()
    for case in seeded.cases:
        if case.status in WORKED_ON:
            age = seeded.business_hours(case.opened, case.now) / 24
            expected[seeded.lead.desk.policy.labels[case.status], sum(age >= days for days in AGES)] += 1  # type: ignore[index]
    counted = {(row.label, place): count for row in found.backlog for place, count in enumerate(row.by_age) if count}
    assert counted == expected
    assert found.open == expected.total() == sum(row.total for row in found.backlog)
    assert found.resolved == sum(case.status == "resolved" for case in seeded.cases)
    if seeded.profile == "help-centre":
        assert found.backlog[0].statuses == ["new", "open"], "one row for what the desk calls by one name"


# ------------------------------------------------------------------------------------------- the lists behind


@pytest.mark.parametrize("days", PERIODS)
async def test_behind_every_figure_are_as_many_cases_as_it_says(seeded: Seeded, days: Days) -> None:
    found = await overview(seeded.database, seeded.lead, days)
    expected = {
        "open": found.open, "opened": found.opened, "answered": found.first_response.cases, "solved": found.solved,
        "stayed": found.resolution.cases, "reopened": found.reopened, "rejected": found.rejected,
        "accepted": found.survey.accepted, "surveyed": found.survey.answered,
    }  # fmt: skip
    for of, count in expected.items():
        cases, total = await cases_behind(seeded.database, seeded.lead, days, Behind(of=of))
        assert (of, len(cases), total) == (of, count, count)
    for row in found.backlog:
        for age, count in enumerate(row.by_age):
            behind = Behind(of="open", statuses=row.statuses, age=age)
            assert (await cases_behind(seeded.database, seeded.lead, days, behind))[1] == count
    for group in found.assignees.items:
        behind = Behind(of="solved", assignee=group.value or "")
        assert (await cases_behind(seeded.database, seeded.lead, days, behind))[1] == group.solved
    for group in found.products.items:
        behind = Behind(of="opened", product=group.value or "")
        assert (await cases_behind(seeded.database, seeded.lead, days, behind))[1] == group.opened
    for day in found.by_day:
        for of, count in (("opened", day.opened), ("solved", day.solved)):
            behind = Behind(of=of, first=day.day, last=day.day)
            assert (await cases_behind(seeded.database, seeded.lead, days, behind))[1] == count
    for name, question in zip(("q1", "q2"), found.survey.questions, strict=True):
        for mark in question.marks:
            behind = Behind(of="surveyed", question=name, mark=mark.mark)
            assert (await cases_behind(seeded.database, seeded.lead, days, behind))[1] == mark.answers


async def test_times_behind_are_the_slowest_first(seeded: Seeded) -> None:
    cases, _ = await cases_behind(seeded.database, seeded.lead, 90, Behind(of="answered"))
    hours = [case.hours for case in cases if case.hours is not None]
    assert len(hours) == len(cases) > 1
    assert hours == sorted(hours, reverse=True)


async def test_a_desk_without_cases_has_figures_too(stack: RunningStack, seeded: Seeded) -> None:
    content = yaml.safe_load((DEMO_DESKS / "msp-portal.yaml").read_text()) | {"desk": f"empty-{uuid.uuid4().hex[:8]}"}
    database = Database(stack.settings.database_url, pool_size=2)
    await apply_to(database, content)
    await database.close()
    who = Identity(email="dan@bastion.example", name="", desk=None, expires_at=datetime.max.replace(tzinfo=UTC))
    async with seeded.database.read() as session:
        caller = await load_caller(session, who, content["desk"])
    assert caller is not None
    found = await overview(seeded.database, caller, 7)
    assert (found.open, found.opened, found.solved) == (0, 0, 0)
    assert (found.first_response.median, found.survey.questions[0].average) == (None, None)
    assert [row.label for row in found.backlog] == ["New", "Open"]
