"""A desk's calendar as people read it: its week, the holidays to come, and where windows that began now would end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.api.callers import DeskView
from shared.holiday_lists import WEEKDAYS, build_calendar, holiday_names

_AHEAD: Final = timedelta(days=365)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EXAMPLES: Final = (1, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Window:
    """A window that begins now.

    Args:
        what: it is for.
        days: business days that it has.
        end: of it.
    """

    what: str
    days: int
    end: datetime


@dataclass(frozen=True, slots=True)
class CalendarView:
    """The calendar.

    Args:
        week: the days of the week, each with whether the desk works on it.
        holidays: of the year to come that fall on workdays, with their names.
        works_today: whether the desk works today, where it is.
        windows: examples, the desk's own first.
    """

    week: Sequence[tuple[str, bool]]
    holidays: Sequence[tuple[date, str]]
    works_today: bool
    windows: Sequence[Window]


def calendar_of(desk: DeskView, now: datetime) -> CalendarView:
    """The calendar of a desk, seen from now."""
    calendar = build_calendar(desk.timezone, desk.workdays, desk.holidays, now)
    today = now.astimezone(ZoneInfo(desk.timezone)).date()
    named = holiday_names(desk.holidays, range(today.year, (today + _AHEAD).year + 1))
    own = (
        ("A case resolved now closes by itself", desk.policy.auto_close_after),
        ("A case closed now can be reopened until", desk.policy.reopen_within),
    )
    windows = [(what, days) for what, days in own if isinstance(days, int)]
    windows += [("Any window that begins now", days) for days in _EXAMPLES if days not in {each for _, each in windows}]
    return CalendarView(
        week=[(name, short in desk.workdays) for name, short in zip(_DAYS, WEEKDAYS, strict=True)],
        holidays=[
            (day, name)
            for day, name in named.items()
            if today <= day <= today + _AHEAD and day.weekday() in calendar.workdays
        ],
        works_today=calendar.is_business_day(today),
        windows=[Window(what, days, calendar.window_end(now, days)) for what, days in windows],
    )
