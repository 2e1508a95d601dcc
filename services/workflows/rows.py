"""A case and its events as rows of the record."""

from __future__ import annotations

import uuid
from typing import Any

from shared.contracts.events import STATES, details
from shared.domain import events as e
from shared.domain.case import CaseState

_SAME_IN_STATE = (
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
COLUMNS = (*_SAME_IN_STATE, "status", "cc", "state")
"""Of ``case``, those that follow its state."""


def case_columns(state: CaseState) -> dict[str, Any]:
    """The read model's columns, all taken from the state."""
    return {
        **{name: getattr(state, name) for name in _SAME_IN_STATE},
        "status": state.status.value,
        "cc": list(state.cc),
        "state": STATES.dump_python(state, mode="json"),
    }


def event_columns(case_id: uuid.UUID, event: e.Event, after: CaseState) -> dict[str, Any]:
    """The columns of an event that follow what was decided.

    Args:
        case_id: the case's.
        event: with the end of the window that it starts.
        after: the case right after it.
    """
    return {
        "case_id": case_id,
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
