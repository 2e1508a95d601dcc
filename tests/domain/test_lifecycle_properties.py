"""Whatever is asked, by whomever, whenever, on a desk of whatever profile: what holds all the same."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.contracts.events import EVENTS, STATES
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import ActorKind, Status, WindowKind
from shared.domain.decision import allowed_actions, decide, elapsed, overdue
from shared.domain.evolution import evolve, is_over, next_deadline, replay, with_window_end
from shared.domain.lifecycle import Action
from shared.domain.policy import EndBy, Reopen
from shared.domain.profiles import PROFILES
from shared.domain.refusals import Refusal
from tests.domain.strategies import ACTORS, MICROSECOND, MONDAY, Case, actors, commands, opening, request, steps

STAFF_SIDE = (ActorKind.STAFF, ActorKind.SERVICE)
BLANKS: dict[str, Any] = {"attachments": ()}


class AnyCase(RuleBasedStateMachine):
    """One case on a desk of some profile, played with at random."""

    @initialize(profile=st.sampled_from(sorted(PROFILES)))
    def open(self, profile: str) -> None:
        self.case = Case.opened(PROFILES[profile])

    @rule(command=commands, pause=steps)
    def anything(self, command: c.Command, pause: timedelta) -> None:
        self.case.wait_until(self.case.now + pause)
        self._ask(command)

    @rule(who=actors, data=st.data(), pause=steps)
    def something_allowed(self, who: Any, data: st.DataObject, pause: timedelta) -> None:
        self.case.wait_until(self.case.now + pause)
        offered = allowed_actions(self.case.state, self.case.policy, who.kind, self.case.now)
        if offered:
            action = data.draw(st.sampled_from([row.action for row in offered]))
            assert not isinstance(self._ask(request(action, who)), Refusal)

    @precondition(lambda self: next_deadline(self.case.state) is not None)
    @rule()
    def the_window_ends(self) -> None:
        end, before = next_deadline(self.case.state), self.case.state.status
        assert end is not None
        if end - MICROSECOND > self.case.now:
            self.case.wait_until(end - MICROSECOND)
            assert self.case.state.status is before
        self.case.wait_until(max(end, self.case.now))
        assert self.case.state.sealed if before is Status.CLOSED else self.case.state.closed_reason == "no_answer"

    def _ask(self, command: c.Command) -> tuple[e.Event, ...] | Refusal:
        before = self.case.state
        decided = self.case.ask(command)
        after = self.case.state
        if isinstance(decided, Refusal):
            assert after is before
            assert decided.detail
            return decided
        assert [event.seq for event in decided] == list(range(before.seq + 1, before.seq + 1 + len(decided)))
        assert [event.part for event in decided] == list(range(len(decided)))
        assert {(event.command_id, event.command, event.actor, event.at) for event in decided} <= {
            (command.command_id, command.name, command.actor, self.case.now)
        }
        if {event.kind for event in decided} <= e.STAFF_ONLY:
            assert replace(after, seq=before.seq) == before
        for event in decided:
            assert EVENTS.validate_json(EVENTS.dump_json(event)) == event
        return decided

    @invariant()
    def is_well_formed(self) -> None:
        state, policy = self.case.state, self.case.policy
        assert state.seq == len(self.case.history)
        assert state.status in policy.labels
        assert (state.status is Status.CLOSED) == (state.closed_at is not None) == (state.closed_reason is not None)
        assert state.status is not Status.RESOLVED or state.resolved_at is not None
        assert state.status is not Status.ESCALATED or state.escalated_at is not None
        assert state.status is Status.CLOSED or not state.sealed
        assert state.resolved_at is None or state.status in (Status.RESOLVED, Status.CLOSED)
        assert state.survey is None or state.closed_reason == "accepted"
        assert not state.follow_ups or state.sealed
        assert len(state.cc) == len(set(state.cc)) or "edited" in self.case.kinds or len(self.case.history) == 1
        assert state.created_at <= state.updated_at <= self.case.now

    @invariant()
    def escalation_lasts_until_reopened(self) -> None:
        since = [e.kind for e in self.case.history if e.kind in ("escalated", "reopened", "rejected")]
        assert (self.case.state.escalated_at is not None) == (since[-1:] == ["escalated"])

    @invariant()
    def a_window_runs_exactly_where_it_should(self) -> None:
        state, policy = self.case.state, self.case.policy
        by_status = {
            Status.RESOLVED: (WindowKind.AUTO_CLOSE, policy.auto_close_after),
            Status.CLOSED: (WindowKind.REOPEN, policy.reopen_within if isinstance(policy.reopen_within, int) else None),
        }
        kind, days = by_status.get(state.status, (None, None))
        window = state.window
        assert (window is None) == (days is None)
        if window is not None:
            started = self.case.history[window.seq - 1]
            assert (window.kind, window.business_days) == (kind, days)
            assert window.ends_at == getattr(
                started, "auto_close_at" if kind is WindowKind.AUTO_CLOSE else "reopen_until"
            )
        assert is_over(state) == (state.sealed or (state.status is Status.CLOSED and window is None))
        assert state.sealed or state.status is not Status.CLOSED or policy.reopen is not Reopen.NO

    @invariant()
    def its_history_tells_it_all(self) -> None:
        opened, *rest = self.case.history
        state = self.case.state
        assert replay(evolve(None, opened), rest) == state
        assert STATES.validate_json(STATES.dump_json(state)) == state

    @invariant()
    def allowed_is_what_is_accepted(self) -> None:
        state, policy, now = self.case.state, self.case.policy, self.case.now
        for kind, actor in ACTORS.items():
            allowed = {row.action: row.needs for row in allowed_actions(state, policy, kind, now)}
            for action in Action:
                command = request(action, actor)
                decided = decide(state, policy, command, now)
                assert isinstance(decided, Refusal) != (action in allowed), (action, kind, decided)
                for name in allowed.get(action, ()):
                    lacking = replace(command, **{name: BLANKS.get(name, " ")})
                    assert isinstance(decide(state, policy, lacking, now), Refusal), (action, kind, name)

    @invariant()
    def customers_never_write_what_only_staff_may_read(self) -> None:
        for event in self.case.history:
            assert event.kind != "noted" or event.actor.kind in STAFF_SIDE
            assert event.kind not in ("accepted", "rejected", "closure_requested", "surveyed") or (
                event.actor.kind is ActorKind.CUSTOMER
            )

    def teardown(self) -> None:
        if hasattr(self, "case"):
            note(" ".join(self.case.kinds))


AnyCase.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestAnyCase = AnyCase.TestCase


@pytest.mark.parametrize("profile", sorted(PROFILES))
@given(command=commands)
def test_a_case_that_is_not_open_takes_nothing_but_an_opening(profile: str, command: c.Command) -> None:
    decided = decide(None, PROFILES[profile], command, MONDAY)

    assert isinstance(decided, Refusal) or [event.kind for event in decided] == ["opened"]


@given(command=commands.filter(lambda command: not isinstance(command, c.Open)))
def test_an_event_that_is_not_the_next_is_never_taken(command: c.Command) -> None:
    case = Case.opened(PROFILES["standard"])
    decided = case.ask(command)
    later = case.state
    if isinstance(decided, Refusal) or not decided:
        return

    for state, event in ((None, decided[0]), (later, decided[0]), (later, replace(decided[0], seq=later.seq + 2))):
        with pytest.raises(ValueError, match="does not follow"):
            evolve(state, event)


def test_an_opening_follows_nothing() -> None:
    case = Case.opened(PROFILES["standard"])
    opened = case.history[0]

    for state, event in ((case.state, opened), (case.state, replace(opened, seq=2)), (None, replace(opened, seq=2))):
        with pytest.raises(ValueError, match=f"event {event.seq} .opened. does not follow"):
            evolve(state, event)


@pytest.mark.parametrize("profile", [name for name, policy in PROFILES.items() if policy.auto_close_after])
@given(microseconds=st.integers(-(10**12), 10**12))
def test_overdue_from_exactly_the_end_on(profile: str, microseconds: int) -> None:
    policy = PROFILES[profile]
    case = Case.opened(policy)
    ends_with_solve = EndBy.SOLVE in policy.customer_may_end_by
    case.act(Action.SOLVE, ACTORS[ActorKind.CUSTOMER]) if ends_with_solve else case.act(
        Action.RESOLVE, ACTORS[ActorKind.STAFF]
    )
    end = next_deadline(case.state)
    assert end is not None

    for now in (end + microseconds * MICROSECOND, end, end - MICROSECOND):
        due = overdue(case.state, now)
        early = decide(case.state, policy, request(Action.ELAPSE, ACTORS[ActorKind.SYSTEM]), now)
        assert (due is not None) == (now >= end) == (not isinstance(early, Refusal))
        assert (elapsed(case.state, policy, now).status is Status.CLOSED) == (now >= end)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_end_of_a_window_may_be_noted_after_the_event(profile: str) -> None:
    policy = PROFILES[profile]
    case = Case.opened(policy)
    for command in (
        request(Action.RESOLVE, ACTORS[ActorKind.STAFF]),
        request(Action.CLOSE, ACTORS[ActorKind.STAFF]),
    ):
        before = case.state
        decided = decide(before, policy, command, case.now)
        if isinstance(decided, Refusal):
            continue
        case.do(command)
        end = case.state.window.ends_at if case.state.window else None
        undated = replay(before, decided)
        assert next_deadline(undated) is None
        if case.state.window is not None and end is not None:
            assert with_window_end(undated, case.state.window.seq, end) == case.state
            assert with_window_end(undated, case.state.window.seq - 1, end) == undated
        else:
            assert with_window_end(undated, undated.seq, MONDAY) == undated


def test_an_opening_is_taken_over_whole() -> None:
    command = opening(
        product="ERP", type="Question", severity="Low", cc=("eve@acme.example",), internal_reference="7", follow_up_of=3
    )
    case = Case(PROFILES["standard"])
    case.do(command)

    for name in {field.name for field in fields(case.state)} & {field.name for field in fields(command)}:
        assert getattr(case.state, name) == getattr(command, name), name
        assert getattr(case.history[0], name) == getattr(command, name), name
