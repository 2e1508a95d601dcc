"""Write ``docs/lifecycle.md`` from the lifecycle table, by asking the machine what each line of it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.domain import commands as c
from shared.domain.case import SYSTEM, Actor, ActorKind, CaseState, Status, Window, WindowKind
from shared.domain.decision import decide
from shared.domain.evolution import replay
from shared.domain.lifecycle import LIFECYCLE, Action, Phase, Row
from shared.domain.policy import Policy, Reopen
from shared.domain.profiles import PROFILES
from shared.domain.refusals import Refusal

PAGE = Path(__file__).with_name("lifecycle.md")

_HEAD = """\
# The life of a case

Written by `python docs/generate_lifecycle.py` from `shared/domain/lifecycle.py`, by asking the machine itself.

A case has one of six statuses; a closed case that can't be reopened any more is *sealed*. What may be done to it
depends on who asks, on the status, and on the desk's policy. The first table has every line of the machine, the others
show where each action leads on a desk of each profile. A command that is not in its table is refused
([refusals](refusals.md)). Services act with the rights of staff. A comment with `close` closes and one with `solve`
solves: with words or files in it, it is recorded as `commented` first.

## Every line

| action | by | while the case is | on desks like | must be given | recorded as |
|---|---|---|---|---|---|
"""
_PROFILE_HEAD = """
## {profile}

{windows} Each cell says where the action leads, in the desk's own words, and for whom, if not for everybody.

| action | {phases} |
|---|{rule}|
"""

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
BY = {
    ActorKind.CUSTOMER: Actor(kind=ActorKind.CUSTOMER, email="bob@acme.example"),
    ActorKind.STAFF: Actor(kind=ActorKind.STAFF, email="ada@vendor.example"),
    ActorKind.SYSTEM: SYSTEM,
}
FLAGS = {Action.NOTE: "internal", Action.ASK: "await_reply", Action.SOLVE: "solve"}
COMMANDS: dict[Action, tuple[type[Any], dict[str, Any]]] = {
    Action.COMMENT: (c.Comment, {"body": "…"}),
    Action.NOTE: (c.Comment, {"body": "…", "internal": True}),
    Action.ASK: (c.Comment, {"body": "…", "await_reply": True}),
    Action.SOLVE: (c.Comment, {"solve": True}),
    Action.ASSIGN: (c.Assign, {"assignee": "ada@vendor.example"}),
    Action.TAKE: (c.Assign, {"assignee": "ada@vendor.example", "take": True}),
    Action.EDIT: (c.Edit, {"changes": {"internal_reference": "…"}}),
    Action.ATTACH: (c.Attach, {"attachments": ("0f8fad5b-d9cb-469f-a165-70867728950e",)}),
    Action.REMOVE_ATTACHMENT: (c.RemoveAttachment, {"attachment": "0f8fad5b-d9cb-469f-a165-70867728950e"}),
    Action.ESCALATE: (c.Escalate, {"comment": "…"}),
    Action.REQUEST_CLOSE: (c.RequestClose, {}),
    Action.RESOLVE: (c.Resolve, {"resolution_type": "…", "summary": "…"}),
    Action.ACCEPT: (c.Accept, {}),
    Action.REJECT: (c.Reject, {"reason": "…"}),
    Action.CLOSE: (c.Close, {}),
    Action.REOPEN: (c.Reopen, {"reason": "…"}),
    Action.SURVEY: (c.AnswerSurvey, {"q1": 5, "q2": "…"}),
    Action.FOLLOW_UP: (c.FollowUp, {"number": 2}),
    Action.ELAPSE: (c.Elapse, {}),
}


def lifecycle_page() -> str:
    """Return the whole page."""
    return _HEAD + "".join(_lines()) + "".join(_profile(name, policy) for name, policy in PROFILES.items())


def _lines() -> Iterator[str]:
    for row in LIFECYCLE:
        recorded = {name: _recorded_as(row, policy) for name, policy in PROFILES.items() if row.desk(policy)}
        desks = [name for name, kinds in recorded.items() if kinds]
        cells = (
            _name(row.action),
            _people(row.who),
            ", ".join(phase.replace("_", " ") for phase in Phase if phase in row.phases),
            "all" if len(desks) == len(PROFILES) else ", ".join(desks),
            ", ".join(row.needs).replace("_", " "),
            " or ".join(dict.fromkeys(kind for name in desks for kind in recorded[name])),
        )
        yield f"| {' | '.join(cells)} |\n"


def _profile(name: str, policy: Policy) -> str:
    phases = _phases(policy)
    head = _PROFILE_HEAD.format(
        profile=name,
        windows=_windows(policy),
        phases=" | ".join("Sealed" if phase is Phase.SEALED else _label(phase, policy) for phase in phases),
        rule="|".join("---" for _ in phases),
    )
    rows = ((_name(action), *(_where(action, phase, policy) for phase in phases)) for action in Action)
    return head + "".join(f"| {' | '.join(cells)} |\n" for cells in rows if any(cells[1:]))


def _windows(policy: Policy) -> str:
    words = []
    if policy.auto_close_after:
        words.append(f"A resolved case closes by itself after {policy.auto_close_after} business days.")
    match policy.reopen, policy.reopen_within:
        case Reopen.NO, _:
            words.append("A closed case is sealed at once.")
        case how, "unlimited":
            words.append(f"A closed case can be reopened {how.replace('_', ' ')} without limit.")
        case how, days:
            words.append(f"A closed case can be reopened {how.replace('_', ' ')} for {days} business days.")
    return " ".join(words)


def _phases(policy: Policy) -> list[Phase]:
    left_out = {
        Phase.ESCALATED: not policy.escalate,
        Phase.RESOLVED: not policy.stays_resolved,
        Phase.CLOSED: policy.reopen is Reopen.NO,
        Phase.SEALED: policy.reopen_within == "unlimited",
    }
    return [phase for phase in Phase if not left_out.get(phase)]


def _case(phase: Phase, policy: Policy) -> CaseState:
    """A case in that phase of which everything can be asked that the phase allows; its window ends before ``LATER``."""
    ended = phase in (Phase.CLOSED, Phase.SEALED)
    kind = WindowKind.REOPEN if ended else WindowKind.AUTO_CLOSE
    days = policy.reopen_within if ended else policy.auto_close_after
    return CaseState(
        seq=5,
        status=Status.CLOSED if phase is Phase.SEALED else Status(phase.value),
        subject="…",
        reporter="bob@acme.example",
        created_at=NOW,
        updated_at=NOW,
        escalated_at=NOW if phase is Phase.ESCALATED else None,
        closed_at=NOW if ended else None,
        closed_reason="accepted" if ended else None,
        window=Window(kind=kind, seq=5, business_days=days, ends_at=LATER) if isinstance(days, int) else None,
        sealed=phase is Phase.SEALED,
    )


def _asked(action: Action, who: ActorKind, phase: Phase, policy: Policy) -> tuple[list[str], CaseState] | None:
    """Kinds of the events that the action leads to, and the case after them; None if it is refused."""
    command, fields = COMMANDS[action]
    state = _case(phase, policy)
    now = LATER if action is Action.ELAPSE else NOW
    decided = decide(state, policy, command(command_id="…", actor=BY[who], **fields), now)
    return None if isinstance(decided, Refusal) else ([e.kind for e in decided], replay(state, decided))


def _where(action: Action, phase: Phase, policy: Policy) -> str:
    by_place: dict[str, list[ActorKind]] = {}
    for who in BY:
        if asked := _asked(action, who, phase, policy):
            after = asked[1]
            place = f"{policy.label(after.status)}{', sealed' if after.sealed and phase is not Phase.SEALED else ''}"
            by_place.setdefault(place, []).append(who)
    return "; ".join(place + _for_whom(people) for place, people in by_place.items())


def _for_whom(people: list[ActorKind]) -> str:
    everybody = {ActorKind.CUSTOMER, ActorKind.STAFF}
    return "" if everybody <= set(people) or people == [ActorKind.SYSTEM] else f" ({_people(people)})"


def _recorded_as(row: Row, policy: Policy) -> list[str]:
    phases = [phase for phase in _phases(policy) if phase in row.phases]
    asked = (_asked(row.action, who, phase, policy) for who in BY if who in row.who for phase in phases)
    return [" + ".join(kinds) for kinds, _ in filter(None, asked)]


def _people(kinds: Any) -> str:
    return ", ".join(kind.value for kind in BY if kind in kinds)


def _name(action: Action) -> str:
    """The action, and where it is not a route of its own, how it is asked for."""
    if action is Action.ELAPSE:
        return "(the window ends)"
    return f"comment with `{FLAGS[action]}`" if action in FLAGS else f"`{action}`"


def _label(phase: Phase, policy: Policy) -> str:
    """The desk's label, with the canonical status where the desk has one label for several."""
    label = policy.labels.get(Status(phase.value), phase.value)
    shared = list(policy.labels.values()).count(label) > 1
    return f"{label} ({phase.replace('_', ' ')})" if shared else label


if __name__ == "__main__":
    PAGE.write_text(lifecycle_page(), encoding="utf-8")
