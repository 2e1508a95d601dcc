"""How a case changes by what has happened: ``evolve`` applies one event, and nothing else changes a case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain import events as e
from shared.domain.case import ActorKind, CaseState, Status, Window, WindowKind


def evolve(state: CaseState | None, event: e.Event) -> CaseState:
    """Apply one event.

    Raises:
        ValueError: the event is not the next one of this case.
    """
    if isinstance(event, e.Opened) and state is None and event.seq == 1:
        return _opened(event)
    if isinstance(event, e.Opened) or state is None or event.seq != state.seq + 1:
        raise ValueError(f"event {event.seq} ({event.kind}) does not follow {state.seq if state else 'nothing'}")
    unnoticed = event.kind in e.STAFF_ONLY or isinstance(event, e.Sealed)
    updated_at = state.updated_at if unnoticed else event.at
    stepped = replace(state, seq=event.seq, status=status_after(state, event), updated_at=updated_at)
    return _with_details(stepped, event)


def replay(state: CaseState, events: Iterable[e.Event]) -> CaseState:
    """Apply several events in order."""
    for event in events:
        state = evolve(state, event)
    return state


def _staff_reply_or_assignment_takes_up(event: e.Event) -> bool:
    """desk-rules standard 1: a first staff reply or an assignment → open."""
    if isinstance(event, e.Assigned):
        return event.assignee is not None
    return isinstance(event, e.Commented) and event.actor.kind is ActorKind.STAFF


def status_after(state: CaseState, event: e.Event) -> Status:
    """The status that an event leads to; the only place where a status changes."""
    match event:
        case e.AwaitingCustomer():
            return Status.AWAITING_CUSTOMER
        case e.Resumed():
            return Status.ESCALATED if state.escalated_at else Status.OPEN
        case e.Escalated():
            return Status.ESCALATED
        case e.Resolved():
            return Status.RESOLVED
        case e.Rejected() | e.Reopened():
            return Status.OPEN
        case e.Closed():
            return Status.CLOSED
        case _ if state.status is Status.NEW and _staff_reply_or_assignment_takes_up(event):
            return Status.OPEN
        case _:
            return state.status


def _opened(event: e.Opened) -> CaseState:
    return CaseState(
        seq=event.seq,
        status=Status.NEW,
        subject=event.subject,
        reporter=event.reporter,
        created_at=event.at,
        updated_at=event.at,
        product=event.product,
        type=event.type,
        severity=event.severity,
        impact=event.impact,
        account=event.account,
        environment=event.environment,
        contact=event.contact,
        cc=event.cc,
        internal_reference=event.internal_reference,
        follow_up_of=event.follow_up_of,
    )


def _with_details(state: CaseState, event: e.Event) -> CaseState:
    match event:
        case e.Commented(cc=cc) if cc:
            return replace(state, cc=tuple(dict.fromkeys((*state.cc, *cc))))
        case e.Assigned():
            return replace(state, assignee=event.assignee)
        case e.Edited():
            edits: dict[str, Any] = {change.field: change.after for change in event.changes}
            return replace(state, **edits)
        case e.Escalated():
            return replace(state, escalated_at=event.at)
        case e.ClosureRequested():
            return replace(state, closure_requested_at=event.at)
        case e.Resolved():
            window = _window(WindowKind.AUTO_CLOSE, event.seq, event.auto_close_after, event.auto_close_at)
            return replace(state, resolved_at=event.at, resolution=event.resolution, window=window)
        case e.Accepted():
            return replace(state, survey=event.survey)
        case e.Closed():
            window = _window(WindowKind.REOPEN, event.seq, event.reopen_within, event.reopen_until)
            return replace(state, closed_at=event.at, closed_reason=event.reason, window=window)
        case e.Rejected() | e.Reopened():
            return _taken_up_again(state)
        case e.Sealed():
            return replace(state, sealed=True)
        case e.FollowedUp():
            return replace(state, follow_ups=(*state.follow_ups, event.number))
        case e.Surveyed():
            return replace(state, survey=event.survey)
        case _:
            return state


def _taken_up_again(state: CaseState) -> CaseState:
    """A rejected resolution counts as reopening: what was said about the last ending is void."""
    return replace(
        state,
        resolution=None,
        survey=None,
        closure_requested_at=None,
        escalated_at=None,
        resolved_at=None,
        closed_at=None,
        closed_reason=None,
        window=None,
    )


def _window(kind: WindowKind, seq: int, days: int | None, ends_at: datetime | None) -> Window | None:
    return Window(kind=kind, seq=seq, business_days=days, ends_at=ends_at) if days is not None else None


def next_deadline(state: CaseState | None) -> datetime | None:
    """When the case must be looked at again without anybody asking, or None."""
    if state is None or state.sealed or state.window is None:
        return None
    return state.window.ends_at


def is_over(state: CaseState | None) -> bool:
    """Whether nothing will happen to the case by itself any more, so that its workflow may complete."""
    return state is not None and (state.sealed or (state.status is Status.CLOSED and state.window is None))


def with_window_end(state: CaseState, seq: int, ends_at: datetime) -> CaseState:
    """Note the recorded end of the window that event ``seq`` started, if that window is still the running one."""
    if state.window is None or state.window.seq != seq:
        return state
    return replace(state, window=replace(state.window, ends_at=ends_at))
