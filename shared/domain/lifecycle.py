"""The life of a case, as one table.

Read a line as: this action may be taken by these people, in these phases, on desks with this habit; it leads to
that, if it is given these fields, unless that is in the way. ``decision.py`` reads the table, nothing else decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.domain import consequences as leads_to
from shared.domain.case import ActorKind, CaseState
from shared.domain.consequences import Facts
from shared.domain.policy import CommentOnResolved, EndBy, OnceSealed, Policy, Reopen
from shared.domain.refusals import Refusal, RefusalCode


class Action(StrEnum):
    """What can be done to a case, by the names of the HTTP routes."""

    COMMENT = "comment"
    NOTE = "note"
    ASK = "ask"
    SOLVE = "solve"
    ASSIGN = "assign"
    TAKE = "take"
    EDIT = "edit"
    ATTACH = "attach"
    REMOVE_ATTACHMENT = "remove-attachment"
    ESCALATE = "escalate"
    REQUEST_CLOSE = "request-close"
    RESOLVE = "resolve"
    ACCEPT = "accept"
    REJECT = "reject"
    CLOSE = "close"
    REOPEN = "reopen"
    SURVEY = "survey"
    FOLLOW_UP = "follow-up"
    ELAPSE = "elapse"


class Phase(StrEnum):
    """Where a case stands: its status, and of closed cases whether they are sealed."""

    NEW = "new"
    OPEN = "open"
    AWAITING_CUSTOMER = "awaiting_customer"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    SEALED = "sealed"


CUSTOMER = frozenset({ActorKind.CUSTOMER})
STAFF = frozenset({ActorKind.STAFF, ActorKind.SERVICE})
PEOPLE = CUSTOMER | STAFF
SYSTEM_ONLY = frozenset({ActorKind.SYSTEM})

NEW, OPEN, AWAITING, ESCALATED = Phase.NEW, Phase.OPEN, Phase.AWAITING_CUSTOMER, Phase.ESCALATED
RESOLVED, CLOSED, SEALED = Phase.RESOLVED, Phase.CLOSED, Phase.SEALED
ACTIVE = frozenset({NEW, OPEN, AWAITING, ESCALATED})
WORKING = ACTIVE | {RESOLVED}
EVER = WORKING | {CLOSED, SEALED}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: who may do what, in which phase, on which desks, giving what, and what leads to."""

    action: Action
    who: frozenset[ActorKind]
    phases: frozenset[Phase]
    desk: Callable[[Policy], bool]
    then: Callable[[CaseState, Policy, Any], Facts]
    needs: tuple[str, ...] = ()
    unless: Callable[[CaseState, datetime], Refusal | None] = lambda _state, _now: None

    def fits(self, who: ActorKind, phase: Phase) -> bool:
        """Whether it is about them and such a case."""
        return who in self.who and phase in self.phases


def _already_escalated(state: CaseState, _now: datetime) -> Refusal | None:
    if state.escalated_at is None:
        return None
    return Refusal(
        code=RefusalCode.ALREADY_ESCALATED,
        detail="The case has been escalated already; it can be escalated again once it has been reopened.",
    )


def _already_assigned(state: CaseState, _now: datetime) -> Refusal | None:
    if state.assignee is None:
        return None
    return Refusal(
        code=RefusalCode.ALREADY_ASSIGNED,
        detail=f"{state.assignee} has the case already; to take it over, assign it to yourself.",
    )


def _closure_already_requested(state: CaseState, _now: datetime) -> Refusal | None:
    if state.closure_requested_at is None:
        return None
    return Refusal(
        code=RefusalCode.CLOSURE_ALREADY_REQUESTED,
        detail="Closing has been requested already; the desk's staff will see to it.",
    )


def _survey_not_due(state: CaseState, _now: datetime) -> Refusal | None:
    if state.closed_reason == "accepted" and state.survey is None:
        return None
    return Refusal(
        code=RefusalCode.SURVEY_NOT_OFFERED,
        detail="The survey is offered once, after a resolution has been accepted.",
    )


def _no_window_ended(state: CaseState, now: datetime) -> Refusal | None:
    if state.window is not None and state.window.has_ended(now):
        return None
    return Refusal(code=RefusalCode.NOTHING_TO_DO, detail="No window has ended.")


def _always(_policy: Policy) -> bool:
    return True


def _ends_by(way: EndBy) -> Callable[[Policy], bool]:
    return lambda policy: way in policy.customer_may_end_by


def _stays_resolved(policy: Policy) -> bool:
    return policy.stays_resolved


def _comment_reopens(policy: Policy) -> bool:
    return policy.comment_on_resolved is CommentOnResolved.REOPENS


def _comment_only(policy: Policy) -> bool:
    return policy.comment_on_resolved is CommentOnResolved.COMMENT_ONLY


def _reopens(way: Reopen) -> Callable[[Policy], bool]:
    return lambda policy: policy.reopen is way


def _escalates(policy: Policy) -> bool:
    return policy.escalate


def _confirms(policy: Policy) -> bool:
    return policy.accept_reject


def _surveys(policy: Policy) -> bool:
    return policy.survey


def _follows_up(policy: Policy) -> bool:
    return policy.once_sealed is OnceSealed.FOLLOW_UP


A = Action
CLOSED_ONLY, SEALED_ONLY, ENDED = frozenset({CLOSED}), frozenset({SEALED}), frozenset({CLOSED, SEALED})
RESOLVED_ONLY, AWAITING_ONLY = frozenset({RESOLVED}), frozenset({AWAITING})

# fmt: off
LIFECYCLE: tuple[Row, ...] = (
    #   action               by           in phase             on desks where                leads to                         given                           unless
    Row(A.COMMENT,           PEOPLE,      ACTIVE - {AWAITING}, _always,                      leads_to.commented,              ("body",)),
    Row(A.COMMENT,           PEOPLE,      AWAITING_ONLY,       _always,                      leads_to.answered,               ("body",)),
    Row(A.COMMENT,           STAFF,       RESOLVED_ONLY,       _always,                      leads_to.commented,              ("body",)),
    Row(A.COMMENT,           CUSTOMER,    RESOLVED_ONLY,       _comment_reopens,             leads_to.reopened_by_comment,    ("body",)),
    Row(A.COMMENT,           CUSTOMER,    RESOLVED_ONLY,       _comment_only,                leads_to.commented,              ("body",)),
    Row(A.COMMENT,           PEOPLE,      CLOSED_ONLY,         _reopens(Reopen.BY_REPLY),    leads_to.reopened_by_comment,    ("body",)),
    Row(A.NOTE,              STAFF,       EVER,                _always,                      leads_to.noted,                  ("body",)),
    Row(A.ASK,               STAFF,       ACTIVE,              _always,                      leads_to.asked,                  ("body",)),
    Row(A.SOLVE,             CUSTOMER,    ACTIVE,              _ends_by(EndBy.SOLVE),        leads_to.solved),
    Row(A.ASSIGN,            STAFF,       WORKING,             _always,                      leads_to.assigned),
    Row(A.TAKE,              STAFF,       WORKING,             _always,                      leads_to.assigned,               (),                             _already_assigned),
    Row(A.EDIT,              PEOPLE,      WORKING,             _always,                      leads_to.edited),
    Row(A.ATTACH,            PEOPLE,      WORKING,             _always,                      leads_to.attached,               ("attachments",)),
    Row(A.REMOVE_ATTACHMENT, PEOPLE,      WORKING,             _always,                      leads_to.attachment_removed,     ("attachment",)),
    Row(A.ESCALATE,          PEOPLE,      ACTIVE,              _escalates,                   leads_to.escalated,              ("comment",),                   _already_escalated),
    Row(A.REQUEST_CLOSE,     CUSTOMER,    ACTIVE,              _ends_by(EndBy.REQUEST),      leads_to.closure_requested,      (),                             _closure_already_requested),
    Row(A.RESOLVE,           STAFF,       ACTIVE,              _always,                      leads_to.resolved,               ("resolution_type", "summary")),
    Row(A.ACCEPT,            CUSTOMER,    RESOLVED_ONLY,       _confirms,                    leads_to.accepted),
    Row(A.REJECT,            CUSTOMER,    RESOLVED_ONLY,       _confirms,                    leads_to.rejected,               ("reason",)),
    Row(A.CLOSE,             STAFF,       WORKING,             _always,                      leads_to.closed),
    Row(A.CLOSE,             CUSTOMER,    ACTIVE,              _ends_by(EndBy.CLOSE),        leads_to.closed),
    Row(A.REOPEN,            STAFF,       RESOLVED_ONLY,       _stays_resolved,              leads_to.reopened,               ("reason",)),
    Row(A.REOPEN,            PEOPLE,      CLOSED_ONLY,         _reopens(Reopen.BY_ACTION),   leads_to.reopened,               ("reason",)),
    Row(A.SURVEY,            CUSTOMER,    ENDED,               _surveys,                     leads_to.surveyed,               ("q1", "q2"),                   _survey_not_due),
    Row(A.FOLLOW_UP,         PEOPLE,      SEALED_ONLY,         _follows_up,                  leads_to.followed_up),
    Row(A.ELAPSE,            SYSTEM_ONLY, RESOLVED_ONLY,       _always,                      leads_to.closed_by_silence,      (),                             _no_window_ended),
    Row(A.ELAPSE,            SYSTEM_ONLY, CLOSED_ONLY,         _always,                      leads_to.sealed,                 (),                             _no_window_ended),
)
# fmt: on
