"""Connections are all given back when a service stops."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from shared.db.viewed import ViewedDatabase
from shared.settings import Settings
from tests.waiting import until


@pytest.mark.parametrize("kind", [Database, ViewedDatabase])
@pytest.mark.parametrize("use", ["reading", "transaction", "statement"])
async def test_closing_waits_for_whoever_is_not_ready_yet(postgres: Settings, kind: type[Database], use: str) -> None:
    """As what tidies up after a request that was cut off: given back later, a connection would stay open for ever."""
    database = kind(postgres.database_url, pool_size=2)

    async def tidy_up() -> None:
        async with getattr(database, use)() as connection:
            await connection.execute(text("SELECT pg_sleep(0.5)"))

    async def is_asked() -> bool:
        return bool(database.readers.pool.checkedout() + database.writers.pool.checkedout())  # type: ignore[attr-defined]

    tidying = asyncio.create_task(tidy_up())
    await until(is_asked)
    await database.close()
    assert tidying.done()
    await tidying
