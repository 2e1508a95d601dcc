"""The days that the list's filter `due` means: the desk's, whatever its time zone and its clocks do."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from services.api.cases.due import Due, span_of
from shared.contracts.search import Span


@pytest.mark.parametrize(
    ("due", "now", "timezone", "expected"),
    [
        ("today", "2026-11-20T15:00Z", "UTC", ("2026-11-20T00:00Z", "2026-11-21T00:00Z")),
        ("tomorrow", "2026-11-20T15:00Z", "UTC", ("2026-11-21T00:00Z", "2026-11-22T00:00Z")),
        ("week", "2026-11-20T15:00Z", "UTC", ("2026-11-20T00:00Z", "2026-11-27T00:00Z")),
        ("today", "2026-11-20T15:00Z", "Pacific/Kiritimati", ("2026-11-20T10:00Z", "2026-11-21T10:00Z")),
        ("today", "2026-11-20T03:00Z", "America/New_York", ("2026-11-19T05:00Z", "2026-11-20T05:00Z")),
        # The clocks go forward in London on 29 March 2026, and back on 25 October.
        ("today", "2026-03-29T12:00Z", "Europe/London", ("2026-03-29T00:00Z", "2026-03-29T23:00Z")),
        ("week", "2026-10-24T12:00Z", "Europe/London", ("2026-10-23T23:00Z", "2026-10-31T00:00Z")),
    ],
)
def test_days_are_the_desks(due: Due, now: str, timezone: str, expected: tuple[str, str]) -> None:
    found = span_of(due, datetime.fromisoformat(now), timezone)
    assert (found.start, found.end) == tuple(map(datetime.fromisoformat, expected))


def test_what_is_overdue_has_ended_by_now() -> None:
    now = datetime.fromisoformat("2026-11-20T15:00Z")
    assert span_of("overdue", now, "Asia/Tokyo") == Span(end=now)


def test_a_day_ends_where_the_next_begins() -> None:
    now = datetime.fromisoformat("2026-11-20T15:00Z")
    days: list[Due] = ["today", "tomorrow"]
    for first, second in pairwise(span_of(day, now, "Europe/London") for day in days):
        assert first.end == second.start
    week = span_of("week", now, "Europe/London")
    assert week.start is not None
    assert week.end - week.start == timedelta(days=7)
