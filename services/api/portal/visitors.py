"""Who looks at a page: the person of the session, the desks they may choose, and what they are on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from sqlalchemy import Select, bindparam, select, union

from services.api.auth import COOKIE, Visitor, find_visitor, look_up, unauthenticated
from services.api.callers import Caller
from services.api.context import Context
from services.api.problems import not_found
from shared.db.models import Account, AccountMember, Desk, Person, Staff


def _desks() -> Select[tuple[str, str, str, bool]]:
    """Desks of the person with the address ``email``, by name; where they are both, what they are as staff last."""
    person = select(Person.id).where(Person.email == bindparam("email")).scalar_subquery()
    works = select(Staff.desk_id, (Staff.desk_id > 0).label("is_staff")).where(Staff.person_id == person)
    belongs = (
        select(Account.desk_id, (Account.desk_id < 0).label("is_staff"))
        .join(AccountMember, AccountMember.account_id == Account.id)
        .where(AccountMember.person_id == person)
    )
    mine = union(works, belongs).subquery()
    query = select(Desk.slug, Desk.name, Desk.profile, mine.c.is_staff).join(mine, mine.c.desk_id == Desk.id)
    return query.order_by(Desk.name, mine.c.is_staff)


_DESKS: Final = _desks()
"""Made once: every page asks it."""


@dataclass(frozen=True, slots=True)
class DeskChoice:
    """A desk that somebody may choose."""

    slug: str
    name: str
    profile: str
    is_staff: bool


async def visitor_of(request: Request, context: Context) -> Visitor:
    """Who is logged in.

    Raises:
        Problem: 401 without a session, or with one that has ended.
    """
    found = await visitor_if_any(request, context)
    if found is None:
        raise unauthenticated("Log in to see this page.")
    return found


async def visitor_if_any(request: Request, context: Context) -> Visitor | None:
    """Who is logged in, if anybody."""
    token = request.cookies.get(COOKIE)
    return await find_visitor(context.database, token) if token else None


async def desks_of(context: Context, visitor: Visitor) -> list[DeskChoice]:
    """The desks that somebody works on or is a customer of, by name."""
    return await desks_of_person(context, visitor.email)


async def desks_of_person(context: Context, email: str) -> list[DeskChoice]:
    """The same for whoever has this address."""
    async with context.database.reading() as connection:
        rows = (await connection.execute(_DESKS, {"email": email})).all()
    chosen = {row.slug: DeskChoice(row.slug, row.name, row.profile, row.is_staff) for row in rows}
    return list(chosen.values())


async def caller_of(context: Context, visitor: Visitor, desk: str) -> Caller:
    """What somebody is on a desk.

    Raises:
        Problem: 404 for an unknown desk, and alike for one that they have nothing to do with.
    """
    caller = await look_up(desk, visitor.identity, context)
    if caller is None:
        raise not_found(f"desk «{desk[:80]}»")
    return caller
