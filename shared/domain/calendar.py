"""When a window of business days ends: the calendar of a desk (desk-rules Windows)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

LONGEST_CLOSURE_DAYS = 366
"""A calendar that is closed for longer at a stretch is taken for a mistake, so that no search runs without end."""


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """The days on which a desk works, in its own time zone (desk-rules Windows).

    Args:
        timezone: IANA name such as `Europe/London`.
        workdays: weekdays on which the desk works, 0 = Monday … 6 = Sunday, at least one.
        holidays: local days off among them.

    Raises:
        ValueError: unknown time zone, no workday, or a workday outside 0 … 6.
    """

    timezone: str
    workdays: frozenset[int]
    holidays: frozenset[date]

    def __post_init__(self) -> None:
        _check_timezone(self.timezone)
        _check_workdays(self.workdays)

    def is_business_day(self, day: date) -> bool:
        """Whether the desk works on the local `day`.

        A day that the zone left out (2011-12-30 in Pacific/Apia, which moved across the date line) is none: nobody
        could work or answer on it, so counting it would take a day from those to whom the window was promised.
        """
        return day.weekday() in self.workdays and day not in self.holidays and _took_place(self.timezone, day)

    def window_end(self, start: datetime, business_days: int) -> datetime:
        """Return the end of a window of business days; an instant before it is inside, the end itself is outside.

        Args:
            start: aware instant at which the window starts.
            business_days: length of the window, at least 1.

        Returns:
            The end in UTC: at the local time of day of `start` on the last of the business days after its day, or at
            00:00 when `start` falls on no business day and counting begins with the next one. A time that daylight
            saving skips moves forward by the gap, even past midnight; of one that happens twice it is the first
            (desk-rules Windows).

        Raises:
            ValueError: `start` has no time zone, `business_days` is below 1, the calendar has no business day for
                more than a year, or the end lies beyond the year 9999.
        """
        if start.utcoffset() is None:
            raise ValueError(f"the start of a window needs a time zone, {start.isoformat()} has none")
        if business_days < 1:
            raise ValueError(f"a window takes 1 business day or more, not {business_days}")
        try:
            return self._nth_business_day(start.astimezone(self._zone), business_days)
        except OverflowError:
            raise ValueError(
                f"a window of {business_days} business days from {start.isoformat()} leaves the years 1 to 9999"
            ) from None

    def _nth_business_day(self, start: datetime, business_days: int) -> datetime:
        day, time_of_day = start.date(), start.time()
        if not self.is_business_day(day):
            day, time_of_day = self._next_business_day(day), time.min
        for _ in range(business_days):
            day = self._next_business_day(day)
        return _instant(self.timezone, day, time_of_day)

    def _next_business_day(self, after: date) -> date:
        for days in range(1, LONGEST_CLOSURE_DAYS + 1):
            day = after + timedelta(days=days)
            if self.is_business_day(day):
                return day
        raise ValueError(
            f"the calendar has no business day in the {LONGEST_CLOSURE_DAYS} days after {after}: "
            "check its workdays and holidays"
        )

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def _instant(timezone: str, day: date, time_of_day: time) -> datetime:
    # PEP 495: fold 0 is the first of two equal local times, and in a gap it keeps the offset from before it, which
    # moves the time forward by the gap. A start within a repeated hour brings a fold of its own: it must not count.
    return datetime.combine(day, time_of_day.replace(fold=0), tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@lru_cache(maxsize=10_000)
def _took_place(timezone: str, day: date) -> bool:
    return any(
        _instant(timezone, day, edge).astimezone(ZoneInfo(timezone)).replace(tzinfo=None) == datetime.combine(day, edge)
        for edge in (time.min, time.max)
    )


@cache
def _timezones() -> frozenset[str]:
    # "localtime" is whatever the machine is set to: two services could disagree on when a window ends.
    return frozenset(available_timezones() - {"localtime"})


def _check_timezone(name: str) -> None:
    if name not in _timezones():
        known = sorted(zone for zone in _timezones() if not zone.startswith("Etc/"))  # their + means west of Greenwich
        cities = [zone for zone in known if zone.lower().endswith(f"/{name.lower()}")]
        close = cities or get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "use an IANA name such as Europe/London or UTC"
        raise ValueError(f"unknown time zone {name!r}: {hint}")


def _check_workdays(workdays: Iterable[int]) -> None:
    days = set(workdays)
    if not days or not days <= set(range(7)):
        raise ValueError(f"workdays are one or more of 0 (Monday) to 6 (Sunday), not {sorted(days)}")
