"""What an agent needs to know of a case before opening it: who waits since when, and what was said last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, any_, bindparam, case, func, select, true
from sqlalchemy.orm import aliased

from services.api.callers import Caller
from services.api.cases.listing import list_cases
from services.api.cases.schemas import CaseList, CaseOut
from services.api.portal.cases.unread import unread_of
from services.api.portal.pages import DeskPage
from services.api.portal.queues.catalogue import Queue
from shared.contracts.search import After
from shared.db.models import Case, CaseEvent
from shared.db.viewed import Sight
from shared.domain.case import ActorKind, Status

PAGE_SIZE: Final = 25
_EXCERPT: Final = 160
_SAID: Final = ("opened", "commented")
_TO_CUSTOMER: Final = frozenset({Status.AWAITING_CUSTOMER.value, Status.RESOLVED.value})


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """The last that was said on a case, internal notes aside.

    Args:
        by: name of who said it.
        by_customer: whether that was the customer's side.
        at: when.
        words: how it begins.
        since: since when nobody of the other side has said anything.
    """

    by: str
    by_customer: bool
    at: datetime
    words: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A case as a queue shows it."""

    case: CaseOut
    said: Said | None
    unread: bool
    may_take: bool
    may_assign: bool

    @property
    def customer(self) -> str:
        """Address of whom the case is for."""
        return self.case.contact or self.case.reporter

    @property
    def waits_for(self) -> str:
        """Whose turn it is: ``customer`` or ``desk``."""
        return "customer" if self.case.status in _TO_CUSTOMER else "desk"


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """A page of a queue."""

    queue: Queue
    rows: list[Row]
    found: CaseList


async def queued(
    page: DeskPage, queue: Queue, number: int, after: After | None = None, after_seq: int | None = None
) -> Queued:
    """A page of a queue.

    Args:
        page: for whom.
        queue: which.
        number: of the page, from 1; beyond the last it is the last.
        after: an event of anybody's that it is to know.
        after_seq: of a change of one's own that it is to know.

    Raises:
        Problem: 503.
    """
    caller = page.caller
    query = queue.query(page.least_filters, number, PAGE_SIZE, after_seq)
    found = await list_cases(page.context, caller, query, after)
    if not found.items and found.total:  # others have worked off what was on this page
        query = queue.query(page.least_filters, found.pages, PAGE_SIZE, after_seq)
        found = await list_cases(page.context, caller, query, after)
    numbers = [each.number for each in found.items]
    async with page.context.database.read_as(caller.eyes) as session:
        unread = await unread_of(session, caller, numbers)
        said = await last_said(session, caller, numbers)
    return Queued(queue=queue, found=found, rows=[_row(each, said, unread) for each in found.items])


def _row(case: CaseOut, said: Mapping[int, Said], unread: Collection[int]) -> Row:
    actions = {action.name for action in case.actions}
    return Row(
        case=case,
        said=said.get(case.number),
        unread=case.number in unread,
        may_take="take" in actions,
        may_assign="assign" in actions,
    )


async def last_said(session: Sight, caller: Caller, numbers: Collection[int]) -> dict[int, Said]:
    """The last that was said to or by the customer on each of the cases, by number."""
    if not numbers:
        return {}
    rows = await session.execute(_LAST, {"desk": caller.desk.id, "numbers": list(numbers)})
    return {
        row.number: Said(
            by=row.actor["name"] or row.actor["email"],
            by_customer=row.by_customer,
            at=row.at,
            words=" ".join(row.words.split()),
            since=row.since,
        )
        for row in rows
    }


def _last() -> Select[*tuple[Any, ...]]:
    last, other, since = (aliased(CaseEvent, name=name) for name in ("last", "other", "since"))
    words = case((last.kind == "opened", Case.description), else_=last.data["body"].astext)
    newest = (
        select(last.seq, last.at, last.actor, _is_customers(last).label("by_customer"), words.label("words"))
        .where(last.case_id == Case.id, last.kind.in_(_SAID))
        .order_by(last.seq.desc())
        .limit(1)
        .lateral("newest")
    )
    answered = select(func.coalesce(func.max(other.seq), 0)).where(
        other.case_id == Case.id, other.kind.in_(_SAID), _is_customers(other) != newest.c.by_customer
    )
    first_since = select(func.min(since.at)).where(
        since.case_id == Case.id, since.kind.in_(_SAID), since.seq > answered.correlate(Case, newest).scalar_subquery()
    )
    excerpt = func.left(newest.c.words, _EXCERPT).label("words")
    waiting = first_since.correlate(Case, newest).scalar_subquery().label("since")
    return (
        select(Case.number, newest.c.at, newest.c.actor, newest.c.by_customer, excerpt, waiting)
        .join(newest, true())
        .where(Case.desk_id == bindparam("desk"), Case.number == any_(bindparam("numbers", type_=ARRAY(Integer))))
    )


def _is_customers(event: type[CaseEvent]) -> ColumnElement[bool]:
    is_customers: ColumnElement[bool] = event.actor["kind"].astext == ActorKind.CUSTOMER.value
    return is_customers


_LAST: Final = _last()
