"""Reading what has happened to a case, as far as the caller may see it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Row, bindparam, cast, exists, select, true

from services.api.answers import rfc3339
from services.api.callers import Caller
from services.api.cases.records import CaseRecord, unseen
from services.api.visibility import seen
from shared.contracts.events import CaseEvent as StreamedEvent
from shared.contracts.events import details
from shared.contracts.workflow import Outcome
from shared.db.models import Case, CaseEvent
from shared.db.viewed import Sight, ViewedDatabase
from shared.domain.commands import Comment
from shared.domain.decision import decide
from shared.domain.events import STAFF_ONLY, Commented, Noted
from shared.domain.refusals import Refusal

_row = CaseEvent.__table__.c
_EVENTS = select(_row.seq, _row.kind, _row.at, _row.actor, _row.command, _row.part, _row.data)
_OF_COMMAND = (
    _EVENTS.where(_row.case_id == bindparam("case"), _row.command_id == bindparam("command"))
    .order_by(_row.part)
    .limit(1)
)

_OTHER_CASE: Final[Mapping[str, str]] = {"followed_up": "number", "opened": "follow_up_of"}
"""Kinds of events that name another case, and the field in which they do."""


def hidden_from(caller: Caller) -> frozenset[str]:
    """Kinds of events that the caller never sees (desk-rules standard 5)."""
    return STAFF_ONLY if caller.is_customer else frozenset()


def shown_to(caller: Caller) -> ColumnElement[bool]:
    """Which events the caller is told of: no internal ones, and of follow-ups only those that they see.

    A condition on the table of events of the desk's cases. To whom a follow-up is hidden nothing has happened.
    """
    if not caller.is_customer:
        return true()
    number = cast(CaseEvent.data[_OTHER_CASE["followed_up"]].astext, Integer)
    sees_it = exists().where(Case.desk_id == caller.desk.id, Case.number == number, seen(caller.viewer))
    return CaseEvent.kind.not_in(hidden_from(caller)) & ((CaseEvent.kind != "followed_up") | sees_it)


async def read_events(
    session: Sight, caller: Caller, case_id: uuid.UUID, after_seq: int, limit: int
) -> list[dict[str, Any]]:
    """Events after ``after_seq`` in order, at most ``limit``, as they go out, without links to hidden cases."""
    query = _EVENTS.where(CaseEvent.case_id == case_id, CaseEvent.seq > after_seq, shown_to(caller))
    told = [event_out(row) for row in await session.execute(query.order_by(CaseEvent.seq).limit(limit))]
    link = _OTHER_CASE["opened"]
    hidden = await unseen(session, caller, (event.get(link) for event in told))
    return [event | {link: None} if event.get(link) in hidden else event for event in told]


async def told_live(
    database: ViewedDatabase, caller: Caller, event: StreamedEvent, fields: dict[str, Any]
) -> dict[str, Any] | None:
    """What the caller is told of an event that was published, whose case they see.

    Args:
        database: asked only for the few events that name another case.
        caller: whom.
        event: it is no internal one.
        fields: of the event as they were published.

    Returns:
        The fields for them; None for nothing.
    """
    link = _OTHER_CASE.get(event.kind, "")
    if not caller.is_customer or fields.get(link) is None:
        return fields
    async with database.read_as(caller.eyes) as session:
        found = await read_events(session, caller, uuid.UUID(event.case_id), event.data.seq - 1, 1)
    return fields | {link: found[0][link]} if found and found[0]["seq"] == event.data.seq else None


async def event_of_command(session: Sight, case_id: uuid.UUID, command_id: str) -> dict[str, Any] | None:
    """The first event that a command caused, as it goes out."""
    row = (await session.execute(_OF_COMMAND, {"case": case_id, "command": command_id})).one_or_none()
    return event_out(row) if row else None


def event_as_told(record: CaseRecord, comment: Comment, outcome: Outcome) -> dict[str, Any] | None:
    """The event that a comment became, known without reading it back: the machine decides the same words again.

    Returns:
        None if it has to be read: a comment with files, one whose first event is more than its words, or one that the
        machine would not take again.
    """
    if outcome.at is None or comment.attachments:
        return None
    decided = decide(record.state, record.policy, comment, outcome.at)
    if isinstance(decided, Refusal) or not decided or not isinstance(decided[0], Commented | Noted):
        return None
    event = decided[0]
    actor = {"kind": event.actor.kind.value, "email": event.actor.email, "name": event.actor.name}
    common = {"seq": outcome.seq, "kind": event.kind, "at": rfc3339(event.at), "actor": actor}
    return {**common, "command": event.command, "part": event.part, **details(event)}


async def kind_of(session: Sight, case_id: uuid.UUID, seq: int) -> str | None:
    """What kind event ``seq`` of the case is; None if there is none."""
    query = select(CaseEvent.kind).where(CaseEvent.case_id == case_id, CaseEvent.seq == seq)
    return (await session.scalars(query)).one_or_none()


def event_out(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """An event as it goes out: what it adds stands beside what all have."""
    return {
        "seq": row.seq,
        "kind": row.kind,
        "at": rfc3339(row.at),
        "actor": row.actor,
        "command": row.command,
        "part": row.part,
        **row.data,
    }
