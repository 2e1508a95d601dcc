"""What the head of a case says besides its fields: how long its windows run, what is asked for, what ended it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.api.callers import Caller
from services.api.portal.case.view import CaseView
from shared.domain.case import Status
from shared.domain.policy import CommentOnResolved, OnceSealed, Policy, Reopen

CLOSED_REASONS: Final = {
    "accepted": "the resolution was accepted",
    "no_answer": "nobody answered the resolution",
    "resolved": "it was resolved",
    "closed_by_customer": "the customer closed it",
    "closed_by_staff": "the desk closed it",
}


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, at its end a date.

    Args:
        icon: of it.
        text: the sentence up to the date.
        at: the date; None: there is none.
        is_end: the date is the end of a window: what is left of it is said too.
        more: a further sentence.
        tone: info, warn or good.
    """

    icon: str
    text: str
    at: datetime | None = None
    is_end: bool = False
    more: str = ""
    tone: str = "info"


def notes_on(view: CaseView, caller: Caller) -> list[Note]:
    """What is to be said about a case."""
    notes = [*_asked_for(view, caller)]
    if view.case.status == Status.RESOLVED:
        notes.append(_resolved(view, caller))
    if view.case.status == Status.CLOSED:
        notes.append(_closed(view))
    return notes


def _asked_for(view: CaseView, caller: Caller) -> list[Note]:
    case = view.case
    notes = []
    if case.escalated_at and case.status not in (Status.ESCALATED, Status.CLOSED):
        notes.append(Note("flame", "Escalated on", case.escalated_at, tone="warn"))
    if case.closure_requested_at and case.status != Status.CLOSED:
        more = "" if caller.is_customer else "Resolve or close the case if nothing is left to do."
        notes.append(Note("check-check", "Closing was requested on", case.closure_requested_at, more=more, tone="warn"))
    return notes


def _resolved(view: CaseView, caller: Caller) -> Note:
    case, policy = view.case, view.record.policy
    asks = policy.accept_reject
    if caller.is_customer:
        more = "Accept or reject the resolution." if asks else ""
        if policy.comment_on_resolved is CommentOnResolved.REOPENS:
            more = f"{more} A comment from you reopens it.".strip()
    else:
        more = "The customer is asked to accept or reject the resolution." if asks else ""
    if case.auto_close_at is None:
        return Note("hourglass", "Waiting for the customer's confirmation.", more=more, tone="good")
    return Note("hourglass", "Closes by itself on", case.auto_close_at, is_end=True, more=more, tone="good")


def _closed(view: CaseView) -> Note:
    case, policy = view.case, view.record.policy
    until = case.reopen_until
    over = case.sealed or (until is not None and until <= view.now)
    if over and until is not None:
        return Note("lock", "Closed for good: the time for reopening it ended on", until)
    if over:
        return Note("lock", "Closed for good.")
    if policy.reopen is Reopen.BY_REPLY:
        return Note("rotate-ccw", "Closed. A reply opens it again.")
    if until is not None:
        return Note("rotate-ccw", "Can be reopened until", until, is_end=True)
    return Note("lock", "Closed.")


def what_follows(name: str, view: CaseView) -> str:
    """What an action leads to on this desk, in words for whoever is about to take it."""
    policy = view.record.policy
    match name:
        case "escalate":
            status = policy.label(Status.ESCALATED)
            return f"The status becomes «{status}». A case is escalated once, until it is reopened."
        case "request-close":
            return "The desk is told that nothing is left to do. The status does not change."
        case "resolve" if policy.on_resolve == "close":
            return _becomes(policy, Status.CLOSED) + _afterwards(policy)
        case "resolve":
            return _becomes(policy, Status.RESOLVED) + _confirmation(policy)
        case "solve":
            return _becomes(policy, Status.RESOLVED) + _confirmation(policy)
        case "accept" | "close":
            return _becomes(policy, Status.CLOSED) + _afterwards(policy)
        case "reject" | "reopen":
            return _becomes(policy, Status.OPEN)
        case _:
            return ""


def _becomes(policy: Policy, status: Status) -> str:
    return f"The status becomes «{policy.label(status)}»."


def _confirmation(policy: Policy) -> str:
    said = " The customer is asked to accept or reject the resolution." if policy.accept_reject else ""
    if policy.auto_close_after:
        said += f" Without an answer it closes by itself after {policy.auto_close_after} business days"
        said += "; until then a comment reopens it." if policy.comment_on_resolved == "reopens" else "."
    return said


def _afterwards(policy: Policy) -> str:
    if policy.reopen is Reopen.BY_REPLY:
        return " A reply opens it again."
    if isinstance(policy.reopen_within, int):
        return f" It can be reopened for {policy.reopen_within} business days."
    return " It can't be reopened" + (
        ", but followed up." if policy.once_sealed is OnceSealed.FOLLOW_UP else "; for more, open a new case."
    )
