"""Lists of cases: found by the search service, taken from the record; from the record alone if search is away."""

from __future__ import annotations

from math import ceil

from services.api.callers import Caller
from services.api.cases.filters import ListQuery
from services.api.cases.finding import as_search, ask_search, page_from_record
from services.api.cases.records import find_cases, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import CaseList
from services.api.context import Context
from shared.contracts.search import After


async def list_cases(context: Context, caller: Caller, query: ListQuery, after: After | None = None) -> CaseList:
    """One page of the cases that the caller may see.

    Args:
        context: of the process.
        caller: who lists.
        query: which cases.
        after: an event, also somebody else's, that the list is to know; the caller may see it.

    Raises:
        Problem: 422 for a filter that makes no sense here; 503 if words are asked for and no search node answers.
    """
    wanted = await as_search(context, caller, query, query.after_seq)
    page = {"page": query.page, "page_size": query.page_size, "after": after or wanted.after}
    found = await ask_search(context.nats, wanted.model_copy(update=page))
    async with context.database.reading_as(caller.eyes) as session:
        if found is None:
            found = await page_from_record(session, caller, wanted, query.page, query.page_size)
        records = await find_cases(session, caller, found.numbers)
        names = await names_of(session, caller, [record.state for record in records])
    return CaseList(
        items=[represent(caller, record, names) for record in records],
        total=found.total,
        page=query.page,
        page_size=query.page_size,
        pages=ceil(found.total / query.page_size),
        facets=found.facets,
        stale=found.stale or None,
    )
