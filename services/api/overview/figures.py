"""A desk in figures: read by the statements of ``facts.py``, added up, and given their names."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from services.api.callers import Caller, DeskView
from services.api.overview.facts import AGES, BEHIND, IN_PERIOD, NAMES, OPEN, OPEN_NOW, SURVEYED
from services.api.overview.hours import business_time, start_of_day
from services.api.overview.schemas import (
    AgeOut,
    BacklogOut,
    CaseBehind,
    DayOut,
    Days,
    GroupOut,
    GroupsOut,
    MarkOut,
    OverviewOut,
    QuestionOut,
    SpreadOut,
    SurveyOut,
    WordsOut,
)
from shared.db.viewed import Sight, ViewedDatabase
from shared.domain.case import Status

GROUPS_SHOWN: Final = 25
WORDS_SHOWN: Final = 10
ROWS_SHOWN: Final = 500
WORKED_ON: Final = tuple(status for status in Status if status not in {Status.RESOLVED, Status.CLOSED})
"""The statuses of open cases."""
_HOUR: Final = 3600
_Rows = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """Which cases of a figure.

    Args:
        of: one of ``BEHIND``.
        statuses: of open cases: those with one of these.
        age: of open cases: place of their age in the overview's list.
        assignee: of these only; empty: without one; None: whoever.
        product: as ``assignee``.
        account: as ``assignee``.
        first: of what happened in the period: only from this day on, by the desk's time zone.
        last: as ``first``, up to this day.
        question: of survey answers: only those that gave ``mark`` to this question, ``q1`` or ``q2``.
        mark: see ``question``.
    """

    of: str
    statuses: Sequence[str] = WORKED_ON
    age: int | None = None
    assignee: str | None = None
    product: str | None = None
    account: str | None = None
    first: date | None = None
    last: date | None = None
    question: str | None = None
    mark: int | None = None


async def overview(database: ViewedDatabase, caller: Caller, days: Days, now: datetime | None = None) -> OverviewOut:
    """A desk in figures, as of now and of the last days.

    Args:
        database: to read from, through the caller's eyes.
        caller: who asks.
        days: of the period, today included.
        now: the end of the period.
    """
    desk, now = caller.desk, now or datetime.now(UTC)
    wanted = await _parameters(desk, days, now)
    async with database.read_as(caller.eyes) as session:
        open_now = (await session.execute(OPEN_NOW, wanted)).all()
        period = (await session.execute(IN_PERIOD, wanted | {"timezone": desk.timezone})).one()
        by = {name: _grouped(name, open_now, period) for name in ("assignee", "product", "account")}
        names = await _names(session, desk, by)
    return OverviewOut(
        now=now,
        days=days,
        since=wanted["since"],
        timezone=desk.timezone,
        open=sum(row.cases for row in open_now if row.status in WORKED_ON),
        resolved=sum(row.cases for row in open_now if row.status == Status.RESOLVED),
        ages=[AgeOut(since=since, below=below) for since, below in zip((0, *AGES), (*AGES, None), strict=True)],
        backlog=_backlog(desk, open_now),
        opened=sum(row["cases"] for row in period.opened),
        solved=sum(row["cases"] for row in period.solved),
        by_day=_by_day(wanted["since"].astimezone(ZoneInfo(desk.timezone)).date(), days, period),
        first_response=_spread(period.answered),
        resolution=_spread(period.stayed),
        reopened=period.reopened,
        rejected=period.rejected,
        survey=_survey(period.accepted, period.surveys),
        assignees=_groups(by["assignee"], lambda value: names.people.get(value, value)),
        products=_groups(by["product"], str),
        accounts=_groups(by["account"], lambda value: names.accounts.get(value, value)),
    )


async def cases_behind(
    database: ViewedDatabase, caller: Caller, days: Days, behind: Behind, now: datetime | None = None
) -> tuple[list[CaseBehind], int]:
    """The cases that a figure counts, ``ROWS_SHOWN`` of them at most, and how many there are.

    Those that took longest come first. A case that was resolved twice in the period is there twice.
    """
    wanted = await _parameters(caller.desk, days, now or datetime.now(UTC)) | {"rows": ROWS_SHOWN}
    wanted |= {name: getattr(behind, name) for name in ("assignee", "product", "account")}
    if behind.of == OPEN:
        wanted |= {"statuses": list(behind.statuses), "age": behind.age}
    else:
        wanted |= {"timezone": caller.desk.timezone, "first": behind.first, "last": behind.last}
    if behind.of == SURVEYED:
        wanted |= {"question": behind.question, "mark": behind.mark}
    async with database.read_as(caller.eyes) as session:
        rows = (await session.execute(BEHIND[behind.of], wanted)).all()
    cases = [
        CaseBehind(
            number=row.number,
            subject=row.subject,
            status=row.status,
            assignee=row.assignee,
            at=row.at,
            hours=None if row.seconds is None else row.seconds / _HOUR,
        )
        for row in rows
    ]
    return cases, rows[0].total if rows else 0


async def _parameters(desk: DeskView, days: int, now: datetime) -> dict[str, Any]:
    today = now.astimezone(ZoneInfo(desk.timezone)).date()
    since = start_of_day(desk, today - timedelta(days=days - 1))
    table = await asyncio.to_thread(business_time, desk, now)  # the first one of a desk loads lists of holidays
    return {"desk": desk.id, "since": since, **table.parameters}


def _backlog(desk: DeskView, rows: _Rows) -> list[BacklogOut]:
    by_label: dict[str, list[str]] = {}
    for status in WORKED_ON:
        if status in desk.policy.labels or any(row.status == status for row in rows):
            by_label.setdefault(desk.policy.label(status), []).append(status)
    found = []
    for label, statuses in by_label.items():
        ages = Counter[int]()
        for row in rows:
            if row.status in statuses:
                ages[row.bucket] += row.cases
        by_age = [ages[place] for place in range(len(AGES) + 1)]
        found.append(BacklogOut(label=label, statuses=statuses, total=sum(by_age), by_age=by_age))
    return found


def _by_day(first: date, days: int, period: Row[*tuple[Any, ...]]) -> list[DayOut]:
    opened, solved = (_summed(rows, "day") for rows in (period.opened, period.solved))
    every = (first + timedelta(days=day) for day in range(days))
    return [DayOut(day=day, opened=opened[day.isoformat()], solved=solved[day.isoformat()]) for day in every]


def _summed(rows: Iterable[Mapping[str, Any]], name: str) -> Counter[Any]:
    summed = Counter[Any]()
    for row in rows:
        summed[row[name]] += row["cases"]
    return summed


def _spread(found: Mapping[str, Any]) -> SpreadOut:
    hours = {name: None if found[name] is None else found[name] / _HOUR for name in ("median", "p90")}
    return SpreadOut(cases=found["cases"], **hours)


@dataclass(slots=True)
class _Group:
    """What is counted of one assignee, product or account."""

    statuses: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    solved: int = 0

    @property
    def open(self) -> int:
        return sum(self.statuses[status] for status in WORKED_ON)


def _grouped(name: str, open_now: _Rows, period: Row[*tuple[Any, ...]]) -> dict[str | None, _Group]:
    groups: dict[str | None, _Group] = {}
    for row in open_now:
        groups.setdefault(getattr(row, name), _Group()).statuses[row.status] += row.cases
    for value, cases in _summed(period.opened, name).items():
        groups.setdefault(value, _Group()).opened = cases
    for value, cases in _summed(period.solved, name).items():
        groups.setdefault(value, _Group()).solved = cases
    return groups


def _groups(found: Mapping[str | None, _Group], name: Callable[[str], str]) -> GroupsOut:
    shown = [
        GroupOut(
            value=value,
            name="" if value is None else name(value),
            open=group.open,
            awaiting_customer=group.statuses[Status.AWAITING_CUSTOMER],
            escalated=group.statuses[Status.ESCALATED],
            opened=group.opened,
            solved=group.solved,
        )
        for value, group in found.items()
        if group.open or group.opened or group.solved
    ]
    shown.sort(key=lambda group: (-group.open, -group.solved, -group.opened, group.name.casefold()))
    return GroupsOut(items=shown[:GROUPS_SHOWN], others=max(0, len(shown) - GROUPS_SHOWN))


@dataclass(frozen=True, slots=True)
class _Names:
    people: Mapping[str, str]
    accounts: Mapping[str, str]


async def _names(session: Sight, desk: DeskView, by: Mapping[str, Mapping[str | None, _Group]]) -> _Names:
    people, accounts = ([value for value in by[name] if value] for name in ("assignee", "account"))
    rows = (await session.execute(NAMES, {"desk": desk.id, "people": people, "accounts": accounts})).all()
    named = [{row.key: row.name for row in rows if row.person is person} for person in (True, False)]
    return _Names(*named)


def _survey(accepted: int, surveys: Sequence[Mapping[str, Any]]) -> SurveyOut:
    questions = [_question([(each["number"], each["survey"][name]) for each in surveys]) for name in ("q1", "q2")]
    return SurveyOut(accepted=accepted, answered=len(surveys), questions=questions)


def _question(answers: Sequence[tuple[int, int | str]]) -> QuestionOut:
    marks = [answer for _, answer in answers if isinstance(answer, int)]
    words = [WordsOut(case=number, words=answer) for number, answer in answers if isinstance(answer, str)]
    return QuestionOut(
        answers=len(answers),
        average=sum(marks) / len(marks) if marks else None,
        marks=[MarkOut(mark=mark, answers=count) for mark, count in sorted(Counter(marks).items(), reverse=True)],
        words=words[:WORDS_SHOWN],
    )
