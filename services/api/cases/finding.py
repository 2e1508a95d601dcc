"""Which cases a query means, as numbers in order: from the search service, or from the record if search is away."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from nats.errors import Error as NatsError
from nats.js.api import Header
from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from services.api.callers import Caller, DeskView
from services.api.cases.filters import NOBODY, CaseQuery, resolve_filters
from services.api.context import Context
from services.api.nats_link import NatsLink
from services.api.problems import Problem
from services.api.visibility import SEEN, seen_by
from shared.contracts.search import FACETS, After, Filters, NumbersPart, SearchAnswer, SearchQuery
from shared.contracts.subjects import SEARCH_NUMBERS, SEARCH_QUERY
from shared.db.cases import DUE_AT
from shared.db.models import Case, CaseEvent
from shared.db.viewed import Sight
from shared.domain.case import ActorKind, Status
from shared.domain.policy import IMPACTS
from shared.telemetry import SpanKind, get_logger, inject, span

SEARCH_TIMEOUT = 2.5
"""Seconds; the search service itself waits a shorter, bounded time for ``after``."""
_NEXT_PART_SECONDS = 30.0
_NO_RESPONDERS = "503"
_FILTERED = ("status", "product", "type", "severity", "impact", "account")

_log = get_logger(__name__)


class SearchAwayError(Exception):
    """No search node answers, or not to the end."""


async def as_search(context: Context, caller: Caller, query: CaseQuery, after_seq: int | None) -> SearchQuery:
    """The query as the search service takes it, its first page.

    Raises:
        Problem: 422 for a filter that makes no sense here.
    """
    filters, after = resolve_filters(caller, query), None
    if after_seq:
        async with context.database.read_as(caller.eyes) as session:
            after = await _own_event(session, caller, after_seq)
    return SearchQuery(
        desk=caller.desk.slug, viewer=caller.viewer, q=query.q, filters=filters, sort=query.sort, after=after
    )


async def ask_search(nats: NatsLink, query: SearchQuery) -> SearchAnswer | None:
    """Ask any search node for a page; None if none answered in time, or answered that it can't."""
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


async def numbers_from_search(nats: NatsLink, query: SearchQuery) -> AsyncGenerator[NumbersPart, None]:
    """Ask any search node for all that the query finds, in parts of one moment.

    What was not taken yet waits here, at some seven bytes a case, and holds up nobody.

    Raises:
        SearchAwayError: none answers; or, later, what came is not complete.
    """
    bus = nats.bus
    if bus is None:
        raise SearchAwayError("not connected to NATS")
    inbox = bus.nc.new_inbox()
    parts = await bus.nc.subscribe(inbox)
    try:
        await bus.nc.publish(SEARCH_NUMBERS, query.model_dump_json().encode(), reply=inbox, headers=inject() or None)
        taken, patience, part = 0, SEARCH_TIMEOUT, None
        while part is None or taken < part.total:
            message = await parts.next_msg(timeout=patience)
            if (message.headers or {}).get(Header.STATUS) == _NO_RESPONDERS:
                raise SearchAwayError("no search node answers")
            part = NumbersPart.model_validate_json(message.data)
            if part.error or part.start != taken:
                raise SearchAwayError(part.error or f"the numbers from {taken} to {part.start} did not arrive")
            yield part
            taken, patience = taken + len(part.numbers), _NEXT_PART_SECONDS
    except (NatsError, TimeoutError, ValidationError) as error:
        raise SearchAwayError(repr(error)) from error
    finally:
        await parts.unsubscribe()


async def page_from_record(
    session: Sight, caller: Caller, query: SearchQuery, page: int, page_size: int
) -> SearchAnswer:
    """A page by filters and order from Postgres, without facets.

    Raises:
        Problem: 503 if words are asked for.
    """
    where, eyes = _matches(caller, query), seen_by(caller.viewer)
    total = await session.scalar(select(func.count()).select_from(Case).where(*where), eyes)
    wanted = select(Case.number).where(*where).order_by(*_order(caller.desk, query.sort))
    numbers = await session.scalars(wanted.limit(page_size).offset((page - 1) * page_size), eyes)
    facets: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    return SearchAnswer(numbers=list(numbers), total=total or 0, facets=facets, stale=True)


async def numbers_from_record(session: Sight, caller: Caller, query: SearchQuery) -> Sequence[int]:
    """All by filters and order from Postgres, at four bytes a case.

    Raises:
        Problem: 503 if words are asked for.
    """
    ordered = func.array_agg(aggregate_order_by(Case.number, *_order(caller.desk, query.sort)))
    numbers = await session.scalar(select(ordered).where(*_matches(caller, query)), seen_by(caller.viewer))
    return array("I", numbers or ())


def _matches(caller: Caller, query: SearchQuery) -> list[ColumnElement[bool]]:
    if query.q:
        raise Problem(
            "search_unavailable",
            "The search service does not answer. Lists without words (q) still work; try again in a moment.",
            headers={"Retry-After": "2"},
        )
    return [Case.desk_id == caller.desk.id, SEEN, *_conditions(caller, query.filters)]


async def _own_event(session: Sight, caller: Caller, seq: int) -> After | None:
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


def _conditions(caller: Caller, filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [getattr(Case, name).in_(values) for name in _FILTERED if (values := getattr(filters, name))]
    if filters.assignee:
        named = Case.assignee.in_(filters.assignee)
        conditions.append(or_(named, Case.assignee.is_(None)) if NOBODY in filters.assignee else named)
    if filters.mine:
        me = caller.address
        mine = (Case.reporter == me, Case.contact == me, Case.assignee == me, Case.cc.contains([me]))
        conditions.append(or_(*mine))
    if filters.due:
        conditions += [filters.due.end > DUE_AT, *([filters.due.start <= DUE_AT] if filters.due.start else [])]
    return conditions + (_conditions(caller, filters.within) if filters.within else [])


def _order(desk: DeskView, sort: str) -> list[Any]:
    """The order of the search service: what has a rank by it, cases without a value last, ties by number."""
    name = sort.removeprefix("-")
    column: Any = Case.updated_at if name == "relevance" else getattr(Case, name)
    ranks: dict[str, list[str]] = {"status": [*Status], "severity": desk.severities, "impact": list(IMPACTS)}
    if name in ranks:
        place = func.array_position(literal(ranks[name]), column)
        column = case((column.is_not(None), func.coalesce(place, len(ranks[name]) + 1)))
    descending = sort.startswith("-") or name == "relevance"
    return [column.desc().nulls_last() if descending else column.asc().nulls_last(), Case.number.desc()]
