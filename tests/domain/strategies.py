"""What the tests of the machine share: people, commands, a case played through, and how to draw them at random."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.calendar import BusinessCalendar
from shared.domain.case import SYSTEM, Actor, ActorKind, CaseState, Survey
from shared.domain.decision import allowed_actions, decide, overdue
from shared.domain.evolution import evolve
from shared.domain.lifecycle import Action
from shared.domain.policy import Policy
from shared.domain.refusals import Refusal

BOB = Actor(kind=ActorKind.CUSTOMER, email="bob@acme.example", name="Bob Acme")
ADA = Actor(kind=ActorKind.STAFF, email="ada@vendor.example", name="Ada Vendor")
MONITORING = Actor(kind=ActorKind.SERVICE, name="monitoring")
ACTORS = {ActorKind.CUSTOMER: BOB, ActorKind.STAFF: ADA, ActorKind.SERVICE: MONITORING, ActorKind.SYSTEM: SYSTEM}

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
FRIDAY_15 = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
REOPEN_END = datetime(2026, 3, 26, 15, 0, tzinfo=UTC)
"""Of what is closed on that Friday: 14 business days."""
MICROSECOND = timedelta(microseconds=1)
LONDON = BusinessCalendar("Europe/London", frozenset(range(5)), frozenset())
FILE = "0f8fad5b-d9cb-469f-a165-70867728950e"

_ids = count(1)


def an_id() -> str:
    return f"command-{next(_ids)}"


def opening(**given: Any) -> c.Open:
    """An opening with every field that any profile asks for."""
    fields: dict[str, Any] = {
        "command_id": an_id(),
        "actor": BOB,
        "subject": "Printer on fire",
        "description": "It burns.",
        "reporter": "bob@acme.example",
        "account": "acme",
        "contact": "bob@acme.example",
        "environment": "Production",
        "impact": "High",
    }
    return c.Open(**(fields | given))


def comment(by: Actor = BOB, body: str = "Any news?", **given: Any) -> c.Comment:
    return c.Comment(command_id=an_id(), actor=by, body=body, **given)


def resolve(by: Actor = ADA) -> c.Resolve:
    return c.Resolve(command_id=an_id(), actor=by, resolution_type="provided", summary="Water.", root_cause="Fire.")


def request(action: Action, by: Actor) -> c.Command:
    """The command for that action with every field it can need."""
    common: dict[str, Any] = {"command_id": an_id(), "actor": by}
    match action:
        case Action.COMMENT:
            return c.Comment(**common, body="Words")
        case Action.NOTE:
            return c.Comment(**common, body="Words", internal=True)
        case Action.ASK:
            return c.Comment(**common, body="Words", await_reply=True)
        case Action.SOLVE:
            return c.Comment(**common, solve=True)
        case Action.ASSIGN:
            return c.Assign(**common, assignee="ada@vendor.example")
        case Action.TAKE:
            return c.Assign(**common, assignee="ada@vendor.example", take=True)
        case Action.EDIT:
            return c.Edit(**common, changes={"internal_reference": "PO 7"})
        case Action.ATTACH:
            return c.Attach(**common, attachments=(FILE,))
        case Action.REMOVE_ATTACHMENT:
            return c.RemoveAttachment(**common, attachment=FILE)
        case Action.ESCALATE:
            return c.Escalate(**common, comment="Words")
        case Action.REQUEST_CLOSE:
            return c.RequestClose(**common)
        case Action.RESOLVE:
            return c.Resolve(**common, resolution_type="provided", summary="Words")
        case Action.ACCEPT:
            return c.Accept(**common)
        case Action.REJECT:
            return c.Reject(**common, reason="Words")
        case Action.CLOSE:
            return c.Close(**common)
        case Action.REOPEN:
            return c.Reopen(**common, reason="Words")
        case Action.SURVEY:
            return c.AnswerSurvey(**common, q1=5, q2="Words")
        case Action.FOLLOW_UP:
            return c.FollowUp(**common, number=2)
        case Action.ELAPSE:
            return c.Elapse(**common)


def recorded(event: e.Event) -> e.Event:
    """The event as the record keeps it: with the end of the window that it starts."""
    if isinstance(event, e.Resolved) and event.auto_close_after is not None:
        return replace(event, auto_close_at=LONDON.window_end(event.at, event.auto_close_after))
    if isinstance(event, e.Closed) and event.reopen_within is not None:
        return replace(event, reopen_until=LONDON.window_end(event.at, event.reopen_within))
    return event


@dataclass
class Case:
    """A case under a policy, as its workflow carries it: what is due happens first, then what is asked."""

    policy: Policy
    now: datetime = MONDAY
    history: list[e.Event] = field(default_factory=list)
    _state: CaseState | None = None

    @property
    def state(self) -> CaseState:
        assert self._state is not None
        return self._state

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.history]

    @classmethod
    def opened(cls, policy: Policy, **given: Any) -> Case:
        case = cls(policy)
        case.do(opening(**given))
        return case

    def ask(self, command: c.Command) -> tuple[e.Event, ...] | Refusal:
        decided = decide(self._state, self.policy, command, self.now)
        if isinstance(decided, Refusal):
            return decided
        for event in map(recorded, decided):
            self._state = evolve(self._state, event)
            self.history.append(event)
        return decided

    def do(self, command: c.Command) -> tuple[e.Event, ...]:
        """Ask what must be accepted."""
        decided = self.ask(command)
        assert not isinstance(decided, Refusal), decided
        return decided

    def refuse(self, command: c.Command) -> Refusal:
        """Ask what must be refused, and so change nothing."""
        before = self._state
        decided = self.ask(command)
        assert isinstance(decided, Refusal), decided
        assert self._state is before
        return decided

    def act(self, action: Action, by: Actor) -> tuple[e.Event, ...]:
        return self.do(request(action, by))

    def offered(self, by: Actor) -> set[Action]:
        return {row.action for row in allowed_actions(self.state, self.policy, by.kind, self.now)}

    def wait_until(self, now: datetime) -> None:
        """Let time pass; a window that has ended by then elapses."""
        assert now >= self.now
        self.now = now
        if due := overdue(self._state, now):
            self.do(due)


def resolved(policy: Policy) -> Case:
    case = Case.opened(policy)
    case.do(resolve())
    return case


def closed(policy: Policy, by: Actor = ADA) -> Case:
    case = Case.opened(policy)
    case.act(Action.CLOSE, by)
    return case


# ---------------------------------------------------------------------------------------------- at random

actors = st.sampled_from(list(ACTORS.values()))
words = st.text("ab 1.,@\n\t\"'<&«äß火\u200b\u202e😀", max_size=12)
blank_or_words = st.one_of(st.sampled_from(["", " \n\t", "Words"]), words)
addresses = st.sampled_from(["bob@acme.example", "eve@acme.example", "ada@vendor.example", "nobody", ""])
address_lists = st.lists(addresses, max_size=3).map(tuple)
files = st.lists(st.sampled_from([FILE, "no-file"]), max_size=2).map(tuple)
flags = st.booleans()
answers = st.one_of(st.integers(0, 10), blank_or_words)
_values: dict[str, st.SearchStrategy[Any]] = {
    "cc": st.one_of(address_lists, st.none(), words),
    "contact": st.one_of(addresses, st.none()),
}
changes = st.dictionaries(
    st.sampled_from([*c.EDITABLE_FIELDS, "subject", "status"]), st.one_of(st.none(), words, address_lists), max_size=3
) | st.sampled_from(c.EDITABLE_FIELDS).flatmap(
    lambda name: st.fixed_dictionaries({name: _values.get(name, st.one_of(words, st.none()))})
)


def _draw(kind: type[c.Command], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, command_id=st.builds(an_id), actor=actors, **fields)


surveys = st.builds(Survey, q1=answers, q2=answers)
numbers = st.one_of(st.none(), st.integers(-1, 40))
openings = _draw(
    c.Open,
    subject=blank_or_words,
    description=blank_or_words,
    reporter=addresses,
    cc=address_lists,
    attachments=files,
    account=st.one_of(st.none(), words),
    contact=st.one_of(st.none(), addresses),
    impact=st.one_of(st.none(), words),
    environment=st.one_of(st.none(), words),
    follow_up_of=numbers,
)
commands: st.SearchStrategy[c.Command] = st.one_of(
    openings,
    _draw(
        c.Comment,
        body=blank_or_words,
        in_reply_to=numbers,
        internal=flags,
        await_reply=flags,
        solve=flags,
        close=flags,
        cc=address_lists,
        attachments=files,
    ),
    _draw(c.Assign, assignee=st.one_of(st.none(), addresses), take=st.booleans()),
    _draw(c.Edit, changes=changes),
    _draw(c.Escalate, comment=blank_or_words),
    _draw(c.RequestClose, comment=blank_or_words),
    _draw(c.Resolve, resolution_type=blank_or_words, summary=blank_or_words, root_cause=st.one_of(st.none(), words)),
    _draw(c.Accept, survey=st.one_of(st.none(), surveys)),
    _draw(c.Reject, reason=blank_or_words),
    _draw(c.Close, comment=blank_or_words),
    _draw(c.Reopen, reason=blank_or_words),
    _draw(c.AnswerSurvey, q1=answers, q2=answers),
    _draw(c.Attach, attachments=files),
    _draw(c.RemoveAttachment, attachment=st.sampled_from([FILE, "", "no-file"]), internal=st.booleans()),
    _draw(c.FollowUp, number=st.integers(-1, 3)),
    _draw(c.Elapse),
    _draw(c.RecordRejection, command=words, code=words, detail=words, received=words),
)
steps = st.one_of(
    st.just(timedelta()),
    st.timedeltas(min_value=timedelta(), max_value=timedelta(hours=8)),
    st.timedeltas(min_value=timedelta(), max_value=timedelta(days=30)),
)
