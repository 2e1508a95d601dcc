"""A list as a page shows it: its rows, what it can be narrowed by, and where one can go from it."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import exists, select

from services.api.callers import Caller
from services.api.cases.listing import list_cases
from services.api.cases.schemas import CaseList
from services.api.filters.records import saved_filters
from services.api.filters.schemas import FilterOut
from services.api.portal.cases.asked import Asked
from services.api.portal.cases.choices import Box, CalledAs, boxes, names_for
from services.api.portal.cases.unread import unread_of
from services.api.portal.pages import DeskPage
from services.api.problems import Problem
from shared.contracts.search import After
from shared.db.models import CaseEvent
from shared.domain.policy import Urgency

_EVENT: Final = re.compile(r"(?P<case>[0-9a-f-]{36}):(?P<seq>[1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of the list.

    Args:
        name: of the field.
        label: its heading.
        sort: what to sort by at the first click; empty: can't be sorted by.
    """

    name: str
    label: str
    sort: str

    @property
    def other_way(self) -> str:
        """What to sort by at the second click."""
        return self.sort.removeprefix("-") if self.sort.startswith("-") else f"-{self.sort}"

    def next_sort(self, now: str) -> str:
        """What a click on the heading sorts by."""
        return self.other_way if now == self.sort else self.sort

    def direction(self, now: str) -> str:
        """How the list is sorted by this column, as ``aria-sort`` has it; empty: by another one."""
        if not self.sort or now.removeprefix("-") != self.sort.removeprefix("-"):
            return ""
        return "descending" if now.startswith("-") else "ascending"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Everything that the list's template shows.

    Args:
        asked: which list it is.
        found: the cases; None where a required filter is not chosen, or search is away.
        trouble: why there are none, where something failed.
        boxes: what it can be narrowed by.
        columns: of the table.
        unread: numbers of the cases with news.
        saved: the caller's saved filters.
    """

    asked: Asked
    found: CaseList | None
    trouble: str
    boxes: Sequence[Box]
    columns: Sequence[Column]
    unread: frozenset[int]
    saved: Sequence[FilterOut]

    @property
    def first(self) -> int:
        """Which of all cases is the first on this page, from 1."""
        return (self.asked.query.page - 1) * self.asked.query.page_size + 1

    def is_current(self, saved: FilterOut) -> bool:
        """Whether this list is that saved one."""
        return saved.query == self.asked.filters.model_dump(mode="json", exclude_defaults=True)


async def listing_of(page: DeskPage, asked: Asked, event: str = "") -> Listing:
    """The list that was asked for.

    Args:
        page: for whom.
        asked: which.
        event: id of an event that they have heard of, which the list is to know.
    """
    caller = page.caller
    if asked.missing:
        saved = await saved_filters(page.context.database, caller)
        made = partial(Listing, found=None, unread=frozenset(), trouble="")
        options = boxes(caller, asked.query, {}, CalledAs({}, {}))
        return made(asked=asked, boxes=options, columns=columns(caller), saved=saved.items)
    (found, trouble), saved = await asyncio.gather(
        _found(page, asked, event), saved_filters(page.context.database, caller)
    )
    facets = found.facets if found else {}
    async with page.context.database.read_as(caller.eyes) as session:
        unread = await unread_of(session, caller, [case.number for case in found.items] if found else [])
        names = await names_for(session, caller, facets)
    return Listing(
        asked=asked,
        found=found,
        trouble=trouble,
        boxes=boxes(caller, asked.query, facets, names),
        columns=columns(caller),
        unread=unread,
        saved=saved.items,
    )


def columns(caller: Caller) -> list[Column]:
    """What the list shows of a case: to staff whose it is, to customers who reported it where that may be others."""
    urgency = caller.desk.policy.urgency
    shown = [
        Column(name="number", label="Case", sort="-number"),
        Column(name="subject", label="Subject", sort="subject"),
        Column(name="status", label="Status", sort="status"),
    ]
    if urgency is not Urgency.NONE:
        shown.append(Column(name="urgency", label=urgency.value.capitalize(), sort=urgency.value))
    if not caller.is_customer:
        shown.append(Column(name="assignee", label="Assignee", sort=""))
    elif caller.viewer.accounts:
        shown.append(Column(name="reporter", label="Reported by", sort=""))
    return [*shown, Column(name="updated", label="Updated", sort="-updated_at")]


async def _found(page: DeskPage, asked: Asked, event: str) -> tuple[CaseList | None, str]:
    after = await known_event(page, event)
    try:
        found = await list_cases(page.context, page.caller, asked.query, after)
        if not found.items and found.total and asked.query.page > found.pages:
            asked.query = asked.query.model_copy(update={"page": found.pages})
            found = await list_cases(page.context, page.caller, asked.query)
    except Problem as problem:
        if problem.code != "search_unavailable":
            raise
        return None, problem.detail
    return found, ""


async def known_event(page: DeskPage, event: str) -> After | None:
    """The event, if it is one that the caller may know of."""
    match = _EVENT.fullmatch(event)
    if match is None:
        return None
    case_id, seq = uuid.UUID(match["case"]), int(match["seq"])
    known = select(exists().where(CaseEvent.case_id == case_id, CaseEvent.seq == seq))
    async with page.context.database.read_as(page.caller.eyes) as session:
        return After(case_id=str(case_id), seq=seq) if await session.scalar(known) else None
