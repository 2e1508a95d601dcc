"""Canned replies: the desk's, which leads and admins keep for all of the staff, and everybody's own."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.authorisation import Access, require
from services.api.callers import Caller
from services.api.problems import Problem, not_found
from services.api.replies.schemas import NewReply, ReplyChanges, ReplyList, ReplyOut
from shared.db.models import CannedReply
from shared.db.viewed import ViewedDatabase

MOST: Final = 200
"""Canned replies of one person on one desk, and of the desk itself."""
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('replies of ' || :owner, :desk))")


def right_to(*, shared: bool) -> Access:
    """What one needs in order to keep, change or forget a reply."""
    return Access.DESK_REPLIES if shared else Access.REPLIES


async def canned_replies(database: ViewedDatabase, caller: Caller) -> ReplyList:
    """Those that the caller can use, by name."""
    async with database.read_as(caller.eyes) as session:
        rows = await session.scalars(_usable(caller).order_by(func.lower(CannedReply.name), CannedReply.id))
        return ReplyList(items=[_shown(row) for row in rows])


async def find_reply(database: ViewedDatabase, caller: Caller, reply_id: uuid.UUID) -> ReplyOut:
    """One that the caller can use.

    Raises:
        Problem: 404, also for somebody else's.
    """
    async with database.read_as(caller.eyes) as session:
        return _shown(await _find(session, caller, reply_id))


async def add_reply(database: ViewedDatabase, caller: Caller, form: NewReply, reply_id: uuid.UUID) -> ReplyOut:
    """Keep a reply, once for each id. That the caller may is settled.

    Raises:
        Problem: 409 if the name is taken, or there are too many.
    """
    owner = None if form.shared else caller.address
    async with database.write_as(caller.eyes) as session:
        others = await _others(session, caller, owner, reply_id)
        row = await session.get(CannedReply, reply_id)
        if row is None:
            _check_name(others, form.name)
            if len(others) >= MOST:
                raise Problem("too_many_replies", f"There are {MOST} canned replies already; delete one first.")
            row = CannedReply(id=reply_id, desk_id=caller.desk.id, owner=owner, name=form.name, body=form.body)
            session.add(row)
            await session.flush()
            await session.refresh(row)
        return _shown(row)


async def change_reply(
    database: ViewedDatabase, caller: Caller, reply_id: uuid.UUID, changes: ReplyChanges
) -> ReplyOut:
    """Change what the form names.

    Raises:
        Problem: 403 for the desk's if the caller may not; 404, also for somebody else's; 409 if the name is taken.
    """
    async with database.write_as(caller.eyes) as session:
        row = await _find(session, caller, reply_id)
        require(caller, right_to(shared=row.owner is None))
        others = await _others(session, caller, row.owner, reply_id)
        if changes.name is not None:
            _check_name(others, changes.name)
            row.name = changes.name
        if changes.body is not None:
            row.body = changes.body
        row.updated_at = func.now()
        await session.flush()
        await session.refresh(row)
        return _shown(row)


async def remove_reply(database: ViewedDatabase, caller: Caller, reply_id: uuid.UUID) -> None:
    """Forget a reply.

    Raises:
        Problem: 403 for the desk's if the caller may not; 404, also for somebody else's.
    """
    async with database.write_as(caller.eyes) as session:
        row = await _find(session, caller, reply_id)
        require(caller, right_to(shared=row.owner is None))
        await session.delete(row)


def _usable(caller: Caller) -> Select[CannedReply]:
    mine_or_the_desks = or_(CannedReply.owner.is_(None), CannedReply.owner == caller.address)
    return select(CannedReply).where(CannedReply.desk_id == caller.desk.id, mine_or_the_desks)


async def _find(session: AsyncSession, caller: Caller, reply_id: uuid.UUID) -> CannedReply:
    row = (await session.scalars(_usable(caller).where(CannedReply.id == reply_id))).one_or_none()
    if row is None:
        raise not_found(f"canned reply {reply_id} on this desk")
    return row


async def _others(session: AsyncSession, caller: Caller, owner: str | None, reply_id: uuid.UUID) -> list[CannedReply]:
    """The others of the same owner, which nobody changes until the transaction ends."""
    await session.execute(_ONE_AT_A_TIME, {"owner": owner or "", "desk": caller.desk.id})
    same_owner = CannedReply.owner.is_not_distinct_from(owner)
    return list(await session.scalars(_usable(caller).where(same_owner, CannedReply.id != reply_id)))


def _check_name(others: list[CannedReply], name: str) -> None:
    if name.casefold() in {other.name.casefold() for other in others}:
        raise Problem("reply_name_taken", f"There is a canned reply «{name}» already; choose another name.")


def _shown(row: CannedReply) -> ReplyOut:
    return ReplyOut(
        id=row.id,
        name=row.name,
        body=row.body,
        shared=row.owner is None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
