"""What charts draw, worked out before the template draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from babel import dates

from services.api.overview.schemas import DayOut
from services.api.portal.dates import Reader

COLUMNS_MOST: Final = 31
"""Beyond, columns stand for weeks."""
_WEEK: Final = 7
_HEAT_STEPS: Final = 4
_DAY_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A place on the axis of time: a day, or a week.

    Args:
        first: its first day.
        last: its last.
        opened: cases.
        solved: cases.
    """

    first: date
    last: date
    opened: int
    solved: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Cases that were opened and solved, along the time.

    Args:
        columns: the earliest first.
        top: the value at the upper end of the axis, at least 1.
    """

    columns: Sequence[Column]
    top: int

    @property
    def by_week(self) -> bool:
        """Whether a column is a week."""
        return self.columns[0].first != self.columns[0].last


def flow_of(days: Sequence[DayOut]) -> Flow:
    """The chart of a period; the first week of a long one may be shorter."""
    width = 1 if len(days) <= COLUMNS_MOST else _WEEK
    columns = [
        Column(part[0].day, part[-1].day, sum(day.opened for day in part), sum(day.solved for day in part))
        for part in _parts(days, width)
    ]
    return Flow(columns, max(1, *(value for column in columns for value in (column.opened, column.solved))))


def _parts(days: Sequence[DayOut], width: int) -> Iterator[Sequence[DayOut]]:
    first = len(days) % width
    if first:
        yield days[:first]
    for start in range(first, len(days), width):
        yield days[start : start + width]


def heat(value: int, most: int) -> int:
    """How strongly a cell is tinted: 0 for none, up to ``_HEAT_STEPS``."""
    return -(-value * _HEAT_STEPS // most) if value else 0


def share(value: float, whole: float) -> str:
    """A part as SVG takes it: ``37.5%``."""
    return f"{100 * value / whole:.4g}%" if whole else "0%"


def on_day(reader: Reader, day: date) -> str:
    """A day of the desk, which is the same one wherever its reader is: ``3 Dec``."""
    return dates.format_skeleton("MMMd", datetime.combine(day, time(), UTC), tzinfo=UTC, locale=reader.locale)


def took(reader: Reader, hours: float | None) -> str:
    """A time in business hours, short: ``35 min``, ``4.2 h``, ``2.5 days``."""
    if hours is None:
        return "—"
    if hours < 1:
        return f"{reader.number(round(hours * 60))} min"
    if hours < _DAY_HOURS:
        return f"{reader.number(round(hours, 1))} h"
    days = round(hours / _DAY_HOURS, 1)
    return f"{reader.number(days)} {'day' if days == 1 else 'days'}"
