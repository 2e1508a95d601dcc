"""What each action leads to: the last column of the lifecycle table, written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import ActorKind, CaseState, Resolution, Status, Survey
from shared.domain.policy import OnResolve, Policy, Reopen

Facts = Iterable[Callable[..., e.Event]]
"""Events that still lack their number, time and cause; ``decide`` stamps them."""


def says_something(command: c.Command) -> bool:
    """Whether a comment carries words or files."""
    return isinstance(command, c.Comment) and bool(command.body.strip() or command.attachments)


def commented(_state: CaseState, _policy: Policy, command: c.Comment) -> Facts:
    yield partial(
        e.Commented,
        body=command.body,
        in_reply_to=command.in_reply_to,
        cc=command.cc,
        attachments=command.attachments,
    )


def answered(state: CaseState, policy: Policy, command: c.Comment) -> Facts:
    yield from commented(state, policy, command)
    if command.actor.kind is ActorKind.CUSTOMER:
        yield e.Resumed


def asked(state: CaseState, policy: Policy, command: c.Comment) -> Facts:
    yield from commented(state, policy, command)
    if state.status is not Status.AWAITING_CUSTOMER:
        yield e.AwaitingCustomer


def reopened_by_comment(state: CaseState, policy: Policy, command: c.Comment) -> Facts:
    yield from commented(state, policy, command)
    yield e.Reopened


def noted(_state: CaseState, _policy: Policy, command: c.Comment) -> Facts:
    yield partial(e.Noted, body=command.body, in_reply_to=command.in_reply_to, attachments=command.attachments)


def solved(state: CaseState, policy: Policy, command: c.Comment) -> Facts:
    if says_something(command):
        yield from commented(state, policy, command)
    yield from resolved_as(None, policy)


def assigned(state: CaseState, _policy: Policy, command: c.Assign) -> Facts:
    if command.assignee != state.assignee:
        yield partial(e.Assigned, assignee=command.assignee, previous=state.assignee)


def edited(state: CaseState, _policy: Policy, command: c.Edit) -> Facts:
    changes = tuple(
        e.Change(field=name, before=getattr(state, name), after=value)
        for name, value in command.changes.items()
        if getattr(state, name) != value
    )
    if changes:
        yield partial(e.Edited, changes=changes)


def attached(_state: CaseState, _policy: Policy, command: c.Attach) -> Facts:
    yield partial(e.Attached, attachments=command.attachments)


def attachment_removed(_state: CaseState, _policy: Policy, command: c.RemoveAttachment) -> Facts:
    yield partial(e.NoteAttachmentRemoved if command.internal else e.AttachmentRemoved, attachment=command.attachment)


def escalated(_state: CaseState, _policy: Policy, command: c.Escalate) -> Facts:
    yield partial(e.Escalated, comment=command.comment)


def closure_requested(_state: CaseState, _policy: Policy, command: c.RequestClose) -> Facts:
    yield partial(e.ClosureRequested, comment=command.comment)


def resolved(_state: CaseState, policy: Policy, command: c.Resolve) -> Facts:
    resolution = Resolution(
        resolution_type=command.resolution_type, summary=command.summary, root_cause=command.root_cause
    )
    if policy.on_resolve is OnResolve.CLOSE:
        yield partial(e.Resolved, resolution=resolution)
        yield from closed_for("resolved", policy)
    else:
        yield from resolved_as(resolution, policy)


def accepted(_state: CaseState, policy: Policy, command: c.Accept) -> Facts:
    yield partial(e.Accepted, survey=command.survey)
    yield from closed_for("accepted", policy)


def rejected(_state: CaseState, _policy: Policy, command: c.Reject) -> Facts:
    yield partial(e.Rejected, reason=command.reason)


def closed(state: CaseState, policy: Policy, command: c.Close | c.Comment) -> Facts:
    if isinstance(command, c.Comment) and says_something(command):
        yield from commented(state, policy, command)
    comment = command.comment if isinstance(command, c.Close) else ""
    by_customer = command.actor.kind is ActorKind.CUSTOMER
    yield from closed_for("closed_by_customer" if by_customer else "closed_by_staff", policy, comment)


def reopened(_state: CaseState, _policy: Policy, command: c.Reopen) -> Facts:
    yield partial(e.Reopened, reason=command.reason)


def surveyed(_state: CaseState, _policy: Policy, command: c.AnswerSurvey) -> Facts:
    yield partial(e.Surveyed, survey=Survey(q1=command.q1, q2=command.q2))


def followed_up(state: CaseState, _policy: Policy, command: c.FollowUp) -> Facts:
    if command.number not in state.follow_ups:
        yield partial(e.FollowedUp, number=command.number)


def closed_by_silence(_state: CaseState, policy: Policy, _command: c.Elapse) -> Facts:
    yield from closed_for("no_answer", policy)


def sealed(_state: CaseState, _policy: Policy, _command: c.Elapse) -> Facts:
    yield e.Sealed


def resolved_as(resolution: Resolution | None, policy: Policy) -> Facts:
    yield partial(e.Resolved, resolution=resolution, auto_close_after=policy.auto_close_after)


def closed_for(reason: e.ClosedReason, policy: Policy, comment: str = "") -> Facts:
    within = policy.reopen_within if isinstance(policy.reopen_within, int) else None
    yield partial(e.Closed, reason=reason, comment=comment, reopen_within=within)
    if policy.reopen is Reopen.NO:
        yield e.Sealed
