"""Time as a desk counts it: only what falls on its business days, by its calendar.

A calendar knows days, not opening hours; so a business day has all its hours, from midnight to midnight of the desk's
time zone, as in its windows (desk-rules Windows).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from services.api.callers import DeskView
from shared.domain.calendar import BusinessCalendar
from shared.holiday_lists import WEEKDAYS, holidays_of

YEARS_BACK = 10
"""What happened earlier counts as having happened then."""
_YEARS_AHEAD = 2
"""For cases whose own clock is ahead of ours; in development alone."""


@dataclass(frozen=True, slots=True)
class BusinessTime:
    """A calendar as a step table, which Postgres searches by halving: business time at an instant is what had passed
    at the latest bound before it, and what has passed since if the desk works from that bound on.

    Args:
        bounds: instants at which the desk begins or ceases to work, ascending.
        passed: seconds of business time until each bound.
        working: 1 where the desk works from the bound on, else 0.
    """

    bounds: list[datetime]
    passed: list[float]
    working: list[float]

    @property
    def parameters(self) -> dict[str, Any]:
        """As the statements of ``facts.py`` take it."""
        return {"bounds": self.bounds, "passed": self.passed, "working": self.working}


def business_time(desk: DeskView, now: datetime) -> BusinessTime:
    """The step table of a desk.

    Args:
        desk: whose calendar.
        now: the table reaches from ``YEARS_BACK`` years before this year to the end of the next.
    """
    return _table(desk.timezone, tuple(desk.workdays), tuple(desk.holidays), now.year)


def start_of_day(desk: DeskView, day: date) -> datetime:
    """When a local day begins."""
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(desk.timezone)).astimezone(UTC)


@lru_cache(maxsize=256)
def _table(timezone: str, workdays: tuple[str, ...], holidays: tuple[str, ...], year: int) -> BusinessTime:
    calendar = BusinessCalendar(
        timezone=timezone,
        workdays=frozenset(WEEKDAYS.index(day) for day in workdays),
        holidays=holidays_of(holidays, range(year - YEARS_BACK, year + _YEARS_AHEAD)),
    )
    zone, day, end = ZoneInfo(timezone), date(year - YEARS_BACK, 1, 1), date(year + _YEARS_AHEAD, 1, 1)
    table = BusinessTime([], [], [])
    while day < end:
        works = float(calendar.is_business_day(day))
        if not table.working or works != table.working[-1]:
            begins = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
            _add(table, begins, works)
        day += timedelta(days=1)
    return table


def _add(table: BusinessTime, begins: datetime, works: float) -> None:
    lasted = (begins - table.bounds[-1]).total_seconds() * table.working[-1] if table.bounds else 0.0
    table.passed.append(table.passed[-1] + lasted if table.passed else 0.0)
    table.bounds.append(begins)
    table.working.append(works)
