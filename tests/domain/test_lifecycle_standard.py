"""desk-rules standard 1 to 3, rule by rule: from the opening to the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import SYSTEM, Actor, Resolution, Status, Survey, WindowKind
from shared.domain.evolution import next_deadline
from shared.domain.lifecycle import Action
from shared.domain.profiles import STANDARD
from shared.domain.refusals import RefusalCode
from tests.domain.strategies import (
    ADA,
    BOB,
    FILE,
    FRIDAY_15,
    MICROSECOND,
    MONDAY,
    MONITORING,
    Case,
    an_id,
    closed,
    comment,
    request,
    resolve,
    resolved,
)


class TestStandard1:
    """opened → new; staff's reply or an assignment → open; asking → awaiting_customer; the customer's reply → back."""

    def test_standard_1_opened_is_new(self, case: Case) -> None:
        assert case.state.status is Status.NEW
        assert case.kinds == ["opened"]
        assert case.state.seq == 1
        assert case.state.created_at == case.state.updated_at == MONDAY

    def test_standard_1_the_first_staff_reply_opens(self, case: Case) -> None:
        events = case.do(comment(ADA))

        assert case.state.status is Status.OPEN
        assert [event.kind for event in events] == ["commented"]

    def test_standard_1_an_assignment_opens(self, case: Case) -> None:
        case.act(Action.ASSIGN, ADA)

        assert case.state.status is Status.OPEN
        assert case.state.assignee == "ada@vendor.example"

    def test_standard_1_taking_an_assignment_back_does_not_open(self, case: Case) -> None:
        case.do(c.Assign(command_id=an_id(), actor=ADA, assignee=None))

        assert case.state.status is Status.NEW
        assert case.kinds == ["opened"]

    @pytest.mark.parametrize("by", [BOB, MONITORING])
    def test_standard_1_words_of_others_leave_it_new(self, case: Case, by: Actor) -> None:
        case.do(comment(by))

        assert case.state.status is Status.NEW

    def test_standard_1_an_internal_note_leaves_it_new(self, case: Case) -> None:
        case.act(Action.NOTE, ADA)

        assert case.state.status is Status.NEW

    def test_standard_1_a_staff_reply_that_asks_awaits_the_customer(self, case: Case) -> None:
        events = case.act(Action.ASK, ADA)

        assert case.state.status is Status.AWAITING_CUSTOMER
        assert [event.kind for event in events] == ["commented", "awaiting_customer"]

    def test_standard_1_asking_again_says_nothing_new_about_the_turn(self, case: Case) -> None:
        case.act(Action.ASK, ADA)

        events = case.act(Action.ASK, ADA)

        assert [event.kind for event in events] == ["commented"]
        assert case.state.status is Status.AWAITING_CUSTOMER

    @pytest.mark.parametrize("by", [ADA, MONITORING])
    def test_standard_1_only_the_customer_answers(self, case: Case, by: Actor) -> None:
        case.act(Action.ASK, ADA)
        case.do(comment(by))

        assert case.state.status is Status.AWAITING_CUSTOMER

    def test_standard_1_the_customers_reply_leads_back_to_open(self, case: Case) -> None:
        case.act(Action.ASK, ADA)

        events = case.do(comment(BOB))

        assert case.state.status is Status.OPEN
        assert [event.kind for event in events] == ["commented", "resumed"]

    def test_standard_1_the_customers_reply_leads_back_to_escalated(self, case: Case) -> None:
        case.act(Action.ESCALATE, BOB)
        case.act(Action.ASK, ADA)
        case.do(comment(BOB))

        assert case.state.status is Status.ESCALATED

    def test_standard_1_a_customer_cannot_ask_for_the_turn(self, case: Case) -> None:
        assert case.refuse(request(Action.ASK, BOB)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR

    def test_standard_1_a_comment_may_be_a_file_alone(self, case: Case) -> None:
        (event,) = case.do(comment(BOB, "  ", attachments=(FILE,), in_reply_to=1))

        assert isinstance(event, e.Commented)
        assert event.attachments == (FILE,)
        assert event.in_reply_to == 1

    @pytest.mark.parametrize("flags", [{}, {"internal": True}, {"await_reply": True}])
    def test_standard_1_a_comment_without_words_or_files_is_refused(self, case: Case, flags: dict[str, bool]) -> None:
        refusal = case.refuse(comment(ADA, " \n", **flags))

        assert refusal.code is RefusalCode.FIELD_REQUIRED
        assert refusal.fields == ("body",)

    def test_standard_1_one_comment_has_one_flag(self, case: Case) -> None:
        refusal = case.refuse(comment(ADA, internal=True, close=True))

        assert refusal.code is RefusalCode.MALFORMED
        assert refusal.fields == ("internal", "close")


class TestStandard2:
    """escalate: customer or staff, with a comment, from any active status, once until the case is reopened."""

    @pytest.mark.parametrize("by", [BOB, ADA])
    @pytest.mark.parametrize("before", [None, Action.ASSIGN, Action.ASK])
    def test_standard_2_from_any_active_status(self, case: Case, by: Actor, before: Action | None) -> None:
        if before:
            case.act(before, ADA)

        (event,) = case.act(Action.ESCALATE, by)

        assert isinstance(event, e.Escalated)
        assert event.comment == "Words"
        assert case.state.status is Status.ESCALATED
        assert case.state.escalated_at == MONDAY

    @pytest.mark.parametrize("words", ["", " \t\n"])
    def test_standard_2_needs_a_comment(self, case: Case, words: str) -> None:
        refusal = case.refuse(c.Escalate(command_id=an_id(), actor=BOB, comment=words))

        assert refusal.code is RefusalCode.REASON_REQUIRED
        assert refusal.fields == ("comment",)

    def test_standard_2_once(self, case: Case) -> None:
        case.act(Action.ESCALATE, BOB)

        assert Action.ESCALATE not in case.offered(BOB) | case.offered(ADA)
        assert case.refuse(request(Action.ESCALATE, ADA)).code is RefusalCode.ALREADY_ESCALATED

    def test_standard_2_once_even_after_a_question_was_answered(self, case: Case) -> None:
        for action, by in ((Action.ESCALATE, BOB), (Action.ASK, ADA), (Action.COMMENT, BOB)):
            case.act(action, by)

        assert case.refuse(request(Action.ESCALATE, BOB)).code is RefusalCode.ALREADY_ESCALATED

    @pytest.mark.parametrize("way_back", [[Action.CLOSE, Action.REOPEN], [Action.RESOLVE, Action.REJECT]])
    def test_standard_2_again_after_it_was_taken_up_again(self, case: Case, way_back: list[Action]) -> None:
        case.act(Action.ESCALATE, BOB)
        end, again = way_back
        case.act(end, ADA)
        case.act(again, BOB)

        assert (case.state.status, case.state.escalated_at) == (Status.OPEN, None)
        case.act(Action.ESCALATE, BOB)
        assert case.state.status is Status.ESCALATED

    @pytest.mark.parametrize("end", [Action.RESOLVE, Action.CLOSE])
    def test_standard_2_not_once_ended(self, case: Case, end: Action) -> None:
        case.act(end, ADA)

        expected = RefusalCode.CASE_CLOSED if end is Action.CLOSE else RefusalCode.NOT_ALLOWED_IN_STATUS
        assert case.refuse(request(Action.ESCALATE, BOB)).code is expected

    @pytest.mark.parametrize("action", [Action.COMMENT, Action.ASSIGN])
    def test_standard_2_stays_escalated_while_worked_on(self, case: Case, action: Action) -> None:
        case.act(Action.ESCALATE, BOB)
        case.act(action, ADA)

        assert case.state.status is Status.ESCALATED


class TestStandard3:
    """resolve: staff, type and summary; accept → closed; reject (reason) or a comment → open; silence → closed."""

    def test_standard_3_staff_resolves(self, case: Case) -> None:
        (event,) = case.do(resolve(ADA))

        assert isinstance(event, e.Resolved)
        assert event.resolution == Resolution(resolution_type="provided", summary="Water.", root_cause="Fire.")
        assert case.state.resolution == event.resolution
        assert case.state.status is Status.RESOLVED
        assert case.state.resolved_at == MONDAY

    def test_standard_3_a_customer_does_not(self, case: Case) -> None:
        assert case.refuse(resolve(BOB)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR

    @pytest.mark.parametrize("field", ["resolution_type", "summary"])
    def test_standard_3_resolve_needs_type_and_summary(self, case: Case, field: str) -> None:
        lacking: dict[str, Any] = {field: "  "}

        refusal = case.refuse(replace(resolve(ADA), **lacking))

        assert refusal.code is RefusalCode.FIELD_REQUIRED
        assert refusal.fields == (field,)

    def test_standard_3_accept_closes(self) -> None:
        case = resolved(STANDARD)

        events = case.act(Action.ACCEPT, BOB)

        assert [event.kind for event in events] == ["accepted", "closed"]
        assert case.state.status is Status.CLOSED
        assert case.state.closed_reason == "accepted"
        assert case.state.closed_at == MONDAY

    def test_standard_3_accept_and_reject_are_the_customers(self) -> None:
        case = resolved(STANDARD)

        for action in (Action.ACCEPT, Action.REJECT):
            assert case.refuse(request(action, ADA)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR

    def test_standard_3_reject_opens(self) -> None:
        case = resolved(STANDARD)

        (event,) = case.act(Action.REJECT, BOB)

        assert isinstance(event, e.Rejected)
        assert event.reason == "Words"
        assert case.state.status is Status.OPEN
        assert (case.state.resolution, case.state.resolved_at, case.state.window) == (None, None, None)

    @pytest.mark.parametrize("reason", ["", " \n"])
    def test_standard_3_reject_needs_a_reason(self, reason: str) -> None:
        refusal = resolved(STANDARD).refuse(c.Reject(command_id=an_id(), actor=BOB, reason=reason))

        assert refusal.code is RefusalCode.REASON_REQUIRED
        assert refusal.fields == ("reason",)

    def test_standard_3_a_comment_by_the_customer_opens(self) -> None:
        case = resolved(STANDARD)

        events = case.do(comment(BOB))

        assert [event.kind for event in events] == ["commented", "reopened"]
        assert case.state.status is Status.OPEN
        assert next_deadline(case.state) is None

    @pytest.mark.parametrize("by", [ADA, MONITORING])
    def test_standard_3_a_comment_by_the_desk_does_not(self, by: Actor) -> None:
        case = resolved(STANDARD)
        before = next_deadline(case.state)
        case.do(comment(by))

        assert case.state.status is Status.RESOLVED
        assert next_deadline(case.state) == before

    def test_staff_take_a_resolved_case_up_again_and_say_why(self) -> None:
        case = resolved(STANDARD)
        assert case.refuse(request(Action.REOPEN, BOB)).code is RefusalCode.NOT_ALLOWED_IN_STATUS

        (event,) = case.act(Action.REOPEN, ADA)

        assert isinstance(event, e.Reopened)
        assert (case.state.status, case.state.resolution, next_deadline(case.state)) == (Status.OPEN, None, None)

    def test_standard_3_three_business_days_of_silence_close(self) -> None:
        case = Case.opened(STANDARD)
        case.wait_until(FRIDAY_15)
        case.do(resolve())
        wednesday = datetime(2026, 3, 11, 15, 0, tzinfo=UTC)

        assert case.state.ends_at(WindowKind.AUTO_CLOSE) == next_deadline(case.state) == wednesday
        assert case.state.ends_at(WindowKind.REOPEN) is None
        case.wait_until(wednesday - MICROSECOND)
        assert (case.state.status, case.state.closed_reason) == (Status.RESOLVED, None)
        case.wait_until(wednesday)

        assert (case.state.status, case.state.closed_reason) == (Status.CLOSED, "no_answer")
        assert case.state.closed_at == wednesday
        last = case.history[-1]
        assert (last.actor, last.command, last.command_id) == (SYSTEM, "elapse", f"elapse-{last.seq - 1}")

    def test_standard_3_a_second_resolution_counts_its_own_days(self) -> None:
        case = resolved(STANDARD)
        first = next_deadline(case.state)
        case.now += timedelta(days=1)
        case.act(Action.REJECT, BOB)
        case.do(resolve())

        assert first is not None
        assert next_deadline(case.state) == first + timedelta(days=1)

    @pytest.mark.parametrize("by", [BOB, ADA, MONITORING])
    def test_standard_3_nobody_but_the_clock_ends_a_window(self, by: Actor) -> None:
        case = resolved(STANDARD)
        case.now += timedelta(days=30)

        assert case.refuse(request(Action.ELAPSE, by)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR

    def test_standard_3_the_clock_itself_is_not_early(self) -> None:
        case = resolved(STANDARD)

        assert case.refuse(request(Action.ELAPSE, SYSTEM)).code is RefusalCode.NOTHING_TO_DO

    def test_standard_3_what_a_late_timer_has_yet_to_do_counts_as_done(self) -> None:
        case = resolved(STANDARD)
        case.now += timedelta(days=5)

        assert Action.ACCEPT not in case.offered(BOB)
        assert Action.REOPEN in case.offered(BOB)
        assert case.state.status is Status.RESOLVED

    def test_standard_3_the_customer_asks_for_closing_and_the_status_stays(self, case: Case) -> None:
        case.act(Action.ASSIGN, ADA)

        (event,) = case.do(c.RequestClose(command_id=an_id(), actor=BOB, comment="Solved itself"))

        assert isinstance(event, e.ClosureRequested)
        assert event.comment == "Solved itself"
        assert case.state.status is Status.OPEN
        assert case.state.closure_requested_at == MONDAY
        assert case.refuse(request(Action.REQUEST_CLOSE, BOB)).code is RefusalCode.CLOSURE_ALREADY_REQUESTED

    def test_standard_3_the_survey_may_come_with_the_accept(self) -> None:
        case = resolved(STANDARD)
        case.do(c.Accept(command_id=an_id(), actor=BOB, survey=Survey(q1=5, q2="Fine")))

        assert case.state.survey == Survey(q1=5, q2="Fine")
        assert case.refuse(request(Action.SURVEY, BOB)).code is RefusalCode.SURVEY_NOT_OFFERED

    def test_standard_3_the_survey_may_come_later_and_once(self) -> None:
        case = resolved(STANDARD)
        case.act(Action.ACCEPT, BOB)
        (event,) = case.act(Action.SURVEY, BOB)

        assert isinstance(event, e.Surveyed)
        assert event.survey == case.state.survey == Survey(q1=5, q2="Words")
        assert case.refuse(request(Action.SURVEY, BOB)).code is RefusalCode.SURVEY_NOT_OFFERED

    def test_standard_3_no_survey_without_an_accept(self) -> None:
        assert closed(STANDARD).refuse(request(Action.SURVEY, BOB)).code is RefusalCode.SURVEY_NOT_OFFERED

    def test_standard_3_the_survey_is_answered_whole(self) -> None:
        case = resolved(STANDARD)
        case.act(Action.ACCEPT, BOB)

        refusal = case.refuse(c.AnswerSurvey(command_id=an_id(), actor=BOB, q1=5, q2=" "))

        assert (refusal.code, refusal.fields) == (RefusalCode.FIELD_REQUIRED, ("q2",))

    def test_standard_3_the_survey_is_the_customers(self) -> None:
        case = resolved(STANDARD)
        case.act(Action.ACCEPT, BOB)

        assert case.refuse(request(Action.SURVEY, ADA)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR
