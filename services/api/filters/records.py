"""Saved filters: everybody's own on each desk, kept as they were given even when the desk changes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Select, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.callers import Caller
from services.api.cases.filters import CaseQuery, resolve_filters
from services.api.filters.schemas import FilterChanges, FilterList, FilterOut, NewFilter
from services.api.problems import FieldError, Problem, not_found
from shared.db.models import SavedFilter
from shared.db.viewed import ViewedDatabase

MOST: Final = 50
"""Saved filters of one person on one desk."""
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, :desk))")


async def saved_filters(database: ViewedDatabase, caller: Caller) -> FilterList:
    """The caller's, in order."""
    async with database.read_as(caller.eyes) as session:
        rows = await session.scalars(_own(caller).order_by(SavedFilter.position, SavedFilter.name))
        return FilterList(items=[_shown(caller, row) for row in rows])


async def add_filter(database: ViewedDatabase, caller: Caller, form: NewFilter, filter_id: uuid.UUID) -> FilterOut:
    """Keep a filter, once for each id.

    Raises:
        Problem: 409 if the name is taken, or there are too many.
    """
    async with database.write_as(caller.eyes) as session:
        others = await _others(session, caller, filter_id)
        row = await session.get(SavedFilter, filter_id)
        if row is None:
            _check_name(others, form.name)
            if len(others) >= MOST:
                raise Problem("too_many_filters", f"You have {MOST} saved filters on this desk; delete one first.")
            last = max((other.position for other in others), default=0)
            row = SavedFilter(
                id=filter_id,
                desk_id=caller.desk.id,
                owner=caller.address,
                name=form.name,
                query=_plain(form.query),
                position=last + 1 if form.position is None else form.position,
            )
            session.add(row)
            await session.flush()
            await session.refresh(row)
        return _shown(caller, row)


async def change_filter(
    database: ViewedDatabase, caller: Caller, filter_id: uuid.UUID, form: FilterChanges
) -> FilterOut:
    """Change what the form names.

    Raises:
        Problem: 404, also for somebody else's; 409 if the name is taken.
    """
    async with database.write_as(caller.eyes) as session:
        others = await _others(session, caller, filter_id)
        row = (await session.scalars(_own(caller).where(SavedFilter.id == filter_id))).one_or_none()
        if row is None:
            raise _no_filter(filter_id)
        if form.name is not None:
            _check_name(others, form.name)
            row.name = form.name
        if form.query is not None:
            row.query = _plain(form.query)
        if form.position is not None:
            row.position = form.position
        return _shown(caller, row)


async def remove_filter(database: ViewedDatabase, caller: Caller, filter_id: uuid.UUID) -> None:
    """Forget a filter.

    Raises:
        Problem: 404, also for somebody else's.
    """
    own = _own(caller).where(SavedFilter.id == filter_id).with_only_columns(SavedFilter.id)
    async with database.write_as(caller.eyes) as session:
        removed = await session.scalar(delete(SavedFilter).where(SavedFilter.id.in_(own)).returning(SavedFilter.id))
    if removed is None:
        raise _no_filter(filter_id)


def check_query(caller: Caller, query: CaseQuery) -> None:
    """Refuse what a list would refuse.

    Raises:
        Problem: 422, its fields those of the form.
    """
    try:
        resolve_filters(caller, query)
    except Problem as problem:
        errors = [error.model_copy(update={"field": f"query.{error.field}"}) for error in problem.errors]
        raise replace(problem, errors=errors) from None


def _own(caller: Caller) -> Select[SavedFilter]:
    return select(SavedFilter).where(SavedFilter.desk_id == caller.desk.id, SavedFilter.owner == caller.address)


async def _others(session: AsyncSession, caller: Caller, filter_id: uuid.UUID) -> list[SavedFilter]:
    """The caller's other filters, which nobody changes until the transaction ends."""
    await session.execute(_ONE_AT_A_TIME, {"owner": caller.address, "desk": caller.desk.id})
    return list(await session.scalars(_own(caller).where(SavedFilter.id != filter_id)))


def _check_name(others: list[SavedFilter], name: str) -> None:
    if name.casefold() in {other.name.casefold() for other in others}:
        raise Problem("filter_name_taken", f"You have a filter «{name}» already; choose another name, or change that.")


def _plain(query: CaseQuery) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude_defaults=True)


def _shown(caller: Caller, row: SavedFilter) -> FilterOut:
    return FilterOut(
        id=row.id,
        name=row.name,
        query=row.query,
        position=row.position,
        errors=_errors(caller, row.query),
        created_at=row.created_at,
    )


def _errors(caller: Caller, query: dict[str, Any]) -> list[FieldError]:
    """What a list by that query would be refused for today."""
    try:
        resolve_filters(caller, CaseQuery.model_validate(query))
    except Problem as problem:
        return list(problem.errors)
    except ValidationError as error:
        return [
            FieldError(field=".".join(map(str, item["loc"])), message=item["msg"])
            for item in error.errors(include_url=False)
        ]
    return []


def _no_filter(filter_id: uuid.UUID) -> Problem:
    return not_found(f"saved filter {filter_id} of yours on this desk")
