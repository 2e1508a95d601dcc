"""A desk's calendar as the database has it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from shared.db.engine import Database
from shared.db.models import Desk
from shared.domain.calendar import BusinessCalendar
from shared.holiday_lists import build_calendar
from shared.settings import Settings


async def load_calendar(settings: Settings, slug: str) -> BusinessCalendar:
    """Read the calendar by which a desk counts business days, good for windows that start about now.

    Raises:
        LookupError: no such desk.
    """
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            query = select(Desk.timezone, Desk.workdays, Desk.holidays).where(Desk.slug == slug)
            row = (await session.execute(query)).one_or_none()
    finally:
        await database.close()
    if row is None:
        raise LookupError(f"there is no desk «{slug}»")
    return build_calendar(row.timezone, row.workdays, row.holidays, datetime.now(UTC))
