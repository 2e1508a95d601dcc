"""desk-rules standard 4 and 5, rule by rule: after the end, and what is possible at any time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import SYSTEM, Actor, CaseState, Resolution, Status, Survey, WindowKind
from shared.domain.decision import decide, elapsed, overdue
from shared.domain.evolution import is_over, next_deadline
from shared.domain.lifecycle import Action
from shared.domain.policy import Policy
from shared.domain.profiles import STANDARD
from shared.domain.refusals import Refusal, RefusalCode
from tests.domain.strategies import (
    ADA,
    BOB,
    FILE,
    FRIDAY_15,
    MICROSECOND,
    MONDAY,
    MONITORING,
    REOPEN_END,
    Case,
    an_id,
    closed,
    comment,
    opening,
    request,
    resolve,
    resolved,
)


class TestStandard4:
    """Closed: reopen with a reason within 14 business days → open; afterwards sealed: only a follow-up case."""

    @pytest.fixture
    def closed_on_friday(self) -> Case:
        case = Case.opened(STANDARD)
        case.wait_until(FRIDAY_15)
        case.act(Action.CLOSE, ADA)
        return case

    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_standard_4_reopens_until_the_end(self, closed_on_friday: Case, by: Actor) -> None:
        case = closed_on_friday
        assert case.state.ends_at(WindowKind.REOPEN) == next_deadline(case.state) == REOPEN_END
        case.wait_until(REOPEN_END - MICROSECOND)

        (event,) = case.act(Action.REOPEN, by)

        assert isinstance(event, e.Reopened)
        assert event.reason == "Words"
        assert case.state.status is Status.OPEN
        assert (case.state.closed_at, case.state.closed_reason, next_deadline(case.state)) == (None, None, None)

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_standard_4_reopening_needs_a_reason(self, closed_on_friday: Case, reason: str) -> None:
        refusal = closed_on_friday.refuse(c.Reopen(command_id=an_id(), actor=BOB, reason=reason))

        assert (refusal.code, refusal.fields) == (RefusalCode.REASON_REQUIRED, ("reason",))

    def test_standard_4_sealed_at_the_end(self, closed_on_friday: Case) -> None:
        case = closed_on_friday
        assert not is_over(case.state)
        case.wait_until(REOPEN_END)

        assert case.kinds[-1] == "sealed"
        assert case.state.sealed
        assert is_over(case.state)
        assert next_deadline(case.state) is None
        assert overdue(case.state, REOPEN_END) is None
        refusal = case.refuse(request(Action.REOPEN, BOB))
        assert (refusal.code, refusal.window_ended_at) == (RefusalCode.REOPEN_WINDOW_PASSED, REOPEN_END)
        assert "follow-up" in refusal.detail

    def test_standard_4_sealed_takes_a_follow_up_and_nothing_else_of_a_customer(self, closed_on_friday: Case) -> None:
        case = closed_on_friday
        assert Action.FOLLOW_UP not in case.offered(BOB)
        assert case.refuse(request(Action.FOLLOW_UP, BOB)).code is RefusalCode.CASE_CLOSED
        case.wait_until(REOPEN_END)

        assert case.offered(BOB) == {Action.FOLLOW_UP}
        refusal = case.refuse(comment(BOB))
        assert (refusal.code, refusal.window_ended_at) == (RefusalCode.CASE_SEALED, REOPEN_END)
        assert "follow-up" in refusal.detail

    def test_standard_4_linked_both_ways(self, closed_on_friday: Case) -> None:
        case = closed_on_friday
        case.wait_until(REOPEN_END)

        (event,) = case.act(Action.FOLLOW_UP, BOB)

        assert isinstance(event, e.FollowedUp)
        assert event.number == 2
        assert case.state.follow_ups == (2,)
        assert Case.opened(STANDARD, follow_up_of=1).state.follow_up_of == 1

    def test_standard_4_the_same_follow_up_is_noted_once(self, closed_on_friday: Case) -> None:
        case = closed_on_friday
        case.wait_until(REOPEN_END)
        case.act(Action.FOLLOW_UP, BOB)

        assert case.act(Action.FOLLOW_UP, BOB) == ()
        case.do(c.FollowUp(command_id=an_id(), actor=ADA, number=9))
        assert case.state.follow_ups == (2, 9)

    @pytest.mark.parametrize("action", [Action.COMMENT, Action.ATTACH, Action.EDIT, Action.CLOSE])
    def test_standard_4_closed_takes_only_reopening(self, closed_on_friday: Case, action: Action) -> None:
        assert closed_on_friday.refuse(request(action, ADA)).code is RefusalCode.CASE_CLOSED

    def test_standard_4_reopening_forgets_the_last_end(self) -> None:
        case = Case.opened(STANDARD)
        case.act(Action.REQUEST_CLOSE, BOB)
        case.do(resolve())
        case.do(c.Accept(command_id=an_id(), actor=BOB, survey=Survey(q1=1, q2=1)))
        before: CaseState = case.state

        case.act(Action.REOPEN, BOB)

        assert case.state == replace(
            before,
            seq=before.seq + 1,
            status=Status.OPEN,
            closure_requested_at=None,
            resolution=None,
            resolved_at=None,
            survey=None,
            closed_at=None,
            closed_reason=None,
            window=None,
        )
        assert {Action.ESCALATE, Action.REQUEST_CLOSE} <= case.offered(BOB)

    @pytest.mark.parametrize("action", [Action.REOPEN, Action.ACCEPT])
    def test_standard_4_an_open_case_is_not_reopened_or_accepted(self, case: Case, action: Action) -> None:
        refusal = case.refuse(request(action, BOB))

        assert refusal.code is RefusalCode.NOT_ALLOWED_IN_STATUS
        assert "«New»" in refusal.detail

    def test_standard_4_decided_after_what_is_due(self, closed_on_friday: Case) -> None:
        late = elapsed(closed_on_friday.state, STANDARD, REOPEN_END)

        assert late.sealed
        assert isinstance(decide(late, STANDARD, request(Action.REOPEN, BOB), REOPEN_END), Refusal)

    @pytest.mark.parametrize(("by", "reason"), [(ADA, "closed_by_staff"), (MONITORING, "closed_by_staff")])
    def test_standard_4_the_desk_may_close_at_any_time_with_a_word(self, by: Actor, reason: str) -> None:
        for case in (Case.opened(STANDARD), resolved(STANDARD)):
            (event,) = case.do(c.Close(command_id=an_id(), actor=by, comment="Duplicate"))

            assert isinstance(event, e.Closed)
            assert (event.reason, event.comment) == (reason, "Duplicate")

    def test_standard_4_closing_is_not_the_customers(self, case: Case) -> None:
        for command in (request(Action.CLOSE, BOB), comment(BOB, close=True)):
            assert case.refuse(command).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR


class TestStandard5:
    """Assigned, fields edited, CC changed; notes by staff that customers never see."""

    def test_standard_5_assigned_and_taken_back(self, case: Case) -> None:
        case.act(Action.ASSIGN, ADA)
        (event,) = case.do(c.Assign(command_id=an_id(), actor=ADA, assignee=None))

        assert isinstance(event, e.Assigned)
        assert (event.assignee, event.previous) == (None, "ada@vendor.example")
        assert case.state.assignee is None
        assert case.state.status is Status.OPEN

    def test_standard_5_the_same_assignment_again_is_no_news(self, case: Case) -> None:
        case.act(Action.ASSIGN, ADA)

        assert case.act(Action.ASSIGN, ADA) == ()

    def test_standard_5_fields_are_edited(self, case: Case) -> None:
        changes: dict[str, str | tuple[str, ...] | None] = {
            "severity": "High",
            "product": "ERP",
            "impact": "High",
            "cc": ("eve@acme.example",),
            "environment": None,
        }

        (event,) = case.do(c.Edit(command_id=an_id(), actor=BOB, changes=changes))

        assert isinstance(event, e.Edited)
        assert event.changes == (
            e.Change(field="severity", before=None, after="High"),
            e.Change(field="product", before=None, after="ERP"),
            e.Change(field="cc", before=(), after=("eve@acme.example",)),
            e.Change(field="environment", before="Production", after=None),
        )
        state = case.state
        assert (state.severity, state.product, state.cc, state.environment) == (
            "High",
            "ERP",
            ("eve@acme.example",),
            None,
        )

    def test_standard_5_an_edit_that_changes_nothing_is_no_news(self, case: Case) -> None:
        assert case.do(c.Edit(command_id=an_id(), actor=BOB, changes={"impact": "High"})) == ()
        assert case.state.seq == 1

    def test_standard_5_a_comment_can_add_cc(self, case: Case) -> None:
        case.do(comment(BOB, cc=("eve@acme.example", "joe@acme.example")))
        case.do(comment(BOB, cc=("joe@acme.example", "kim@acme.example")))

        assert case.state.cc == ("eve@acme.example", "joe@acme.example", "kim@acme.example")

    @pytest.mark.parametrize("by", [ADA, MONITORING])
    def test_standard_5_notes_are_kept_apart(self, case: Case, by: Actor) -> None:
        case.now += timedelta(hours=1)
        (event,) = case.do(comment(by, "Difficult one", internal=True, in_reply_to=1, attachments=(FILE,)))

        assert isinstance(event, e.Noted)
        assert (event.body, event.in_reply_to, event.attachments) == ("Difficult one", 1, (FILE,))
        assert event.kind in e.STAFF_ONLY
        assert case.state.updated_at == MONDAY
        assert case.state.seq == 2

    def test_standard_5_a_customer_makes_no_notes(self, case: Case) -> None:
        assert case.refuse(request(Action.NOTE, BOB)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR
        assert Action.NOTE not in case.offered(BOB)

    def test_standard_5_notes_can_be_made_for_ever(self) -> None:
        case = closed(STANDARD)
        case.act(Action.NOTE, ADA)
        case.wait_until(REOPEN_END)

        assert case.state.sealed
        case.act(Action.NOTE, ADA)

    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_standard_5_files_come_and_go(self, case: Case, by: Actor) -> None:
        (came,) = case.act(Action.ATTACH, by)
        (went,) = case.act(Action.REMOVE_ATTACHMENT, by)

        assert isinstance(came, e.Attached)
        assert isinstance(went, e.AttachmentRemoved)
        assert came.attachments == (went.attachment,) == (FILE,)

    def test_standard_5_a_file_of_a_note_goes_unseen(self, case: Case) -> None:
        before = case.state.updated_at
        case.now += timedelta(hours=1)
        (event,) = case.do(c.RemoveAttachment(command_id=an_id(), actor=ADA, attachment=FILE, internal=True))

        assert isinstance(event, e.NoteAttachmentRemoved)
        assert event.kind in e.STAFF_ONLY
        assert case.state.updated_at == before

    def test_standard_5_a_refused_signal_leaves_a_trace_for_staff(self, case: Case) -> None:
        case.now += timedelta(hours=1)
        (event,) = case.do(
            c.RecordRejection(
                command_id=an_id(), actor=BOB, command="close", code="malformed", detail="No", received="{"
            )
        )

        assert isinstance(event, e.CommandRejected)
        assert (event.rejected, event.code, event.detail, event.received) == ("close", "malformed", "No", "{")
        assert event.kind in e.STAFF_ONLY
        assert case.state.updated_at == MONDAY

    def test_standard_5_only_notes_and_refusals_are_kept_from_customers(self) -> None:
        assert {"noted", "note_attachment_removed", "command_rejected"} == e.STAFF_ONLY


WORK = {Action.COMMENT, Action.EDIT, Action.ATTACH, Action.REMOVE_ATTACHMENT}
DESK = {Action.NOTE, Action.ASSIGN, Action.TAKE, Action.CLOSE}


@pytest.mark.parametrize(
    ("way", "customer", "staff"),
    [
        (
            [],
            WORK | {Action.ESCALATE, Action.REQUEST_CLOSE},
            WORK | DESK | {Action.ASK, Action.RESOLVE, Action.ESCALATE},
        ),
        ([Action.ESCALATE], WORK | {Action.REQUEST_CLOSE}, WORK | DESK | {Action.ASK, Action.RESOLVE}),
        ([Action.RESOLVE], WORK | {Action.ACCEPT, Action.REJECT}, WORK | DESK | {Action.REOPEN}),
        ([Action.CLOSE], {Action.REOPEN}, {Action.NOTE, Action.REOPEN}),
    ],
    ids=["new", "escalated", "resolved", "closed"],
)
def test_what_is_offered_to_whom(way: list[Action], customer: set[Action], staff: set[Action]) -> None:
    case = Case.opened(STANDARD)
    for action in way:
        case.act(action, ADA)

    assert case.offered(BOB) == customer
    assert case.offered(ADA) == case.offered(MONITORING) == staff
    assert case.offered(SYSTEM) == set()


def test_an_opening_names_what_is_missing() -> None:
    refusal = Case(STANDARD).refuse(opening(subject=" ", description=""))

    assert (refusal.code, refusal.fields) == (RefusalCode.FIELD_REQUIRED, ("subject", "description"))


@pytest.mark.parametrize("policy", [replace(STANDARD, reopen_within=1), replace(STANDARD, auto_close_after=None)])
def test_a_desk_may_set_its_own_windows(policy: Policy) -> None:
    case = resolved(policy)
    assert (next_deadline(case.state) is None) == (policy.auto_close_after is None)
    case.act(Action.CLOSE, ADA)

    window = case.state.window
    assert window is not None
    assert window.business_days == policy.reopen_within


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (e.Commented, {"body": "b"}),
        (e.Noted, {"body": "b"}),
        (e.Escalated, {"comment": "b"}),
        (e.ClosureRequested, {"comment": "b"}),
        (e.Closed, {"comment": "b", "reason": "accepted"}),
        (e.Rejected, {"reason": "b"}),
        (e.Reopened, {"reason": "b"}),
        (e.Resolved, {"resolution": Resolution(resolution_type="t", summary="b")}),
    ],
)
def test_text_of_is_what_a_person_wrote(event: Any, text: dict[str, Any]) -> None:
    assert e.text_of(event(seq=2, at=MONDAY, actor=BOB, command_id="1", command="x", **text)) == "b"


def test_text_of_an_opening_a_resolution_and_of_silence() -> None:
    case = Case.opened(STANDARD)
    case.do(resolve())
    case.act(Action.ACCEPT, BOB)

    assert [e.text_of(event) for event in case.history] == ["It burns.", "Water.\nFire.", "", ""]
