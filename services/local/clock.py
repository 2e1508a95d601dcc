"""``casebound fast-forward``: moves one case's own clock on the embedded Temporal."""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from services.local.errors import StackError
from shared.contracts.events import STATES
from shared.contracts.workflow import workflow_id
from shared.db.engine import Database
from shared.db.models import Case, Desk
from shared.desks import load_calendar
from shared.domain.decision import overdue
from shared.settings import Settings
from shared.temporal import connect

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_BUSINESS_DAYS = re.compile(r"([0-9]{1,4})bd")
_ARRIVAL_TIMEOUT = 120.0
_POLL = 0.05


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``30m``, ``36h`` or ``4d``.

    Raises:
        StackError: it is none of these, or zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise StackError(f"{text!r} is not a duration: write a whole number and s, m, h or d, as in 90s, 36h, 4d")
    try:
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
        datetime.now(UTC) + duration
    except OverflowError:
        raise StackError(f"{text!r} is too long a time") from None
    return duration


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
        return asyncio.run(_move_clock(settings, desk, number, duration))
    except TimeoutError:
        raise StackError(
            f"{desk}/{number} has not arrived within {_ARRIVAL_TIMEOUT:.0f} s: "
            "is the worker running? (`casebound doctor`)"
        ) from None


async def _move_clock(settings: Settings, desk: str, number: int, duration: str) -> str:
    database = Database(settings.database_url, pool_size=1)
    try:
        async with asyncio.timeout(_ARRIVAL_TIMEOUT):
            case = await _find(database, desk, number)
            distance = await _distance(settings, desk, duration, datetime.now(UTC) + case.clock_offset)
            await _move_workflow(settings, desk, number, distance)
            await _note(database, case.id, distance)
            now = await _arrival(database, case.id)
    finally:
        await database.close()
    return f"{desk}/{number}: its clock shows {now:%Y-%m-%d %H:%M:%S} UTC."


async def _find(database: Database, desk: str, number: int) -> Case:
    async with database.read() as session:
        found = select(Case).join(Desk, Desk.id == Case.desk_id).where(Desk.slug == desk, Case.number == number)
        case = await session.scalar(found)
    if case is None:
        raise StackError(f"there is no case {desk}/{number}")
    return case


async def _distance(settings: Settings, desk: str, duration: str, now: datetime) -> timedelta:
    business_days = _BUSINESS_DAYS.fullmatch(duration.strip())
    if business_days is None:
        return parse_duration(duration)
    return (await load_calendar(settings, desk)).window_end(now, int(business_days[1])) - now


async def _move_workflow(settings: Settings, desk: str, number: int, distance: timedelta) -> None:
    """Move the workflow's own clock, if the case has one running; one that has ended will start from the moved time."""
    client = await connect(settings)
    try:
        await TimeSkipper(client).fast_forward(client.get_workflow_handle(workflow_id(desk, number)), distance)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


async def _note(database: Database, case_id: uuid.UUID, distance: timedelta) -> None:
    async with database.write() as session:
        await session.execute(update(Case).where(Case.id == case_id).values(clock_offset=Case.clock_offset + distance))


async def _arrival(database: Database, case_id: uuid.UUID) -> datetime:
    """Wait until what fell due on the way is recorded: a timer that ends at the very target fires just after it."""
    while True:
        async with database.read() as session:
            case = await session.get_one(Case, case_id)
        now = datetime.now(UTC) + case.clock_offset
        if overdue(STATES.validate_python(case.state), now) is None:
            return now
        await asyncio.sleep(_POLL)
