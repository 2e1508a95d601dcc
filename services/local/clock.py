"""``casebound fast-forward``: moves one case's own clock on the embedded Temporal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from services.local.durations import parse_duration
from services.local.errors import StackError
from shared.contracts.events import STATES
from shared.contracts.workflow import workflow_id
from shared.db.engine import Database
from shared.db.models import Base, Case, Desk
from shared.desks import load_calendar
from shared.domain.decision import overdue
from shared.settings import Settings
from shared.temporal import connect

_BUSINESS_DAYS = re.compile(r"([0-9]{1,4})bd")
_ARRIVAL_TIMEOUT = 120.0
_POLL = 0.05
_CASE = Base.metadata.tables["case"]
_CLOCK = (_CASE.c.id, _CASE.c.state, _CASE.c.clock_offset)


def fast_forward(settings: Settings, desk: str, number: int, duration: str) -> str:
    """Move a case's clock and wait until it has arrived.

    Args:
        settings: of the running stack.
        desk: slug.
        number: of the case on that desk.
        duration: as ``parse_duration`` reads it, or ``3bd`` for business days of the desk.

    Returns:
        A sentence saying where the clock stands now.

    Raises:
        StackError: not in development, no such running case, no worker, or a duration that can't be read.
    """
    if not settings.development:
        raise StackError("fast-forward moves clocks in development only (CASEBOUND_DEVELOPMENT is not true)")
    try:
        now = asyncio.run(_fast_forward(settings, desk, number, duration))
    except TimeoutError:
        raise StackError(
            f"{desk}/{number} has not arrived within {_ARRIVAL_TIMEOUT:.0f} s: "
            "is the worker running? (`casebound doctor`)"
        ) from None
    return f"{desk}/{number}: its clock shows {now:%Y-%m-%d %H:%M:%S} UTC."


async def _fast_forward(settings: Settings, desk: str, number: int, duration: str) -> datetime:
    async with asyncio.timeout(_ARRIVAL_TIMEOUT), opened_clocks(settings) as clocks:
        now = datetime.now(UTC) + await clocks.offset(desk, number)
        return await clocks.move(desk, number, await _distance(settings, desk, duration, now))


async def _distance(settings: Settings, desk: str, duration: str, now: datetime) -> timedelta:
    business_days = _BUSINESS_DAYS.fullmatch(duration.strip())
    if business_days is None:
        return parse_duration(duration)
    return (await load_calendar(settings, desk)).window_end(now, int(business_days[1])) - now


@asynccontextmanager
async def opened_clocks(settings: Settings, pool_size: int = 1) -> AsyncIterator[Clocks]:
    """The clocks of a stack's cases.

    Args:
        settings: of the running stack.
        pool_size: how many may be moved at a time.
    """
    database = Database(settings.database_url, pool_size=pool_size)
    try:
        yield Clocks(database, TimeSkipper(await connect(settings)))
    finally:
        await database.close()


class Clocks:
    """Moves the clocks of single cases.

    Args:
        database: that has the cases.
        skipper: of the Temporal that runs them.
    """

    def __init__(self, database: Database, skipper: TimeSkipper) -> None:
        self._database = database
        self._skipper = skipper

    async def offset(self, desk: str, number: int) -> timedelta:
        """How far a case's clock is ahead.

        Raises:
            StackError: there is no such case.
        """
        found = select(Case.clock_offset).join(Desk, Desk.id == Case.desk_id)
        async with self._database.reading() as connection:
            offset = await connection.scalar(found.where(Desk.slug == desk, Case.number == number))
        if offset is None:
            raise _no_case(desk, number)
        return offset

    async def move(self, desk: str, number: int, distance: timedelta) -> datetime:
        """Move a case's clock forward and wait until what fell due on the way is recorded.

        Args:
            desk: slug.
            number: of the case on that desk.
            distance: above zero.

        Returns:
            Where the clock stands now.

        Raises:
            StackError: there is no such case.
        """
        await self._move_workflow(desk, number, distance)
        of_desk = select(Desk.id).where(Desk.slug == desk).scalar_subquery()
        moved = update(_CASE).where(_CASE.c.desk_id == of_desk, _CASE.c.number == number)
        async with self._database.transaction() as connection:
            farther = moved.values(clock_offset=_CASE.c.clock_offset + distance)
            row = (await connection.execute(farther.returning(*_CLOCK))).one_or_none()
        if row is None:
            raise _no_case(desk, number)
        while overdue(STATES.validate_python(row.state), datetime.now(UTC) + row.clock_offset):
            # A timer that ends at the very target fires just after it.
            await asyncio.sleep(_POLL)
            async with self._database.reading() as connection:
                row = (await connection.execute(select(*_CLOCK).where(_CASE.c.id == row.id))).one()
        offset: timedelta = row.clock_offset
        return datetime.now(UTC) + offset

    async def _move_workflow(self, desk: str, number: int, distance: timedelta) -> None:
        """The workflow's own clock, if the case has one running; one that ended will start from the moved time."""
        handle = self._skipper.client.get_workflow_handle(workflow_id(desk, number))
        try:
            await self._skipper.fast_forward(handle, distance)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise


def _no_case(desk: str, number: int) -> StackError:
    return StackError(f"there is no case {desk}/{number}")
