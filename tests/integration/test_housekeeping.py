"""Housekeeping on a real Postgres: what nobody asks for any more goes, everything else stays."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from sqlalchemy import func, select

from services.workflows import housekeeping
from services.workflows.housekeeping import Chore, ended_sessions, keep_house, old_idempotency_keys, one_round
from shared.db.engine import Database
from shared.db.models import Base, Desk, IdempotencyKey, LoginSession, Person
from shared.desks import apply, parse_desk_file
from shared.settings import Settings


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: Settings) -> AsyncIterator[Database]:
    database = Database(postgres.database_url, pool_size=4)
    yield database
    await database.close()


async def desk_id(database: Database) -> int:
    slug = f"desk-{uuid.uuid4().hex[:12]}"
    await apply(database, parse_desk_file("desk.yaml", f"desk: {slug}\nname: House\nkey: HSE\n".encode()))
    async with database.read() as session:
        return (await session.scalars(select(Desk.id).where(Desk.slug == slug))).one()


async def add(database: Database, *rows: Base) -> None:
    async with database.write() as session:
        session.add_all(rows)


def a_key(desk: int, key: str, age: timedelta) -> IdempotencyKey:
    created = datetime.now(UTC) - age
    return IdempotencyKey(
        desk_id=desk, actor="bob", key=key, request_hash=b"", command_id=uuid.uuid4().hex, created_at=created
    )


async def keys(database: Database, desk: int) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(IdempotencyKey.key).where(IdempotencyKey.desk_id == desk)))


async def test_idempotency_keys_are_kept_for_seven_days(database: Database) -> None:
    desk = await desk_id(database)
    ages = {"new": timedelta(), "inside": timedelta(days=7, minutes=-1), "outside": timedelta(days=7, minutes=1)}
    await add(database, *(a_key(desk, key, age) for key, age in ages.items()))
    await old_idempotency_keys(database)
    assert await keys(database, desk) == {"new", "inside"}
    await old_idempotency_keys(database, kept=timedelta(hours=1))
    assert await keys(database, desk) == {"new"}


async def test_more_rows_than_go_at_once(database: Database) -> None:
    desk = await desk_id(database)
    count = 2 * housekeeping.ROWS_AT_ONCE + 1
    await add(database, *(a_key(desk, f"old-{number}", timedelta(days=30)) for number in range(count)))
    assert await old_idempotency_keys(database) == count
    assert await keys(database, desk) == set()


async def test_ended_sessions_go(database: Database) -> None:
    person = Person(email=f"{uuid.uuid4().hex}@house.example", name="Bob")
    await add(database, person)
    now = datetime.now(UTC)
    for name, end in ((b"ended", now - timedelta(seconds=1)), (b"running", now + timedelta(minutes=1))):
        await add(database, LoginSession(token_hash=name, person_id=person.id, csrf_token="", expires_at=end))
    assert await ended_sessions(database) == 1
    async with database.read() as session:
        left = list(await session.scalars(select(LoginSession.token_hash).where(LoginSession.person_id == person.id)))
    assert left == [b"running"]


async def test_one_process_keeps_house_at_a_time(database: Database) -> None:
    begun, leave = asyncio.Event(), asyncio.Event()

    async def slow(_database: Database) -> int:
        begun.set()
        await leave.wait()
        return 0

    first = asyncio.create_task(one_round(database, [Chore(name="slow", do=slow)]))
    await begun.wait()
    assert not await one_round(database, [])
    leave.set()
    assert await first
    assert await one_round(database, [])


async def test_a_chore_that_fails_leaves_the_others_alone_and_is_tried_again(database: Database) -> None:
    tries, desk = 0, await desk_id(database)
    await add(database, a_key(desk, "old", timedelta(days=8)))

    async def failing(database: Database) -> int:
        nonlocal tries
        tries += 1
        async with database.transaction() as connection:
            return int((await connection.execute(select(func.no_such_function()))).scalar_one())

    chores = [Chore(name="failing", do=failing), Chore(name="keys", do=old_idempotency_keys)]
    keeping = asyncio.create_task(keep_house(database, chores, every=timedelta(milliseconds=10)))
    try:
        async with asyncio.timeout(20):
            while tries < 2 or await keys(database, desk):
                await asyncio.sleep(0.01)
    finally:
        keeping.cancel()
