"""``casebound demo``: a desk with as many cases as one wants to see at work."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

import asyncpg
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import select, update

from services.local.crowd.people import LEAD, NAME, desk_file
from services.local.crowd.writing import Crowd, write
from services.local.demo import DEMO_PASSWORD, set_passwords
from services.local.errors import StackError
from services.search.reindex_command import run as reindex
from shared.db.cases import POLICIES
from shared.db.engine import Database
from shared.db.models import Desk, DeskCounter
from shared.desks import apply
from shared.desks.schema import DeskFile
from shared.settings import Settings


def run(settings: Settings, cases: int, seed: int, desk: str) -> str:
    """Generate cases on a desk of their own, beside those it has, and index everything.

    Args:
        settings: of the running stack, in development.
        cases: how many.
        seed: the same one makes the same cases at the same numbers, dated back from now.
        desk: slug of a desk that does not exist yet or was made by this command.

    Returns:
        What was done, in words.

    Raises:
        StackError: not in development, or the desk is somebody's.
        ReindexError: the cases are there, but were not indexed.
    """
    if not settings.development:
        raise StackError("generated cases are for development alone; set CASEBOUND_DEVELOPMENT=true if this is")
    crowd = asyncio.run(_prepare(settings, cases, seed, desk))
    with _bar() as bar:
        task = bar.add_task(f"desk {desk}", total=cases)
        for written in write(crowd, os.cpu_count() or 1):
            bar.advance(task, written)
    asyncio.run(_tidy(settings))
    reindex(settings, None)
    last = crowd.first + cases - 1
    return f"desk {desk} has {cases:,} more cases, {crowd.first} to {last}; log in as {LEAD} with {DEMO_PASSWORD}"


async def _prepare(settings: Settings, cases: int, seed: int, desk: str) -> Crowd:
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            name = await session.scalar(select(Desk.name).where(Desk.slug == desk))
        if name not in {None, NAME}:
            raise StackError(f"desk {desk} was not made by this command and stays as it is; name another with --desk")
        await apply(database, _desk_file(desk))
        await set_passwords(database, {LEAD})
        async with database.write() as session:
            found = (await session.execute(select(Desk).where(Desk.slug == desk))).scalar_one()
            counted = update(DeskCounter).where(DeskCounter.desk_id == found.id)
            counted = counted.values(last_number=DeskCounter.last_number + cases)
            last = (await session.execute(counted.returning(DeskCounter.last_number))).scalar_one()
        return Crowd(
            url=settings.database_url,
            desk=desk,
            desk_id=found.id,
            policy=POLICIES.validate_python(found.policy),
            policy_version=found.policy_version,
            seed=seed,
            first=last - cases + 1,
            cases=cases,
            now=datetime.now(UTC).replace(microsecond=0),
        )
    finally:
        await database.close()


def _desk_file(desk: str) -> DeskFile:
    try:
        return desk_file(desk)
    except ValidationError as error:
        raise StackError(f"--desk «{desk[:50]}»: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


async def _tidy(settings: Settings) -> None:
    """Let Postgres do now what it would do by itself while people read; as the owner of the tables."""
    connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        await connection.execute('VACUUM ANALYZE "case", case_event')
    finally:
        await connection.close()


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cases"), TimeRemainingColumn()
    )
