"""Reading the lifecycle table: ``decide`` answers a command, ``allowed_actions`` tells what would be accepted.

No clock, no input or output: the time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import SYSTEM, ActorKind, CaseState, Status, WindowKind
from shared.domain.checks import malformed
from shared.domain.consequences import Facts, says_something
from shared.domain.evolution import evolve, replay
from shared.domain.lifecycle import LIFECYCLE, A, Action, Phase, Row
from shared.domain.limits import CC_MAX_ADDRESSES
from shared.domain.policy import OnceSealed, Policy, Reopen
from shared.domain.refusals import Refusal, RefusalCode


@lru_cache(maxsize=1024)
def _offered(policy: Policy, who: ActorKind, phase: Phase) -> Mapping[Action, Row]:
    """The line by which a desk of that policy offers each action to somebody of that kind; of several the first."""
    first = {row.action: row for row in reversed(LIFECYCLE) if row.fits(who, phase) and row.desk(policy)}
    return {action: first[action] for action in Action if action in first}


def phase_of(state: CaseState) -> Phase:
    """Where the case stands."""
    return Phase.SEALED if state.sealed else Phase(state.status.value)


def action_of(command: c.Command) -> Action:
    """Which action a command asks for; flags make some another."""
    if isinstance(command, c.Comment):
        flags = {A.NOTE: command.internal, A.SOLVE: command.solve, A.CLOSE: command.close, A.ASK: command.await_reply}
        return next((action for action, given in flags.items() if given), A.COMMENT)
    if isinstance(command, c.Assign) and command.take:
        return A.TAKE
    return Action(command.name.replace("_", "-"))


def _refuse(action: Action, who: ActorKind, state: CaseState, policy: Policy) -> Refusal:
    offered = [row for row in LIFECYCLE if row.action is action and row.desk(policy)]
    if not state.sealed and not any(who in row.who for row in offered):
        return _refuse_unoffered(action, who, bool(offered))
    return _refuse_phase(action, state, policy)


def _refuse_unoffered(action: Action, who: ActorKind, offered_to_others: bool) -> Refusal:
    if offered_to_others:
        return Refusal(
            code=RefusalCode.NOT_ALLOWED_FOR_ACTOR, detail=f"«{_in_words(action)}» is not open to a {who} here."
        )
    return Refusal(code=RefusalCode.NOT_OFFERED_BY_DESK, detail=f"This desk does not offer «{_in_words(action)}».")


def _refuse_phase(action: Action, state: CaseState, policy: Policy) -> Refusal:
    reopen_ended = state.ends_at(WindowKind.REOPEN)
    more = " Open a follow-up case instead." if policy.once_sealed is OnceSealed.FOLLOW_UP else ""
    if state.sealed and action is A.REOPEN and reopen_ended is not None:
        return Refusal(
            code=RefusalCode.REOPEN_WINDOW_PASSED,
            detail=f"The case can't be reopened any more: the time for it has ended.{more}",
            window_ended_at=reopen_ended,
        )
    if state.sealed:
        return Refusal(
            code=RefusalCode.CASE_SEALED, detail=f"The case is closed for good.{more}", window_ended_at=reopen_ended
        )
    if state.status is Status.CLOSED:
        how = "a reply reopens it" if policy.reopen is Reopen.BY_REPLY else "reopen it first"
        return Refusal(code=RefusalCode.CASE_CLOSED, detail=f"The case is closed; {how}.")
    return Refusal(
        code=RefusalCode.NOT_ALLOWED_IN_STATUS,
        detail=f"«{_in_words(action)}» is not possible while the case is «{policy.label(state.status)}».",
    )


def _in_words(action: Action) -> str:
    return action.value.replace("-", " ")


def _missing(row: Row, command: c.Command) -> Refusal | None:
    if row.needs == ("body",) and says_something(command):
        return None
    missing = tuple(name for name in row.needs if _is_blank(getattr(command, name)))
    if not missing:
        return None
    return Refusal(
        code=RefusalCode.REASON_REQUIRED if set(missing) <= {"reason", "comment"} else RefusalCode.FIELD_REQUIRED,
        detail=f"«{_in_words(row.action)}» needs: {', '.join(name.replace('_', ' ') for name in missing)}.",
        fields=missing,
    )


def _beyond(state: CaseState, command: c.Command) -> Refusal | None:
    """What a comment names that this case has no room for, or not yet."""
    if not isinstance(command, c.Comment):
        return None
    if command.in_reply_to is not None and command.in_reply_to > state.seq:
        detail = f"There is no event {command.in_reply_to} to reply to; the latest is {state.seq}."
        return Refusal(code=RefusalCode.MALFORMED, detail=detail, fields=("in_reply_to",))
    copied = len({*state.cc, *command.cc})
    if copied > max(CC_MAX_ADDRESSES, len(state.cc)):
        detail = f"cc: that would make {copied} addresses on the case; at most {CC_MAX_ADDRESSES}. Take some off first."
        return Refusal(code=RefusalCode.TOO_LONG, detail=detail, fields=("cc",))
    return None


def _is_blank(value: object) -> bool:
    return value is None or value == () or (isinstance(value, str) and not value.strip())


def allowed_actions(state: CaseState, policy: Policy, who: ActorKind, now: datetime) -> tuple[Row, ...]:
    """What somebody of that kind may do to the case now: the table read the other way.

    Args:
        state: the case; a window that has ended by ``now`` is taken as elapsed.
        policy: the policy pinned to the case.
        who: the capacity in which they act.
        now: aware, by the case's own clock.

    Returns:
        The lines of the table by which it would be accepted: each with its action and the fields that this needs.
    """
    state = elapsed(state, policy, now)
    return tuple(row for row in _offered(policy, who, phase_of(state)).values() if not row.unless(state, now))


def decide(state: CaseState | None, policy: Policy, command: c.Command, now: datetime) -> tuple[e.Event, ...] | Refusal:
    """Decide a command.

    Args:
        state: the case, or None if it has not been opened. If a window is ``overdue``, record its elapsing first.
        policy: the policy pinned to the case.
        command: what is asked.
        now: aware UTC, by the case's own clock.

    Returns:
        Events to record, in order and without gaps after ``state.seq``; none where everything is already as asked.
        Or the refusal.
    """
    if refusal := malformed(command, policy):
        return refusal
    facts = _facts(state, policy, command, now)
    if isinstance(facts, Refusal):
        return facts
    first = state.seq + 1 if state else 1
    return tuple(
        fact(
            seq=first + part,
            at=now,
            actor=command.actor,
            command_id=command.command_id,
            command=command.name,
            part=part,
        )
        for part, fact in enumerate(facts)
    )


def _facts(state: CaseState | None, policy: Policy, command: c.Command, now: datetime) -> Facts | Refusal:
    if isinstance(command, c.Open):
        if state is not None:
            return Refusal(code=RefusalCode.ALREADY_OPEN, detail="This case exists already.")
        fields = {name: getattr(command, name) for name in command.__slots__ if name != "name"}
        return (partial(e.Opened, **fields),)
    if state is None:
        return Refusal(code=RefusalCode.NO_SUCH_CASE, detail="There is no such case; open it first.")
    if isinstance(command, c.RecordRejection):
        return (
            partial(
                e.CommandRejected,
                rejected=command.command,
                code=command.code,
                detail=command.detail,
                received=command.received,
            ),
        )
    action, who = action_of(command), command.actor.kind
    row = _offered(policy, who, phase_of(state)).get(action)
    if row is None:
        return _refuse(action, who, state, policy)
    refusal = row.unless(state, now) or _missing(row, command) or _beyond(state, command)
    return refusal or tuple(row.then(state, policy, command))


def overdue(state: CaseState | None, now: datetime) -> c.Elapse | None:
    """The command that is due because the running window has ended: at the end or after it, never before."""
    if state is None or state.sealed or state.window is None or not state.window.has_ended(now):
        return None
    return c.Elapse(command_id=f"{c.ELAPSE_ID_PREFIX}{state.window.seq}", actor=SYSTEM)


def elapsed(state: CaseState, policy: Policy, now: datetime) -> CaseState:
    """The case as it will be once the timer, which may be a moment late, has done its work."""
    due = overdue(state, now)
    decided = decide(state, policy, due, now) if due else ()
    return state if isinstance(decided, Refusal) else replay(state, decided)


def as_opened(policy: Policy, command: c.Open, now: datetime) -> CaseState | None:
    """The case as its opening at that time leaves it, which needs no asking: None if it is refused.

    Args:
        policy, command, now: as of ``decide``.
    """
    decided = decide(None, policy, command, now)
    if isinstance(decided, Refusal):
        return None
    opened, *more = decided
    return replay(evolve(None, opened), more)
