"""When windows end, as people ask for it: by the days of the desk."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from shared.contracts.search import Span

Due = Literal["overdue", "today", "tomorrow", "week"]


def span_of(due: Due, now: datetime, timezone: str) -> Span:
    """The stretch of time that is meant.

    Args:
        due: the word for it.
        now: aware.
        timezone: the desk's, in which days begin and end.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()

    def midnight(days: int) -> datetime:
        return datetime.combine(today + timedelta(days=days), time(), zone)

    match due:
        case "overdue":
            return Span(end=now)
        case "today":
            return Span(start=midnight(0), end=midnight(1))
        case "tomorrow":
            return Span(start=midnight(1), end=midnight(2))
        case "week":
            return Span(start=midnight(0), end=midnight(7))
