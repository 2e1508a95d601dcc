"""Housekeeping: rows that nobody asks for any more are removed, and other chores done, by one process at a time.

What a chore removes must be past every use, for it may happen at any moment or, with no worker running, much later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from sqlalchemy import ColumnElement, delete, func, inspect, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from shared.db.engine import Database
from shared.db.models import Base, IdempotencyKey, LoginSession
from shared.telemetry import get_logger

EVERY = timedelta(hours=1)
IDEMPOTENCY_KEYS_KEPT = timedelta(days=7)
"""How long a request that is repeated with its ``Idempotency-Key`` is known (docs/api.md)."""
ROWS_AT_ONCE = 5_000
"""Rows removed in one transaction, so that a chore that has much to do locks little."""
HOUSEKEEPING_LOCK = 0x_CA5E_0003

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """Something to be done again and again.

    Args:
        name: of what it sees to, for the log.
        do: removes it, or sees to it, and returns how many; it has its own transactions, and may be cut off between
            them.
    """

    name: str
    do: Callable[[Database], Awaitable[int]]


async def old_idempotency_keys(database: Database, kept: timedelta = IDEMPOTENCY_KEYS_KEPT) -> int:
    """Keys of requests that nobody repeats any more. From then on the same key is a new request.

    Args:
        database: where they are.
        kept: their age.
    """
    return await remove_rows(database, IdempotencyKey, IdempotencyKey.created_at < func.now() - kept)


async def ended_sessions(database: Database) -> int:
    """Sessions of browsers that have to log in again."""
    return await remove_rows(database, LoginSession, LoginSession.expires_at < func.now())


async def remove_rows(database: Database, table: type[Base], condition: ColumnElement[bool]) -> int:
    """Delete the rows that meet a condition, some at a time.

    Returns:
        How many there were.
    """
    key = inspect(table).primary_key
    some = delete(table).where(tuple_(*key).in_(select(*key).where(condition).limit(ROWS_AT_ONCE)))
    removed = 0
    while True:
        async with database.transaction() as connection:
            rows = (await connection.execute(some)).rowcount
        removed += rows
        if rows < ROWS_AT_ONCE:
            return removed


CHORES: Sequence[Chore] = (
    Chore(name="idempotency keys", do=old_idempotency_keys),
    Chore(name="login sessions", do=ended_sessions),
)


async def keep_house(database: Database, chores: Sequence[Chore] = CHORES, every: timedelta = EVERY) -> None:
    """Do all chores at once and then again and again, until cancelled.

    Args:
        database: where rows are removed.
        chores: what to do.
        every: the pause between two rounds.
    """
    while True:
        try:
            await one_round(database, chores)
        except (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("housekeeping could not reach Postgres; it will try again", error=str(error))
        await asyncio.sleep(every.total_seconds())


async def one_round(database: Database, chores: Sequence[Chore] = CHORES) -> bool:
    """Do every chore once; one that fails leaves the others alone.

    Returns:
        False if another process is at it.
    """
    async with database.transaction() as lock:
        if not await lock.scalar(select(func.pg_try_advisory_xact_lock(HOUSEKEEPING_LOCK))):
            return False
        for chore in chores:
            try:
                done = await chore.do(database)
            except Exception:
                _log.exception("a chore failed; the next round tries again", chore=chore.name)
            else:
                _log.info("housekeeping", chore=chore.name, done=done)
    return True
