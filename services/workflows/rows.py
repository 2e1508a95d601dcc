"""The rows that are written when something happens to a case: what it looks like now, and what happened."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    DateTime,
    Insert,
    Integer,
    Text,
    bindparam,
    column,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate
from sqlalchemy.types import TypeEngine

from shared.contracts.events import STATES, details
from shared.contracts.workflow import RecordRequest
from shared.db.cases import POLICIES
from shared.db.models import Base
from shared.domain.case import CaseState
from shared.domain.events import Event, Opened

_SAME_IN_STATE: Final = (
    "seq",
    "subject",
    "product",
    "type",
    "severity",
    "impact",
    "account",
    "reporter",
    "contact",
    "assignee",
    "created_at",
    "updated_at",
)
_LOOKS: Final = (*_SAME_IN_STATE, "status", "cc", "state")
_OF_NEW: Final = ("id", "number", "policy", "policy_version", "description", "clock_offset")
_OF_EVENT: Final[dict[str, TypeEngine[Any]]] = {
    "seq": Integer(),
    "kind": Text(),
    "at": DateTime(timezone=True),
    "actor": JSONB(),
    "actor_email": Text(),
    "command_id": Text(),
    "command": Text(),
    "part": Integer(),
    "data": JSONB(),
    "snapshot": JSONB(),
    "traceparent": Text(),
}
_CASE, _EVENT, _DESK = (Base.metadata.tables[name] for name in ("case", "case_event", "desk"))


def _with_events(written: ReturningInsert[Any] | ReturningUpdate[Any]) -> Insert:
    """One statement, which the server carries out as a whole: the case is written, and if it was, its events."""
    case = written.cte("written")
    columns = [column(name, kind) for name, kind in _OF_EVENT.items()]
    events = func.jsonb_to_recordset(bindparam("events", type_=JSONB)).table_valued(*columns, name="happened")
    events = events.render_derived(with_types=True)
    rows = select(case.c.id, *(events.c[name] for name in _OF_EVENT)).join_from(case, events, true())
    return insert(_EVENT).from_select(["case_id", *_OF_EVENT], rows.order_by(events.c.seq)).add_cte(case)


# Made once: building a statement costs as much as executing it.
_OPEN = _with_events(
    insert(_CASE)
    .values(
        {name: bindparam(name) for name in (*_LOOKS, *_OF_NEW)}
        | {"desk_id": select(_DESK.c.id).where(_DESK.c.slug == bindparam("desk")).scalar_subquery()}
    )
    .returning(_CASE.c.id)
)
_CHANGE = _with_events(
    update(_CASE)
    .where(_CASE.c.id == bindparam("case_id"), _CASE.c.seq == bindparam("seq_before"))
    .values({name: bindparam(name) for name in _LOOKS})
    .returning(_CASE.c.id)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Happened:
    """What is written down of some consecutive events of a case.

    Args:
        events: one at least.
        snapshots: the case right after each of them.
        traces: W3C trace context by command id.
        files: what an event tells of its files, by the event's number.
    """

    events: Sequence[Event]
    snapshots: Sequence[CaseState]
    traces: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """For the statements that write it."""
        rows = zip(self.events, self.snapshots, strict=True)
        return case_columns(self.snapshots[-1]) | {"events": [self._row(event, after) for event, after in rows]}

    def _row(self, event: Event, after: CaseState) -> dict[str, Any]:
        row = event_columns(event, after) | {"traceparent": self.traces.get(event.command_id)}
        if event.seq in self.files:
            row["data"] |= {"files": self.files[event.seq]}
        return row


def case_columns(state: CaseState) -> dict[str, Any]:
    """The columns of a case that follow its state."""
    same = {name: getattr(state, name) for name in _SAME_IN_STATE}
    return same | {
        "status": state.status.value,
        "cc": list(state.cc),
        "state": STATES.dump_python(state, mode="json"),
    }


def event_columns(event: Event, after: CaseState) -> dict[str, Any]:
    """The columns of an event that follow what was decided.

    Args:
        event: with the end of the window that it starts.
        after: the case right after it.
    """
    return {
        "seq": event.seq,
        "kind": event.kind,
        "at": event.at,
        "actor": {"kind": event.actor.kind.value, "email": event.actor.email, "name": event.actor.name},
        "actor_email": event.actor.email,
        "command_id": event.command_id,
        "command": event.command,
        "part": event.part,
        "data": details(event),
        "snapshot": STATES.dump_python(after, mode="json"),
    }


async def write_new(
    connection: AsyncConnection, case_id: uuid.UUID, request: RecordRequest, happened: Happened
) -> None:
    """Write a case that has just been opened.

    Raises:
        ValueError: the request lacks the policy.
        sqlalchemy.exc.IntegrityError: there is one with that id or number.
    """
    if request.policy is None:
        raise ValueError("a case is opened with its policy")
    opened = happened.events[0]
    new = {
        "id": case_id,
        "desk": request.desk,
        "number": request.number,
        "policy": POLICIES.dump_python(request.policy, mode="json"),
        "policy_version": request.policy_version,
        "description": opened.description if isinstance(opened, Opened) else "",
        "clock_offset": timedelta(seconds=request.clock_offset),
    }
    await connection.execute(_OPEN, new | happened.values())


async def write_change(connection: AsyncConnection, case_id: uuid.UUID, happened: Happened) -> bool:
    """Write what has happened to a case.

    Returns:
        Whether it was written: not if the case's latest event is not the one before these.
    """
    before = {"case_id": case_id, "seq_before": happened.events[0].seq - 1}
    return (await connection.execute(_CHANGE, before | happened.values())).rowcount > 0
