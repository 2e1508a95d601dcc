"""How the five desks beside `standard` end and take up cases: the rules of desk-rules that the machine carries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import Actor, Status
from shared.domain.evolution import is_over, next_deadline
from shared.domain.lifecycle import Action
from shared.domain.profiles import APPCENTRAL, CONNECT, HELP_CENTRE, MSP_PORTAL, PROFILES, STANDARD, TEAM_PORTAL
from shared.domain.refusals import RefusalCode
from tests.domain.strategies import (
    ADA,
    BOB,
    FILE,
    MICROSECOND,
    Case,
    an_id,
    closed,
    comment,
    opening,
    request,
    resolve,
    resolved,
)

YEARS_LATER = datetime(2036, 3, 3, tzinfo=UTC)
working_14_days = pytest.mark.parametrize("profile", ["connect", "appcentral"])


@working_14_days
class TestConnectAndAppcentral:
    def test_resolving_closes_at_once(self, profile: str) -> None:
        case = Case.opened(PROFILES[profile])

        events = case.do(resolve())

        assert [event.kind for event in events] == ["resolved", "closed"]
        assert (case.state.status, case.state.closed_reason) == (Status.CLOSED, "resolved")
        assert case.state.resolution is not None

    @pytest.mark.parametrize("action", [Action.ACCEPT, Action.REJECT, Action.SURVEY, Action.SOLVE])
    def test_no_confirmation_and_no_survey(self, profile: str, action: Action) -> None:
        assert Case.opened(PROFILES[profile]).refuse(request(action, BOB)).code is RefusalCode.NOT_OFFERED_BY_DESK

    def test_c1_what_a_customer_may_do(self, profile: str) -> None:
        case = Case.opened(PROFILES[profile])

        assert case.offered(BOB) == {
            Action.COMMENT,
            Action.EDIT,
            Action.ATTACH,
            Action.REMOVE_ATTACHMENT,
            Action.ESCALATE,
            Action.REQUEST_CLOSE,
        }

    def test_c15_a14_escalate_asks_for_a_comment_and_is_then_gone(self, profile: str) -> None:
        case = Case.opened(PROFILES[profile])
        assert case.policy.label(case.state.status) == "Unassigned"
        assert case.refuse(c.Escalate(command_id=an_id(), actor=BOB)).code is RefusalCode.REASON_REQUIRED

        case.act(Action.ESCALATE, BOB)

        assert case.policy.label(case.state.status) == "Escalated"
        assert Action.ESCALATE not in case.offered(BOB)

    def test_c16_a13_request_close_keeps_the_status(self, profile: str) -> None:
        case = Case.opened(PROFILES[profile])

        (event,) = case.act(Action.REQUEST_CLOSE, BOB)

        assert event.kind == "closure_requested"
        assert case.state.status is Status.NEW
        assert case.refuse(request(Action.CLOSE, BOB)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR

    def test_c17_c20_a10_a12_reopened_within_14_working_days_is_in_progress(self, profile: str) -> None:
        case = closed(PROFILES[profile])
        end = next_deadline(case.state)
        assert end == case.now + timedelta(days=18)
        case.wait_until(end - MICROSECOND)

        case.act(Action.REOPEN, BOB)

        assert case.policy.label(case.state.status) == "In Progress"

    def test_c18_later_it_is_refused_with_the_date(self, profile: str) -> None:
        case = closed(PROFILES[profile])
        end = next_deadline(case.state)
        assert end is not None
        case.wait_until(end)

        refusal = case.refuse(request(Action.REOPEN, BOB))

        assert (refusal.code, refusal.window_ended_at) == (RefusalCode.REOPEN_WINDOW_PASSED, end)
        assert "follow-up" not in refusal.detail
        assert case.offered(BOB) == set()
        assert case.refuse(comment(BOB)).code is RefusalCode.CASE_SEALED

    def test_c19_a11_reopening_takes_an_explanation(self, profile: str) -> None:
        case = closed(PROFILES[profile])

        assert case.refuse(c.Reopen(command_id=an_id(), actor=BOB)).code is RefusalCode.REASON_REQUIRED

    def test_a_reply_does_not_reopen(self, profile: str) -> None:
        assert closed(PROFILES[profile]).refuse(comment(BOB)).code is RefusalCode.CASE_CLOSED


def test_appcentral_differs_from_connect_in_its_required_filter_alone() -> None:
    assert replace(APPCENTRAL, required_filters=()) == CONNECT


class TestHelpCentre:
    def test_h6_a_comment_can_add_cc(self) -> None:
        case = Case.opened(HELP_CENTRE)
        case.do(comment(BOB, cc=("eve@acme.example",)))

        assert case.state.cc == ("eve@acme.example",)

    def test_h7_h11_a_closed_ticket_takes_a_follow_up_alone(self) -> None:
        case = closed(HELP_CENTRE)

        assert case.kinds[-2:] == ["closed", "sealed"]
        assert is_over(case.state)
        assert next_deadline(case.state) is None
        assert case.offered(BOB) == {Action.FOLLOW_UP}
        refusal = case.refuse(comment(BOB))
        assert refusal.code is RefusalCode.CASE_SEALED
        assert "follow-up" in refusal.detail

    @pytest.mark.parametrize(("body", "kinds"), [("Works now", ["commented", "resolved"]), (" ", ["resolved"])])
    def test_h8_solved_with_a_comment_or_without(self, body: str, kinds: list[str]) -> None:
        case = Case.opened(HELP_CENTRE)

        events = case.do(comment(BOB, body, solve=True))

        assert [event.kind for event in events] == kinds
        assert case.policy.label(case.state.status) == "Solved"
        assert case.state.resolution is None

    def test_h8_a_file_is_kept_too(self) -> None:
        case = Case.opened(HELP_CENTRE)

        events = case.do(comment(BOB, "", solve=True, attachments=(FILE,)))

        assert [event.kind for event in events] == ["commented", "resolved"]

    def test_h8_staff_resolves_instead(self) -> None:
        case = Case.opened(HELP_CENTRE)

        assert case.refuse(request(Action.SOLVE, ADA)).code is RefusalCode.NOT_ALLOWED_FOR_ACTOR
        case.do(resolve())
        assert case.state.status is Status.RESOLVED

    def test_h8_solved_while_the_desk_waits_for_an_answer(self) -> None:
        case = Case.opened(HELP_CENTRE)
        case.act(Action.ASK, ADA)

        case.do(comment(BOB, "Yes, it works", solve=True))

        assert case.state.status is Status.RESOLVED
        assert "resumed" not in case.kinds

    def test_h9_solved_stays_three_business_days_then_closes_by_itself(self) -> None:
        case = Case.opened(HELP_CENTRE)
        case.act(Action.SOLVE, BOB)
        end = next_deadline(case.state)
        assert end == case.now + timedelta(days=3)
        case.wait_until(end - MICROSECOND)
        assert not case.state.sealed
        case.wait_until(end)

        assert case.kinds[-2:] == ["closed", "sealed"]
        assert case.state.closed_at == end

    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_h10_within_them_a_comment_reopens_if_it_is_a_customers(self, by: Actor) -> None:
        case = Case.opened(HELP_CENTRE)
        case.act(Action.SOLVE, BOB)
        case.do(comment(by))

        assert case.state.status is (Status.OPEN if by is BOB else Status.RESOLVED)

    @pytest.mark.parametrize("action", [Action.ESCALATE, Action.REQUEST_CLOSE, Action.ACCEPT, Action.REJECT])
    def test_not_offered(self, action: Action) -> None:
        assert Case.opened(HELP_CENTRE).refuse(request(action, BOB)).code is RefusalCode.NOT_OFFERED_BY_DESK


class TestMspPortal:
    @pytest.mark.parametrize("name", ["account", "contact", "environment", "impact", "subject", "description"])
    def test_m7_what_an_opening_needs(self, name: str) -> None:
        refusal = Case(MSP_PORTAL).refuse(opening(**{name: " "}))

        assert (refusal.code, refusal.fields) == (RefusalCode.FIELD_REQUIRED, (name,))

    def test_m9_resolved_waits_without_end(self) -> None:
        case = resolved(MSP_PORTAL)

        assert next_deadline(case.state) is None
        case.wait_until(YEARS_LATER)
        assert case.state.status is Status.RESOLVED

    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_m9_a_comment_on_a_resolved_case_is_only_a_comment(self, by: Actor) -> None:
        case = resolved(MSP_PORTAL)

        events = case.do(comment(by))

        assert [event.kind for event in events] == ["commented"]
        assert case.state.status is Status.RESOLVED

    def test_m9_m10_accepted_is_closed_for_good(self) -> None:
        case = resolved(MSP_PORTAL)

        events = case.act(Action.ACCEPT, BOB)

        assert [event.kind for event in events] == ["accepted", "closed", "sealed"]
        assert case.refuse(request(Action.REOPEN, BOB)).code is RefusalCode.CASE_SEALED
        assert case.refuse(request(Action.FOLLOW_UP, BOB)).code is RefusalCode.CASE_SEALED
        refusal = case.refuse(comment(BOB))
        assert refusal.code is RefusalCode.CASE_SEALED
        assert "follow-up" not in refusal.detail

    def test_m11_rejected_is_open_with_a_reason(self) -> None:
        case = resolved(MSP_PORTAL)
        assert case.refuse(c.Reject(command_id=an_id(), actor=BOB)).code is RefusalCode.REASON_REQUIRED

        case.act(Action.REJECT, BOB)

        assert case.policy.label(case.state.status) == "Open"

    def test_m12_the_survey_is_answered_once_though_the_case_is_sealed(self) -> None:
        case = resolved(MSP_PORTAL)
        case.act(Action.ACCEPT, BOB)
        assert case.offered(BOB) == {Action.SURVEY}

        case.act(Action.SURVEY, BOB)

        assert case.offered(BOB) == set()
        assert case.state.sealed

    def test_m13_the_user_may_close(self) -> None:
        for words in ("No longer needed", ""):
            case = Case.opened(MSP_PORTAL)
            case.act(Action.ASSIGN, ADA)
            case.do(c.Close(command_id=an_id(), actor=BOB, comment=words))

            assert (case.state.status, case.state.closed_reason) == (Status.CLOSED, "closed_by_customer")
            assert case.refuse(request(Action.SURVEY, BOB)).code is RefusalCode.SURVEY_NOT_OFFERED


class TestTeamPortal:
    def test_t10_send_keeps_it_open(self) -> None:
        case = Case.opened(TEAM_PORTAL)
        case.do(comment(BOB))

        assert case.policy.label(case.state.status) == "Waiting for Support"

    @pytest.mark.parametrize(("body", "kinds"), [("Thanks", ["commented", "closed"]), ("", ["closed"])])
    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_t10_close_posts_what_was_typed(self, body: str, kinds: list[str], by: Actor) -> None:
        case = Case.opened(TEAM_PORTAL)

        events = case.do(comment(by, body, close=True))

        assert [event.kind for event in events] == kinds
        assert case.state.closed_reason == ("closed_by_customer" if by is BOB else "closed_by_staff")
        last = events[-1]
        assert isinstance(last, e.Closed)
        assert last.comment == ""

    @pytest.mark.parametrize("by", [BOB, ADA])
    def test_t9_t11_a_reply_to_a_closed_ticket_however_late(self, by: Actor) -> None:
        case = closed(TEAM_PORTAL, BOB)
        assert is_over(case.state)
        assert not case.state.sealed
        case.wait_until(YEARS_LATER)

        events = case.do(comment(by))

        assert [event.kind for event in events] == ["commented", "reopened"]
        assert case.policy.label(case.state.status) == "Waiting for Support"
        assert not is_over(case.state)

    def test_t11_by_replying_and_not_by_an_action(self) -> None:
        case = closed(TEAM_PORTAL)

        assert case.refuse(request(Action.REOPEN, BOB)).code is RefusalCode.NOT_OFFERED_BY_DESK
        refusal = case.refuse(request(Action.EDIT, BOB))
        assert refusal.code is RefusalCode.CASE_CLOSED
        assert "a reply reopens it" in refusal.detail

    def test_resolving_closes_without_a_window(self) -> None:
        case = resolved(TEAM_PORTAL)

        assert case.state.status is Status.CLOSED
        assert next_deadline(case.state) is None

    def test_t5_what_a_customer_may_do(self) -> None:
        case = Case.opened(TEAM_PORTAL)

        assert case.offered(BOB) == {
            Action.COMMENT,
            Action.EDIT,
            Action.ATTACH,
            Action.REMOVE_ATTACHMENT,
            Action.CLOSE,
        }

    def test_replies_within_a_window_where_a_desk_sets_one(self) -> None:
        case = closed(replace(TEAM_PORTAL, reopen_within=5))
        end = next_deadline(case.state)
        assert end == case.now + timedelta(days=7)
        case.wait_until(end)

        assert case.refuse(comment(BOB)).code is RefusalCode.CASE_SEALED


def test_what_is_refused_names_the_status_as_the_desk_does() -> None:
    assert "«Solved»" in resolved(HELP_CENTRE).refuse(resolve()).detail
    assert "«Awaiting your reply»" in _awaiting().refuse(request(Action.ACCEPT, BOB)).detail


def _awaiting() -> Case:
    case = Case.opened(STANDARD)
    case.act(Action.ASK, ADA)
    return case
