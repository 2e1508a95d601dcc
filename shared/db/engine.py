"""Connections to Postgres: reading and writing are different doors, and a write commits once, at its edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

_PATIENCE_SECONDS = 10


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def driver_url(url: str) -> str:
    """The URL for SQLAlchemy's asyncpg driver, from any usual way to write a Postgres URL."""
    scheme, rest = url.split("://", 1)
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError(f"CASEBOUND_DATABASE_URL starts with {scheme}://; it must start with postgresql://")
    return f"postgresql+asyncpg://{rest}"


class Database:
    """A pool of connections. Who comes when all are in use waits in line, at most ten seconds.

    Args:
        url: ``postgresql://user:password@host:port/name``.
        pool_size: connections at most.
        tested: ask a connection whether it lives before each use, so that a restarted server is noticed by nobody; for
            callers that retry anyway the question is a waste.
    """

    def __init__(self, url: str, *, pool_size: int = 20, tested: bool = True) -> None:
        self.engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_PATIENCE_SECONDS,
            pool_pre_ping=tested,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            connect_args={"timeout": 5, "command_timeout": 30},
        )
        # The pool serves whoever comes just when a connection is given back before those who have waited for it:
        # of a hundred callers some would never have their turn.
        self._turns = asyncio.Semaphore(pool_size)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; whatever it might have changed is rolled back.

        Raises:
            TimeoutError: all connections were in use for too long.
        """
        async with self._turn(), self._sessions() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together when the block ends, or not at all if it raises.

        Raises:
            TimeoutError: all connections were in use for too long.
        """
        async with self._turn(), self._sessions.begin() as session:
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """As ``write``, for statements on tables alone: a session's bookkeeping costs more than they do."""
        async with self.engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()
