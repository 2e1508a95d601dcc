"""Dates and times as people read them, in their language and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError, dates, numbers, units

_KEPT = 8192
"""Texts of each kind that are kept: what babel makes of a date takes a tenth of the time of a list's page."""
_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: in which language's habits, and by which clock."""

    locale: Locale
    zone: tzinfo

    def moment(self, instant: datetime) -> str:
        """Date and time in full: ``Thu, 3 Dec 2026, 15:00``."""
        return f"{self._local('yMMMEd', instant)}, {self.clock(instant)}"

    def short(self, instant: datetime, now: datetime | None = None) -> str:
        """For lists: the time of today, the day of this year, else the date."""
        local, today = instant.astimezone(self.zone), (now or datetime.now(UTC)).astimezone(self.zone)
        if local.date() == today.date():
            return self.clock(instant)
        return self._local("MMMd" if local.year == today.year else "yMMMd", instant)

    def day(self, instant: datetime) -> str:
        """The date alone: ``3 Dec 2026``."""
        return self._local("yMMMd", instant)

    def clock(self, instant: datetime) -> str:
        """The time of day."""
        return _clock(_minute(instant), self.zone, self.locale)

    def ago(self, instant: datetime, now: datetime | None = None) -> str:
        """How long ago: ``2 hours ago``."""
        distance = instant - (now or datetime.now(UTC))
        return dates.format_timedelta(distance, add_direction=True, threshold=1.5, locale=self.locale)

    def left(self, end: datetime, now: datetime | None = None) -> str:
        """How much time is left, in days and not in weeks: ``18 days``."""
        distance = end - (now or datetime.now(UTC))
        unit, size = next((each for each in _UNITS if distance >= 1.5 * each[1]), _UNITS[-1])
        return units.format_unit(max(round(distance / size), 1), f"duration-{unit}", locale=self.locale)

    def number(self, value: float) -> str:
        """A number, its digits grouped."""
        return _number(value, self.locale)

    def _local(self, skeleton: str, instant: datetime) -> str:
        return _date(skeleton, _minute(instant), self.zone, self.locale)


def _minute(instant: datetime) -> datetime:
    """Nothing that is shown is finer, and what is shown of a case is shown often."""
    return instant.replace(second=0, microsecond=0)


@lru_cache(maxsize=_KEPT)
def _date(skeleton: str, instant: datetime, zone: tzinfo, locale: Locale) -> str:
    return dates.format_skeleton(skeleton, instant, tzinfo=zone, locale=locale)


@lru_cache(maxsize=_KEPT)
def _clock(instant: datetime, zone: tzinfo, locale: Locale) -> str:
    return dates.format_time(instant, "short", tzinfo=zone, locale=locale)


@lru_cache(maxsize=_KEPT)
def _number(value: float, locale: Locale) -> str:
    return numbers.format_decimal(value, locale=locale)


def reader_of(accept_language: str, zone: str, fallback: str) -> Reader:
    """Who reads, as their browser says it.

    Args:
        accept_language: the header of that name.
        zone: IANA name of their time zone; empty or unknown: the fallback.
        fallback: the desk's time zone.
    """
    return Reader(_locale(accept_language), _zone(zone) or _zone(fallback) or UTC)


@lru_cache(maxsize=256)
def _locale(accept_language: str) -> Locale:
    wanted = [_weighed(part) for part in accept_language[:200].split(",")]
    for _, tag in sorted(wanted, key=lambda each: -each[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return Locale("en", "GB")


def _weighed(part: str) -> tuple[float, str]:
    tag, _, weight = part.strip().partition(";q=")
    try:
        return float(weight or 1), tag
    except ValueError:
        return 0.0, tag


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
