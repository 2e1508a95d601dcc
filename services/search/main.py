"""The search service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final
from uuid import UUID

import nats.errors
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from services.search.feed import Feed
from services.search.index import CaseDocument, IndexBrokenError
from services.search.index_directory import IndexDirectory
from services.search.indexer import Indexer
from services.search.live_index import LiveIndex
from services.search.service import Reindexing, serving
from services.search.source import read_cases
from shared import telemetry
from shared.db.engine import Database
from shared.messaging import Bus, connect, ensure_topology
from shared.processes import set_by_signal, stop_if_cancelled
from shared.settings import Settings
from shared.telemetry.instrument import instrument_engine

_CHECK_SECONDS: Final = 60.0
_CHECK_AGAIN_SECONDS: Final = 1.0
_REPAIR_PAUSES: Final = (1.0, 5.0, 30.0)
_FLUSH_SECONDS: Final = 5.0

_log = telemetry.get_logger(__name__)


def run(settings: Settings) -> None:
    """Index cases and answer searches until SIGTERM or SIGINT.

    Raises:
        BusUnavailableError: NATS did not answer within 30 seconds of the start.
        IndexDirectoryInUseError: another search service uses the index directory.
    """
    active = telemetry.setup("search", settings)
    try:
        uvloop.run(_until_signal(settings))
    finally:
        active.shutdown()


async def _until_signal(settings: Settings) -> None:
    await serve(settings, set_by_signal())


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run the service until ``stop`` is set.

    Raises:
        BusUnavailableError: NATS did not answer within 30 seconds of the start.
        IndexDirectoryInUseError: another search service uses the index directory.
    """
    database = Database(settings.database_url, pool_size=4)
    instrument_engine(database.readers)
    instrument_engine(database.writers)
    directory = await asyncio.to_thread(IndexDirectory, settings.index_dir)
    live = LiveIndex(directory, partial(_read, database))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        stack.push_async_callback(live.close)

        async def ready() -> bool | str:
            return live.ready.is_set() or "the index is being built from Postgres"

        await stack.enter_async_context(telemetry.serve_health(settings.metrics_port, ready))
        bus = await connect(settings, "search")
        stack.push_async_callback(bus.close)
        await ensure_topology(bus)
        working = asyncio.create_task(_work(bus, directory, live, database))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def _read(database: Database, ids: Collection[UUID]) -> list[CaseDocument]:
    return await read_cases(database, ids)


async def _work(bus: Bus, directory: IndexDirectory, live: LiveIndex, database: Database) -> None:
    feed = Feed(bus, directory)
    if not (live.ready.is_set() and await feed.is_complete()):
        await feed.renew()
        live.broken.set()
    reindexing = Reindexing(feed.node_id, live, database)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep_sound(live, reindexing))
        tasks.create_task(_keep_fed(bus, feed, live))
        tasks.create_task(_index(bus, feed, live))
        tasks.create_task(_answer(bus, live, reindexing))


async def _keep_sound(live: LiveIndex, reindexing: Reindexing) -> None:
    """Build the index anew whenever it turns out to be missing, damaged or incomplete."""
    failures = 0
    while True:
        await live.broken.wait()
        try:
            await reindexing.anew()
        except (OSError, SQLAlchemyError, IndexBrokenError):
            pause = _REPAIR_PAUSES[min(failures, len(_REPAIR_PAUSES) - 1)]
            failures += 1
            _log.exception("the index can't be built, trying again", seconds=pause)
            await asyncio.sleep(pause)
        else:
            failures = 0
            _log.info("index is ready")


async def _keep_fed(bus: Bus, feed: Feed, live: LiveIndex) -> None:
    """Notice when NATS has lost our consumer, and with it perhaps events: at each reconnection, and now and then."""
    reconnected = asyncio.Event()
    bus.on_reconnect.add(reconnected.set)
    pause = _CHECK_SECONDS
    try:
        while True:
            stop_if_cancelled()
            reconnected.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await reconnected.wait()
            pause = _CHECK_SECONDS
            try:
                if await feed.was_replaced():
                    _log.warning("events may have been missed, building the index anew")
                    live.broken.set()
            except (nats.errors.Error, OSError):
                pause = _CHECK_AGAIN_SECONDS
    finally:
        bus.on_reconnect.discard(reconnected.set)


async def _index(bus: Bus, feed: Feed, live: LiveIndex) -> None:
    await live.ready.wait()
    indexer = Indexer(live)
    working = asyncio.create_task(indexer.run())
    try:
        await indexer.follow(bus, feed.durable)
    finally:
        working.cancel()
        await asyncio.wait((working,))
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await indexer.flush()


async def _answer(bus: Bus, live: LiveIndex, reindexing: Reindexing) -> None:
    """Answer once there is an index: until then callers hear at once that nobody answers, and read from Postgres."""
    await live.ready.wait()
    async with serving(bus.nc, live, reindexing):
        _log.info("answering searches")
        await asyncio.Event().wait()
