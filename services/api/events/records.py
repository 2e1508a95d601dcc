"""Reading what has happened to a case, as far as the caller may see it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, select, true

from services.api.answers import rfc3339
from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.events.links import with_links_in_sight
from shared.contracts.events import details
from shared.contracts.workflow import Outcome
from shared.db.models import CaseEvent
from shared.db.viewed import Sight
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


def hidden_from(caller: Caller) -> frozenset[str]:
    """Kinds of events that the caller never sees (desk-rules standard 5)."""
    return STAFF_ONLY if caller.is_customer else frozenset()


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    hidden = hidden_from(caller)
    return CaseEvent.kind.not_in(hidden) if hidden else true()


async def read_events(
    session: Sight, caller: Caller, case_id: uuid.UUID, after_seq: int, limit: int
) -> list[dict[str, Any]]:
    """Events after ``after_seq`` in order, at most ``limit``, as they go out."""
    shown: list[dict[str, Any]] = []
    while len(shown) < limit:
        query = _EVENTS.where(CaseEvent.case_id == case_id, CaseEvent.seq > after_seq, _shown_to(caller))
        wanted = limit - len(shown)
        rows = (await session.execute(query.order_by(CaseEvent.seq).limit(wanted))).all()
        shown += await with_links_in_sight(session, caller, [(row.kind, event_out(row)) for row in rows])
        if len(rows) < wanted:
            break
        after_seq = rows[-1].seq
    return shown


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
