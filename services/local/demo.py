"""The demo desks of a fresh stack: one for each profile, and log-ins for their people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import func, select, update

from services.local.errors import StackError
from shared.db.engine import Database
from shared.db.models import Person
from shared.desks import DeskFile, DeskFileError, apply, read_desk_file
from shared.domain.profiles import PROFILES
from shared.settings import Settings

DEMO_DESKS = Path(__file__).with_name("demo")
DEMO_PASSWORD = "casebound-demo"  # noqa: S105 (printed at every start, set in development only)


def apply_demo_desks(settings: Settings) -> list[str]:
    """Create or update the demo desks.

    Args:
        settings: of a migrated stack.

    Returns:
        A line for each demo log-in, to be printed; none outside development, where nobody gets a password.

    Raises:
        StackError: a demo desk's file was edited and can't be applied.
    """
    try:
        desk_files = [read_desk_file(DEMO_DESKS / f"{profile}.yaml") for profile in PROFILES]
    except DeskFileError as error:
        raise StackError(str(error)) from error
    asyncio.run(_apply(settings, desk_files))
    return list(_log_ins(desk_files)) if settings.development else []


async def _apply(settings: Settings, desk_files: Sequence[DeskFile]) -> None:
    database = Database(settings.database_url, pool_size=1)
    try:
        for desk_file in desk_files:
            await apply(database, desk_file)
        if settings.development:
            await set_passwords(database, {email for desk_file in desk_files for email in _people(desk_file)})
    finally:
        await database.close()


async def set_passwords(database: Database, emails: set[str]) -> None:
    """Give people who have none the demo's password. One hash for all: it is made to be slow, and this is no secret."""
    without = (Person.email.in_(emails), Person.password_hash.is_(None))
    async with database.write() as session:
        if await session.scalar(select(func.count()).select_from(Person).where(*without)):
            password_hash = PasswordHasher().hash(DEMO_PASSWORD)
            await session.execute(update(Person).where(*without).values(password_hash=password_hash))


def _people(desk_file: DeskFile) -> Iterator[str]:
    yield from (person.email for person in desk_file.staff)
    yield from (person.email for account in desk_file.accounts for person in account.members)


def _log_ins(desk_files: Sequence[DeskFile]) -> Iterator[str]:
    """One line for each desk; people differ in role, everybody's password is the same."""
    yield f"password of everyone: {DEMO_PASSWORD}"
    for desk_file in desk_files:
        staff = desk_file.staff[0]
        customers = [member for account in desk_file.accounts for member in account.members]
        admin = next(person for person in customers if person.role == "admin")
        people = f"{staff.email} (staff), {customers[0].email} (customer), {admin.email} (account admin)"
        yield f"{desk_file.desk:<12} {people}"
