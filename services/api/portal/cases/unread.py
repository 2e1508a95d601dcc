"""What somebody has read, and where something has happened since that they can see."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import and_, false, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from services.api.callers import Caller
from services.api.cases.records import CaseRecord, find_cases
from services.api.events.records import shown_to
from services.api.portal.pages import DeskPage
from shared.db.models import Case, CaseEvent, CaseRead
from shared.db.viewed import Sight
from shared.domain.case import Status

_NO_NEWS: Final = frozenset({"sealed", "command_rejected"})
"""What happens to a case without anybody having to know."""


async def mark_read(page: DeskPage, record: CaseRecord) -> None:
    """Remember that whoever looks has seen the case as it is.

    Args:
        page: that shows it.
        record: the case as shown.
    """
    await _mark(page, [record])


async def mark_numbers_read(page: DeskPage, numbers: Collection[int]) -> int:
    """The same for several cases by number; returns how many of them there are to be seen."""
    async with page.context.database.read_as(page.caller.eyes) as session:
        records = await find_cases(session, page.caller, numbers)
    if records:
        await _mark(page, records)
    return len(records)


async def _mark(page: DeskPage, records: Collection[CaseRecord]) -> None:
    person = page.caller.address
    rows = [{"case_id": each.id, "person": person, "seq": each.state.seq} for each in records]
    marks = insert(CaseRead).values(rows)
    newer = {"seq": marks.excluded.seq, "read_at": func.now()}
    keep_newest = marks.on_conflict_do_update(
        index_elements=[CaseRead.case_id, CaseRead.person], set_=newer, where=CaseRead.seq < marks.excluded.seq
    )
    async with page.context.database.transaction_as(page.caller.eyes) as connection:
        await connection.execute(keep_newest)


async def unread_of(session: Sight, caller: Caller, numbers: Collection[int]) -> frozenset[int]:
    """Which of these cases have news for the caller.

    That is where the last event that they can see is somebody else's, and they have not opened the case since. What is
    closed and was never opened by them is no news, unless the case is theirs.

    Args:
        session: looks through the caller's eyes.
        caller: who reads.
        numbers: of the cases.
    """
    if not numbers:
        return frozenset()
    me = caller.address
    last = (
        select(CaseEvent.seq, CaseEvent.actor_email)
        .where(CaseEvent.case_id == Case.id, CaseEvent.kind.not_in(_NO_NEWS), shown_to(caller))
        .order_by(CaseEvent.seq.desc())
        .limit(1)
        .lateral("last")
    )
    read = and_(CaseRead.case_id == Case.id, CaseRead.person == me)
    theirs = or_(
        Case.reporter == me, func.coalesce(Case.contact == me, false()), func.coalesce(Case.assignee == me, false())
    )
    query = (
        select(Case.number)
        .join(last, true())
        .outerjoin(CaseRead, read)
        .where(
            Case.desk_id == caller.desk.id,
            Case.number.in_(numbers),
            last.c.actor_email.is_distinct_from(me),
            last.c.seq > func.coalesce(CaseRead.seq, 0),
            or_(CaseRead.seq.is_not(None), Case.status != Status.CLOSED, theirs),
        )
    )
    return frozenset(await session.scalars(query))
