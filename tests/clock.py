"""The clock of one case, moved as an operator would."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.local.clock import fast_forward
from tests.stack import Stack

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)


class Clock:
    """Where a case's clock stands, and moving it.

    Args:
        stack: that runs the case.
        desk: slug.
        number: of the case.
    """

    def __init__(self, stack: Stack, desk: str, number: int) -> None:
        self._settings = stack.settings
        self._desk, self._number = desk, number
        self._moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._moved

    async def move_to(self, moment: datetime) -> None:
        """Move to a moment that is at least a second away, to the second before it if it lies between two.

        What fell due on the way is done then: at its time or after it, for a timer counts from when the command that
        set it was done, and before what the clock shows.
        """
        seconds = int((moment - self.now()).total_seconds())
        await asyncio.to_thread(fast_forward, self._settings, self._desk, self._number, f"{seconds}s")
        self._moved += timedelta(seconds=seconds)


def next_weekday(after: datetime, weekday: int, hour: int, zone: ZoneInfo, minute: int = 0) -> datetime:
    """That weekday at that local time, one to seven days after the day of ``after``."""
    local = after.astimezone(zone)
    day = local.date() + timedelta(days=(weekday - local.weekday()) % 7 or 7)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def moment(text: str | None) -> datetime:
    """A time as the API writes it."""
    assert text is not None
    return datetime.fromisoformat(text)
