"""``casebound fast-forward``: moves one case's own clock on the embedded Temporal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.local.errors import StackError
from shared.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_BUSINESS_DAYS = re.compile(r"([0-9]{1,4})bd")
_ARRIVAL_TIMEOUT = 120.0
_SETTLE_POLL, _SETTLE_POLLS = 0.4, 25

WindowEnd = Callable[[Settings, str, datetime, int], Awaitable[datetime]]
"""Settings, desk, start and a number of business days → the end of that window by the desk's calendar."""


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
    return asyncio.run(move_clock(settings, desk, number, duration, desk_window_end))


async def move_clock(settings: Settings, desk: str, number: int, duration: str, window_end: WindowEnd) -> str:
    """As ``fast_forward``, with the desk's calendar given by the caller."""
    from temporalio.service import RPCError, RPCStatusCode
    from temporalio.testing import TimeSkipper

    from shared.contracts.workflow import workflow_id
    from shared.temporal import connect

    business_days = _BUSINESS_DAYS.fullmatch(duration.strip())
    client = await connect(settings)
    skipper = TimeSkipper(client)
    handle = client.get_workflow_handle(workflow_id(desk, number))
    case = f"{desk}/{number}"
    try:
        if business_days:
            now = await skipper.get_current_time(handle)
            distance = await window_end(settings, desk, now, int(business_days[1])) - now
        else:
            distance = parse_duration(duration)
        arrived = await asyncio.wait_for(skipper.fast_forward(handle, distance), _ARRIVAL_TIMEOUT)
        await _settle(handle)
        if not arrived:
            return f"{case}: its last window ended on the way; the case is sealed and its workflow has completed."
        return f"{case}: its clock shows {await skipper.get_current_time(handle):%Y-%m-%d %H:%M:%S} UTC."
    except TimeoutError:
        raise StackError(
            f"{case} has not arrived within {_ARRIVAL_TIMEOUT:.0f} s: is the worker running? (`casebound doctor`)"
        ) from None
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise StackError(f"{case} has no running workflow: there is no such case, or it is sealed") from error


async def _settle(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until what fell due on arrival has happened: a timer that ends at the very target fires just after it."""
    length = -1
    for _ in range(_SETTLE_POLLS):
        await asyncio.sleep(_SETTLE_POLL)
        description = await handle.describe()
        busy = description.raw_description.HasField("pending_workflow_task")
        if not busy and description.history_length == length:
            return
        length = description.history_length


async def desk_window_end(settings: Settings, desk: str, start: datetime, business_days: int) -> datetime:
    """The end of a window of business days by a desk's calendar (desk-rules Windows).

    Raises:
        StackError: there is no such desk.
    """
    from sqlalchemy import select

    from shared.db.engine import Database
    from shared.db.models import Desk
    from shared.holiday_lists import build_calendar

    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            found = await session.scalar(select(Desk).where(Desk.slug == desk))
    finally:
        await database.close()
    if found is None:
        raise StackError(f"there is no desk {desk}")
    calendar = build_calendar(found.timezone, found.workdays, found.holidays, around=start)
    return calendar.window_end(start, business_days)
