"""The end of a window found another way, to hold `shared.domain.calendar` against.

It asks the zone one question only, what the clock on the wall shows at an instant, and finds everything by walking:
the days by listing those the clock really showed, an instant by trying one after the other. No fold, no offset.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

# Since 1990 every zone has been off UTC by a multiple of this, so no wall time hides between two probes.
PROBE = timedelta(minutes=15)
# No zone is further ahead of UTC.
FURTHEST_AHEAD = timedelta(hours=15)
SECOND = timedelta(seconds=1)


def wall_clock(zone: ZoneInfo, instant: datetime) -> datetime:
    """What the clock on the wall shows, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def window_end(
    zone: ZoneInfo, workdays: Collection[int], holidays: Collection[date], start: datetime, business_days: int
) -> datetime:
    shown = wall_clock(zone, start)
    days = (day for day in days_lived(zone, start) if day.weekday() in workdays and day not in holidays)
    counted = [next(days) for _ in range(business_days + 1)]
    time_of_day = shown.time() if counted[0] == shown.date() else time(0, 0)
    return instant_of(zone, datetime.combine(counted[-1], time_of_day))


def days_lived(zone: ZoneInfo, start: datetime) -> Iterator[date]:
    """The days the clock shows from `start` on, looked at four times a day."""
    last, instant = date.min, start
    while True:
        day = wall_clock(zone, instant).date()
        if day > last:
            last = day
            yield day
        instant += timedelta(hours=6)


def instant_of(zone: ZoneInfo, wall: datetime) -> datetime:
    """The first instant at which the clock shows `wall`; if it never does, `wall` moved by what the clock skipped."""
    probe = first_probe_not_before(zone, wall)
    if wall_clock(zone, probe) == wall:
        return probe
    before, after = probe - PROBE, probe
    while after - before > timedelta(microseconds=1):
        middle = before + (after - before) // 2
        before, after = (middle, after) if wall_clock(zone, middle) < wall else (before, middle)
    skipped = wall_clock(zone, after) - wall_clock(zone, before) - (after - before)
    return instant_of(zone, wall + skipped)


def is_shown(zone: ZoneInfo, wall: datetime) -> bool:
    return wall_clock(zone, first_probe_not_before(zone, wall)) == wall


def is_shown_twice(zone: ZoneInfo, instant: datetime) -> bool:
    """Whether the clock shows the same within three hours before or after `instant`."""
    wall = wall_clock(zone, instant)
    return any(wall_clock(zone, instant + n * PROBE) == wall for n in range(-12, 13) if n)


def first_probe_not_before(zone: ZoneInfo, wall: datetime) -> datetime:
    probe = wall.replace(tzinfo=UTC) - FURTHEST_AHEAD
    while wall_clock(zone, probe) < wall:
        probe += PROBE
    return probe


@cache
def clock_changes(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants from 1990 to 2060 at which the clock jumped, to the second."""
    changes = []
    before = datetime(1990, 1, 1, tzinfo=UTC)
    ahead = _ahead(zone, before)
    while before.year <= 2060:
        after = before + timedelta(days=10)
        if ahead != (ahead := _ahead(zone, after)):
            changes.append(_narrow(zone, before, after))
        before = after
    return tuple(changes)


def _ahead(zone: ZoneInfo, instant: datetime) -> timedelta:
    return wall_clock(zone, instant) - instant.replace(tzinfo=None)


def _narrow(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    ahead = _ahead(zone, before)
    while after - before > SECOND:
        middle = (before + (after - before) // 2).replace(microsecond=0)
        before, after = (middle, after) if _ahead(zone, middle) == ahead else (before, middle)
    return after
