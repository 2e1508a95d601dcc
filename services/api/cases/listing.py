"""Lists of cases: found by the search service, taken from the record; from the record alone if search is away."""

from __future__ import annotations

from math import ceil
from typing import Any

from nats.errors import Error as NatsError
from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.callers import Caller
from services.api.cases.filters import NOBODY, ListQuery, resolve_filters
from services.api.cases.records import find_cases, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import CaseList
from services.api.context import Context
from services.api.nats_link import NatsLink
from services.api.problems import Problem
from services.api.visibility import SEEN, seen_by
from shared.contracts.search import FACETS, After, Filters, SearchAnswer, SearchQuery
from shared.contracts.subjects import SEARCH_QUERY
from shared.db.models import Case, CaseEvent
from shared.domain.case import ActorKind
from shared.telemetry import SpanKind, get_logger, inject, span

SEARCH_TIMEOUT = 2.5
"""Seconds; the search service itself waits a shorter, bounded time for ``after``."""
_FILTERED = ("status", "product", "type", "severity", "impact", "account")

_log = get_logger(__name__)


async def list_cases(context: Context, caller: Caller, query: ListQuery) -> CaseList:
    """One page of the cases that the caller may see.

    Raises:
        Problem: 422 for a filter that makes no sense here; 503 if words are asked for and no search node answers.
    """
    filters = resolve_filters(caller, query)
    async with context.database.read() as session:
        after = await _own_event(session, caller, query.after_seq) if query.after_seq else None
    wanted = SearchQuery(
        desk=caller.desk.slug,
        viewer=caller.viewer,
        q=query.q,
        filters=filters,
        sort=query.sort,
        page=query.page,
        page_size=query.page_size,
        after=after,
    )
    found = await ask_search(context.nats, wanted)
    async with context.database.read() as session:
        if found is None:
            found = await _from_record(session, caller, query, filters)
        records = await find_cases(session, caller, found.numbers)
        names = await names_of(session, records)
    return CaseList(
        items=[represent(caller, record, names) for record in records],
        total=found.total,
        page=query.page,
        page_size=query.page_size,
        pages=ceil(found.total / query.page_size),
        facets=found.facets,
        stale=found.stale or None,
    )


async def ask_search(nats: NatsLink, query: SearchQuery) -> SearchAnswer | None:
    """Ask any search node.

    Returns:
        None if none answered in time.

    Raises:
        Problem: 503 if a node answered that it can't.
    """
    bus = nats.bus
    if bus is None:
        return None
    with span("search", kind=SpanKind.CLIENT):
        try:
            reply = await bus.nc.request(
                SEARCH_QUERY, query.model_dump_json().encode(), timeout=SEARCH_TIMEOUT, headers=inject() or None
            )
            answer = SearchAnswer.model_validate_json(reply.data)
        except (NatsError, TimeoutError, ValidationError) as error:
            _log.warning("no answer from search", error=repr(error))
            return None
    if answer.error:
        _log.warning("search could not answer", error=answer.error)
        return None
    return answer


async def _own_event(session: AsyncSession, caller: Caller, seq: int) -> After | None:
    """The caller's newest event with at least that number: what they want the list to know."""
    own: ColumnElement[bool] = CaseEvent.actor_email == caller.email
    if caller.kind is ActorKind.SERVICE:
        own = and_(CaseEvent.actor_email.is_(None), CaseEvent.actor["name"].astext == caller.name)
    query = (
        select(CaseEvent.case_id, CaseEvent.seq)
        .join(Case, Case.id == CaseEvent.case_id)
        .where(own, CaseEvent.seq >= seq, Case.desk_id == caller.desk.id)
        .order_by(CaseEvent.position.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return After(case_id=str(row.case_id), seq=row.seq) if row else None


async def _from_record(session: AsyncSession, caller: Caller, query: ListQuery, filters: Filters) -> SearchAnswer:
    """Filters and order from Postgres; words need the search service."""
    if query.q:
        raise Problem(
            "search_unavailable",
            "The search service does not answer. Lists without words (q) still work; try again in a moment.",
            headers={"Retry-After": "2"},
        )
    where = [Case.desk_id == caller.desk.id, SEEN, *_conditions(caller, filters)]
    eyes = seen_by(caller.viewer)
    total = await session.scalar(select(func.count()).select_from(Case).where(*where), eyes)
    page = select(Case.number).where(*where).order_by(*_order(query.sort))
    page = page.limit(query.page_size).offset((query.page - 1) * query.page_size)
    numbers = await session.scalars(page, eyes)
    facets: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    return SearchAnswer(numbers=list(numbers), total=total or 0, facets=facets, stale=True)


def _conditions(caller: Caller, filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [getattr(Case, name).in_(values) for name in _FILTERED if (values := getattr(filters, name))]
    if filters.assignee:
        named = Case.assignee.in_(filters.assignee)
        conditions.append(or_(named, Case.assignee.is_(None)) if NOBODY in filters.assignee else named)
    if filters.mine:
        me = caller.address
        mine = (Case.reporter == me, Case.contact == me, Case.assignee == me, Case.cc.contains([me]))
        conditions.append(or_(*mine))
    return conditions


def _order(sort: str) -> list[Any]:
    name = sort.removeprefix("-")
    column = Case.updated_at if name == "relevance" else getattr(Case, name)
    descending = sort.startswith("-") or name == "relevance"
    return [column.desc().nulls_last() if descending else column.asc().nulls_last(), Case.number.desc()]
