"""Connections to Postgres: reading and writing are different doors, and a write commits once, at its edge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from shared.db.roles import Role

IDLE_SECONDS = 1.0
"""A connection unused for longer is asked whether it lives before it is used; to ask each time would cost as much as
many a query."""
_PATIENCE_SECONDS = 10
READ_ONLY = {"default_transaction_read_only": "on"}
"""For reading, where nothing is rolled back at the end: a statement that writes fails instead of being kept."""


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def driver_url(url: str) -> str:
    """The URL for SQLAlchemy's asyncpg driver, from any usual way to write a Postgres URL."""
    scheme, rest = url.split("://", 1)
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError(f"CASEBOUND_DATABASE_URL starts with {scheme}://; it must start with postgresql://")
    return f"postgresql+asyncpg://{rest}"


Reader = AsyncConnection | AsyncSession
"""What statements that read columns can be executed on."""


class Database:
    """Two pools of connections: one for reading, without transactions, one for writing.

    Args:
        url: ``postgresql://user:password@host:port/name``.
        role: whose rights every connection has.
        pool_size: connections at most in each pool; whoever comes when all are busy waits in line, for ten seconds
            at most, and then gets a ``TimeoutError``.
    """

    def __init__(self, url: str, *, role: Role = Role.SERVICE, pool_size: int = 10) -> None:
        settings = role.settings | READ_ONLY
        self._pool_size = pool_size
        self.readers = _engine(url, pool_size, settings, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
        self.writers = _engine(url, pool_size, role.settings)
        self._at_once = self.writers.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = async_sessionmaker(self.readers, expire_on_commit=False, autoflush=False)
        self._writing = async_sessionmaker(self.writers, expire_on_commit=False, autoflush=False)
        # SQLAlchemy's pool serves whoever comes just when a connection is given back before those who wait for one,
        # and sends these to the end of the line: of a hundred callers some would never have their turn.
        self._readers_line = asyncio.Semaphore(pool_size)
        self._writers_line = asyncio.Semaphore(pool_size)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: each statement stands on its own, and one that writes is refused."""
        async with self._turn_to_read(), self._reading() as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """As ``read``, for statements on columns alone: a session's bookkeeping costs more than they do."""
        async with self._turn_to_read(), self.readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together when the block ends, or not at all if it raises."""
        async with self._turn_to_write(), self._writing.begin() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """As ``write``, for statements on tables alone: a session's bookkeeping costs more than they do."""
        async with self._turn_to_write(), self.writers.begin() as connection:
            yield connection

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """For a change that is one statement, and so needs no transaction around it."""
        async with self._turn_to_write(), self._at_once.connect() as connection:
            yield connection

    def _turn_to_read(self) -> AbstractAsyncContextManager[None]:
        return _turn(self._readers_line)

    def _turn_to_write(self) -> AbstractAsyncContextManager[None]:
        return _turn(self._writers_line)

    async def close(self) -> None:
        """Give all connections back, as soon as nobody uses them.

        Whoever still does, in the background of a request that has ended, would give theirs back to nobody: it would
        stay open for ever.
        """
        for engine, line in ((self.readers, self._readers_line), (self.writers, self._writers_line)):
            with suppress(TimeoutError):
                async with AsyncExitStack() as turns:
                    for _ in range(self._pool_size):
                        await turns.enter_async_context(_turn(line))
            await engine.dispose()


@asynccontextmanager
async def _turn(line: asyncio.Semaphore) -> AsyncIterator[None]:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await line.acquire()
    try:
        yield
    finally:
        line.release()


def _engine(url: str, pool_size: int, server_settings: dict[str, str], **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_PATIENCE_SECONDS,
        pool_use_lifo=True,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        connect_args={"timeout": 5, "command_timeout": 30, "server_settings": server_settings},
        **options,
    )
    _ask_idle_connections(engine)
    return engine


def _ask_idle_connections(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "checkin")
    def _note_time(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error
