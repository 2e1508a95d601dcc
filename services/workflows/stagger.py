"""Windows that end together are seen to one after the other.

A window that starts at a weekend ends at midnight, and so do all others of that weekend (desk-rules Windows). Ten
thousand workflows that wake in one moment would stand in line before every command for minutes. So each of them waits a
little longer than the one before it. Nobody is told anything wrong meanwhile: whoever asks such a case finds its window
ended.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.models import WINDOW_ENDS, WINDOW_RUNS, Case

AT_ONCE: Final = 100
"""So many in a minute are no crowd: they are worked off in seconds."""
_MINUTE: Final = "%Y-%m-%dT%H:%M"
"""What times in a case's state begin with, which are in UTC."""
_OTHERS: Final = (
    select(func.count())
    .select_from(Case)
    .where(WINDOW_RUNS, text(f"{WINDOW_ENDS} >= :minute AND {WINDOW_ENDS} < :next"))
)


async def seconds_to_wait(connection: AsyncConnection, end: datetime, per_second: float) -> float:
    """How long after the end of a window its case is to be seen to.

    Args:
        connection: to the record, which does not know of this window yet.
        end: of the window; aware.
        per_second: cases that are seen to in a second.
    """
    minute = end.astimezone(UTC).replace(second=0, microsecond=0)
    following = minute + timedelta(minutes=1)
    these = {"minute": minute.strftime(_MINUTE), "next": following.strftime(_MINUTE)}
    return waiting_behind(await connection.scalar(_OTHERS, these) or 0, per_second)


def waiting_behind(others: int, per_second: float) -> float:
    """Seconds that a case waits, so many others ending in the same minute."""
    return max(0, others - AT_ONCE) / per_second
