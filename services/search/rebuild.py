"""Building the index anew from Postgres, while the old one answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from pydantic import BaseModel

from services.search.live_index import LiveIndex
from services.search.source import case_ids, count_cases
from shared.db.engine import Database

_BATCH: Final = 500
_AT_ONCE: Final = 2
"""While the one is written the other is read."""


class ReindexRequest(BaseModel):
    """Asks every search node to index its cases again.

    Args:
        desk: slug; only that desk's cases, in the index as it is. None: all cases, into a new index.
    """

    desk: str | None = None


class ReindexProgress(BaseModel):
    """How far a search node has come.

    Args:
        node: names the node's copy of the index.
        done: cases indexed so far, of ``total``.
        error: why it failed.
    """

    node: str
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    error: str | None = None


Progress = Callable[[int, int], Awaitable[None]]
"""Told how many cases are done, and of how many."""


async def rebuild(live: LiveIndex, database: Database, progress: Progress) -> None:
    """Build a new index over all cases and let it answer; what changes meanwhile goes into both.

    Args:
        live: the index; may be one that can't answer.
        database: to read from.
        progress: told after every batch.

    Raises:
        IndexBrokenError: the new index can't be written; the old one goes on.
        OSError, SQLAlchemyError: Postgres is away; the old index goes on.
    """
    await live.begin()
    try:
        await _all_cases(live.fill, database, None, progress)
        await live.exchange()
    except BaseException:
        await live.give_up()
        raise


async def refresh_desk(live: LiveIndex, database: Database, desk: str, progress: Progress) -> None:
    """Index all cases of a desk again, in the index that answers.

    Raises:
        IndexBrokenError: the index can't be written.
        OSError, SQLAlchemyError: Postgres is away.
    """
    await _all_cases(live.refresh, database, desk, progress)


async def _all_cases(
    index: Callable[..., Awaitable[object]], database: Database, desk: str | None, progress: Progress
) -> None:
    total = await count_cases(database, desk)
    done = 0
    await progress(done, total)
    under_way: deque[tuple[int, asyncio.Task[object]]] = deque()

    async def finish_first() -> None:
        nonlocal done
        count, first = under_way[0]
        await first
        under_way.popleft()
        done += count
        await progress(done, max(done, total))

    try:
        async for ids in case_ids(database, desk=desk, batch=_BATCH):
            under_way.append((len(ids), asyncio.ensure_future(index(ids))))
            if len(under_way) == _AT_ONCE:
                await finish_first()
        while under_way:
            await finish_first()
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
