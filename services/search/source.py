"""Cases as Postgres has them, in the form in which they are indexed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Row, Text, Uuid, and_, any_, bindparam, case, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from services.search.index import CaseDocument
from shared.db.cases import DUE_AT
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent, Desk, Person
from shared.domain.events import STAFF_ONLY
from shared.domain.policy import IMPACTS

_CASE_COLUMNS: Final = (
    Case.id,
    Case.number,
    Case.seq,
    Case.subject,
    Case.status,
    Case.product,
    Case.type,
    Case.severity,
    Case.impact,
    Case.account,
    Case.reporter,
    Case.contact,
    Case.cc,
    Case.assignee,
    Case.created_at,
    Case.updated_at,
    Case.state["internal_reference"].astext.label("internal_reference"),
    Desk.slug,
    Desk.key,
    Desk.severities,
    CaseEvent.recorded_at,
    DUE_AT.label("due_at"),
)
_WRITTEN: Final = func.nullif(
    func.concat_ws(
        "\n",
        CaseEvent.data["description"].astext,
        CaseEvent.data["body"].astext,
        CaseEvent.data["comment"].astext,
        # The reason for which a case closed is a code, not a text (`shared.domain.events.text_of`).
        case((CaseEvent.kind.in_(("rejected", "reopened")), CaseEvent.data["reason"].astext)),
        CaseEvent.data[("resolution", "summary")].astext,
        CaseEvent.data[("resolution", "root_cause")].astext,
    ),
    "",
)
_WITH_TEXT: Final = (
    "opened",
    "commented",
    "noted",
    "escalated",
    "closure_requested",
    "resolved",
    "rejected",
    "closed",
    "reopened",
)


_ANY_CASE: Final = any_(bindparam("ids", type_=ARRAY(Uuid)))
# Made once: building a statement costs as much as executing it.
_CASES: Final = (
    select(*_CASE_COLUMNS)
    .join(Desk, Desk.id == Case.desk_id)
    .outerjoin(CaseEvent, and_(CaseEvent.case_id == Case.id, CaseEvent.seq == Case.seq))
    .where(Case.id == _ANY_CASE)
)
_ALL_WRITTEN: Final = func.string_agg(_WRITTEN, aggregate_order_by(literal("\n"), CaseEvent.seq))
_FOR_STAFF: Final = CaseEvent.kind.in_(STAFF_ONLY)
_TEXTS: Final = (
    select(CaseEvent.case_id, _ALL_WRITTEN.filter(~_FOR_STAFF), _ALL_WRITTEN.filter(_FOR_STAFF))
    .where(CaseEvent.case_id == _ANY_CASE, CaseEvent.kind.in_(_WITH_TEXT))
    .group_by(CaseEvent.case_id)
)
_NAMES: Final = select(Person.email, Person.name).where(Person.email == any_(bindparam("emails", type_=ARRAY(Text))))


async def read_cases(database: Database, ids: Collection[UUID]) -> list[CaseDocument]:
    """Read cases with everything that can be searched in them, in three statements however many they are.

    The cases are read before their texts, so that a document never lacks the text of an event up to its ``seq``.

    Args:
        database: to read from.
        ids: which cases; those that don't exist are left out.
    """
    if not ids:
        return []
    ids = list(ids)
    async with database.reading() as connection:
        rows = (await connection.execute(_CASES, {"ids": ids})).all()
        texts = await _texts(connection, ids)
        people = {row.id: _people(row) for row in rows}
        names = await _names(connection, {address for each in people.values() for address in each})
    return [_document(row, texts[row.id], people[row.id], names) for row in rows]


async def case_ids(database: Database, *, desk: str | None, batch: int) -> AsyncIterator[list[UUID]]:
    """The ids of all cases, or of one desk's, a batch at a time.

    They come desk by desk and in the order of their numbers, as they lie in Postgres: in that of their ids, which are
    random, almost every case and every event would be another page to fetch from the disk.
    """
    place, last = (Case.desk_id, Case.number), (0, 0)
    while True:
        query = select(Case.id, *place).where(tuple_(*place) > tuple_(*last)).order_by(*place).limit(batch)
        if desk is not None:
            query = query.join(Desk, Desk.id == Case.desk_id).where(Desk.slug == desk)
        async with database.reading() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return
        yield [row.id for row in rows]
        last = (rows[-1].desk_id, rows[-1].number)


async def count_cases(database: Database, desk: str | None) -> int:
    """How many cases there are, or one desk has."""
    query = select(func.count()).select_from(Case)
    if desk is not None:
        query = query.join(Desk, Desk.id == Case.desk_id).where(Desk.slug == desk)
    async with database.read() as session:
        return await session.scalar(query) or 0


async def desk_exists(database: Database, desk: str) -> bool:
    """Whether there is a desk of that slug."""
    async with database.read() as session:
        return await session.scalar(select(Desk.id).where(Desk.slug == desk)) is not None


async def _texts(connection: AsyncConnection, ids: Collection[UUID]) -> Mapping[UUID, tuple[str, str]]:
    """What people wrote in each case: for everybody, and for staff alone."""
    found: defaultdict[UUID, tuple[str, str]] = defaultdict(lambda: ("", ""))
    for case_id, public, internal in await connection.execute(_TEXTS, {"ids": ids}):
        found[case_id] = (public or "", internal or "")
    return found


async def _names(connection: AsyncConnection, addresses: Collection[str]) -> dict[str, str]:
    return dict((await connection.execute(_NAMES, {"emails": list(addresses)})).all())


def _people(row: Row[tuple[object, ...]]) -> list[str]:
    return list(dict.fromkeys(filter(None, (row.reporter, row.contact, *row.cc))))


def _document(
    row: Row[tuple[object, ...]], texts: tuple[str, str], people: Sequence[str], names: Mapping[str, str]
) -> CaseDocument:
    return CaseDocument(
        id=str(row.id),
        desk=row.slug,
        key=row.key,
        number=row.number,
        seq=row.seq,
        subject=row.subject,
        text=texts[0],
        internal=texts[1],
        people=people,
        names=[names[address] for address in people if address in names],
        internal_reference=row.internal_reference,
        status=row.status,
        product=row.product,
        type=row.type,
        severity=row.severity,
        severity_rank=_rank(row.severity, row.severities),
        impact=row.impact,
        impact_rank=_rank(row.impact, IMPACTS),
        account=row.account,
        assignee=row.assignee,
        created_at=row.created_at,
        updated_at=row.updated_at,
        recorded_at=row.recorded_at,
        due_at=row.due_at,
    )


def _rank(value: str | None, order: Sequence[str]) -> int | None:
    """The place of a value in its list; one that the list no longer has comes after all others."""
    if value is None:
        return None
    return order.index(value) if value in order else len(order)
