"""What the search service answers over NATS: queries, and requests to index again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.search.index import IndexBrokenError, QueryError
from services.search.live_index import IndexNotReadyError, LiveIndex
from services.search.rebuild import ReindexProgress, ReindexRequest, rebuild, refresh_desk
from services.search.source import desk_exists
from shared.contracts.search import NumbersPart, SearchAnswer, SearchQuery
from shared.contracts.subjects import SEARCH_NUMBERS, SEARCH_QUERY, SEARCH_QUEUE, SEARCH_REINDEX
from shared.db.engine import Database
from shared.telemetry import SpanKind, extract, get_logger, span

AFTER_SECONDS: Final = 2.0
"""How long a query waits for the event that its caller wants to see."""

_NUMBERS_IN_MESSAGE: Final = 10_000
"""Some 70 KB, far below what NATS takes in one message."""
_UNANSWERABLE: Final = (ValidationError, QueryError, IndexBrokenError, IndexNotReadyError)

_log = get_logger(__name__)


async def answer(live: LiveIndex, data: bytes) -> SearchAnswer:
    """Answer a query as it came over the wire. Never raises: what is wrong with it stands in ``error``."""
    try:
        query = SearchQuery.model_validate_json(data)
        stale = await _is_behind(live, query)
        found = await live.query(query)
    except _UNANSWERABLE as error:
        return SearchAnswer(error=_in_words(error))
    return found.model_copy(update={"stale": stale})


async def numbers(live: LiveIndex, data: bytes) -> AsyncIterator[NumbersPart]:
    """All that a query finds, in parts that fit into messages. Never raises: the last part says what went wrong."""
    try:
        query = SearchQuery.model_validate_json(data)
        stale = await _is_behind(live, query)
        async for part in live.numbers(query):
            for start in range(0, max(1, len(part.numbers)), _NUMBERS_IN_MESSAGE):
                piece = part.numbers[start : start + _NUMBERS_IN_MESSAGE]
                yield NumbersPart(start=part.start + start, numbers=piece, total=part.total, stale=stale)
    except _UNANSWERABLE as error:
        yield NumbersPart(error=_in_words(error))


async def _is_behind(live: LiveIndex, query: SearchQuery) -> bool:
    return query.after is not None and not await live.wait_for(query.after.case_id, query.after.seq, AFTER_SECONDS)


def _in_words(error: Exception) -> str:
    match error:
        case ValidationError():
            return f"not a search query: {_where(error)}"
        case QueryError():
            return str(error)
        case _:
            _log.warning("query not answered", error=str(error))
            return "the index is being built anew; list cases from Postgres meanwhile"


class Reindexing:
    """Rebuilds this node's index, one rebuild at a time.

    Args:
        node: names this node's copy.
        live: the index.
        database: to read cases from.
    """

    def __init__(self, node: str, live: LiveIndex, database: Database) -> None:
        self._node = node
        self._live = live
        self._database = database
        self._running = asyncio.Lock()

    async def anew(self) -> None:
        """Build the whole index anew, after any rebuild that is running.

        Raises:
            IndexBrokenError: the new index can't be written.
            OSError, SQLAlchemyError: Postgres is away.
        """

        async def progress(done: int, total: int) -> None:
            if done % 10_000 == 0 or done == total:
                _log.info("building the index", done=done, total=total)

        async with self._running:
            await rebuild(self._live, self._database, progress)

    async def on_request(self, data: bytes, tell: Callable[[ReindexProgress], Awaitable[None]]) -> None:
        """Do what a request asks for, and tell how it goes; ends with ``done`` or ``failed``."""
        last = ReindexProgress(node=self._node)

        async def progress(done: int, total: int) -> None:
            nonlocal last
            last = last.model_copy(update={"done": done, "total": total})
            await tell(last)

        try:
            error = await self._work(ReindexRequest.model_validate_json(data or b"{}"), progress)
        except ValidationError as failure:
            error = f"not a request to index again: {_where(failure)}"
        except (OSError, SQLAlchemyError, IndexBrokenError, IndexNotReadyError) as failure:
            _log.exception("reindexing failed")
            error = f"{failure}; the index is as it was"
        await tell(last.model_copy(update={"state": "failed" if error else "done", "error": error}))

    async def _work(self, request: ReindexRequest, progress: Callable[[int, int], Awaitable[None]]) -> str | None:
        if self._running.locked():
            return "the index is already being built; try again when that is done"
        async with self._running:
            if request.desk is None:
                await rebuild(self._live, self._database, progress)
            elif await desk_exists(self._database, request.desk):
                await refresh_desk(self._live, self._database, request.desk, progress)
            else:
                return f"there is no desk {request.desk!r}"
        return None


@asynccontextmanager
async def serving(nc: Client, live: LiveIndex, reindexing: Reindexing) -> AsyncIterator[None]:
    """Answer on NATS as long as the block runs; what has been asked by its end is still answered."""
    tasks: set[asyncio.Task[None]] = set()

    def start(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def on_query(message: Msg) -> None:
        start(_reply(live, message))

    async def on_numbers(message: Msg) -> None:
        start(_reply_numbers(nc, live, message))

    async def on_reindex(message: Msg) -> None:
        start(_reindex(nc, reindexing, message))

    subscriptions = [
        await nc.subscribe(SEARCH_QUERY, queue=SEARCH_QUEUE, cb=on_query),
        await nc.subscribe(SEARCH_NUMBERS, queue=SEARCH_QUEUE, cb=on_numbers),
        # Every node has a copy of its own, so that each is asked.
        await nc.subscribe(SEARCH_REINDEX, cb=on_reindex),
    ]
    await nc.flush()
    try:
        yield
    finally:
        for subscription in subscriptions:
            await subscription.unsubscribe()
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=AFTER_SECONDS + 1)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)


async def _reply(live: LiveIndex, message: Msg) -> None:
    with span("search query", kind=SpanKind.SERVER, parent=extract(message.headers)):
        found = await answer(live, message.data)
    if message.reply:
        await message.respond(found.model_dump_json().encode())


async def _reply_numbers(nc: Client, live: LiveIndex, message: Msg) -> None:
    """Send all parts at once: they are small, and so nothing here waits for a slow reader."""
    with span("search numbers", kind=SpanKind.SERVER, parent=extract(message.headers)):
        async for part in numbers(live, message.data):
            if message.reply:
                await nc.publish(message.reply, part.model_dump_json().encode())


async def _reindex(nc: Client, reindexing: Reindexing, message: Msg) -> None:
    async def tell(progress: ReindexProgress) -> None:
        if message.reply:
            await nc.publish(message.reply, progress.model_dump_json().encode())

    await reindexing.on_request(message.data, tell)


def _where(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'message'}: {first['msg']}"
