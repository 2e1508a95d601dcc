"""Every refusal: each code has a command that earns it, and each limit is met to the letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from shared.contracts.workflow import parse_command
from shared.domain import commands as c
from shared.domain import limits
from shared.domain.case import SYSTEM, Actor, ActorKind, Survey
from shared.domain.decision import action_of, decide
from shared.domain.evolution import next_deadline
from shared.domain.lifecycle import Action
from shared.domain.profiles import HELP_CENTRE, MSP_PORTAL, PROFILES, STANDARD
from shared.domain.refusals import Refusal, RefusalCode
from tests.domain.strategies import (
    ADA,
    BOB,
    FILE,
    MONDAY,
    Case,
    an_id,
    closed,
    comment,
    opening,
    request,
    resolve,
    resolved,
)

Code = RefusalCode


def _refused(command: c.Command) -> Refusal:
    return Case.opened(STANDARD).refuse(command)


def _twice(action: Action) -> Refusal:
    case = Case.opened(STANDARD)
    case.act(action, BOB)
    return case.refuse(request(action, BOB))


def _taken_twice() -> Refusal:
    case = Case.opened(STANDARD)
    case.act(Action.TAKE, ADA)
    return case.refuse(request(Action.TAKE, ADA))


def _reopened_late() -> Refusal:
    case = closed(STANDARD)
    case.wait_until(next_deadline(case.state) or MONDAY)
    return case.refuse(request(Action.REOPEN, BOB))


def _parsed(**data: Any) -> Refusal:
    parsed = parse_command(data)
    assert isinstance(parsed, Refusal)
    return parsed


def _edit(**changes: Any) -> c.Edit:
    return c.Edit(command_id=an_id(), actor=BOB, changes=changes)


EARNED: dict[Code, Callable[[], Refusal]] = {
    Code.NOT_ALLOWED_IN_STATUS: lambda: resolved(STANDARD).refuse(resolve()),
    Code.NOT_ALLOWED_FOR_ACTOR: lambda: _refused(resolve(BOB)),
    Code.NOT_OFFERED_BY_DESK: lambda: Case.opened(HELP_CENTRE).refuse(request(Action.ESCALATE, BOB)),
    Code.ALREADY_ESCALATED: lambda: _twice(Action.ESCALATE),
    Code.ALREADY_ASSIGNED: _taken_twice,
    Code.CLOSURE_ALREADY_REQUESTED: lambda: _twice(Action.REQUEST_CLOSE),
    Code.SURVEY_NOT_OFFERED: lambda: closed(STANDARD).refuse(request(Action.SURVEY, BOB)),
    Code.REOPEN_WINDOW_PASSED: _reopened_late,
    Code.CASE_CLOSED: lambda: closed(STANDARD).refuse(comment()),
    Code.CASE_SEALED: lambda: closed(HELP_CENTRE).refuse(comment()),
    Code.REASON_REQUIRED: lambda: _refused(c.Escalate(command_id=an_id(), actor=BOB)),
    Code.FIELD_REQUIRED: lambda: _refused(comment(body="")),
    Code.NOTHING_TO_DO: lambda: resolved(STANDARD).refuse(request(Action.ELAPSE, SYSTEM)),
    Code.TOO_LONG: lambda: _refused(comment(body="x" * 70_000)),
    Code.INVALID_ADDRESS: lambda: _refused(comment(cc=("bob",))),
    Code.NOT_EDITABLE: lambda: _refused(_edit(status="closed")),
    Code.ALREADY_OPEN: lambda: _refused(opening()),
    Code.NO_SUCH_CASE: lambda: Case(STANDARD).refuse(comment()),
    Code.MALFORMED: lambda: _refused(comment(solve=True, close=True)),
    Code.UNKNOWN_COMMAND: lambda: _parsed(name="explode"),
}


def test_every_code_can_be_earned() -> None:
    assert set(EARNED) == set(RefusalCode)


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_has_its_code_and_says_what_is_wrong(code: Code) -> None:
    refusal = EARNED[code]()

    assert refusal.code is code
    assert refusal.detail[0].isalpha() or refusal.detail[0] == "«"
    assert refusal.detail.endswith(".")


@pytest.mark.parametrize("action", Action)
def test_each_action_is_asked_for_by_its_command(action: Action) -> None:
    assert action_of(request(action, ADA)) is action


def test_every_command_but_two_asks_for_an_action() -> None:
    commands = {type(request(action, ADA)) for action in Action}

    assert commands == set(get_args(c.Command)) - {c.Open, c.RecordRejection}


# ---------------------------------------------------------------------------------------------- limits

X64K = "x" * limits.TEXT_MAX_BYTES


def test_the_limits_are_those_of_the_issue() -> None:
    assert (limits.SUBJECT_MAX_CHARACTERS, limits.TEXT_MAX_BYTES) == (200, 65_536)


@pytest.mark.parametrize("character", ["x", "ä", "火"])
def test_a_subject_has_200_characters(character: str) -> None:
    Case.opened(STANDARD, subject=character * 200)

    refusal = Case(STANDARD).refuse(opening(subject=character * 201))

    assert (refusal.code, refusal.fields) == (Code.TOO_LONG, ("subject",))
    assert "201" in refusal.detail
    assert "at most 200" in refusal.detail


TEXTS: dict[str, Callable[[str], c.Command]] = {
    "description": lambda text: opening(description=text),
    "body": lambda text: comment(body=text),
    "comment": lambda text: c.Escalate(command_id=an_id(), actor=BOB, comment=text),
    "reason": lambda text: c.Reject(command_id=an_id(), actor=BOB, reason=text),
    "summary": lambda text: replace(resolve(), summary=text),
    "root_cause": lambda text: replace(resolve(), root_cause=text),
    "q1": lambda text: c.AnswerSurvey(command_id=an_id(), actor=BOB, q1=text, q2=1),
    "q2": lambda text: c.Accept(command_id=an_id(), actor=BOB, survey=Survey(q1=1, q2=text)),
}


@pytest.mark.parametrize("field", TEXTS)
def test_a_text_has_64_kib(field: str) -> None:
    refusal = decide(None, STANDARD, TEXTS[field](X64K + "x"), MONDAY)
    in_bytes = decide(None, STANDARD, TEXTS[field]("ä" * 32_768 + "x"), MONDAY)
    at_most = decide(None, STANDARD, TEXTS[field](X64K), MONDAY)

    for decided in (refusal, in_bytes):
        assert isinstance(decided, Refusal)
        assert (decided.code, decided.fields) == (Code.TOO_LONG, (field,))
        assert "65537 bytes; at most 65536 (64 KiB)" in decided.detail
    assert not isinstance(at_most, Refusal) or at_most.code is Code.NO_SUCH_CASE


FIELDS: dict[str, Callable[[str], c.Command]] = {
    "command_id": lambda text: replace(request(Action.CLOSE, ADA), command_id=text),
    "actor.name": lambda text: request(Action.CLOSE, Actor(kind=ActorKind.STAFF, name=text)),
    "resolution_type": lambda text: replace(resolve(), resolution_type=text),
    **{
        name: lambda text, name=name: opening(**{name: text})  # type: ignore[misc]
        for name in ("product", "type", "severity", "account", "environment", "internal_reference")
    },
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_has_200_characters(field: str) -> None:
    refusal = decide(None, STANDARD, FIELDS[field]("x" * 201), MONDAY)
    at_most = decide(None, STANDARD, FIELDS[field]("x" * 200), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.TOO_LONG, (field,))
    assert not isinstance(at_most, Refusal) or at_most.code is Code.NO_SUCH_CASE


@pytest.mark.parametrize("field", ["severity", "product", "type", "internal_reference", "environment"])
def test_an_edited_field_has_200_characters(field: str) -> None:
    refusal = _refused(_edit(**{field: "x" * 201}))

    assert (refusal.code, refusal.fields) == (Code.TOO_LONG, (field,))


def test_an_actors_address_has_320_characters() -> None:
    case = Case.opened(STANDARD)
    case.act(Action.COMMENT, replace(ADA, email="x" * 320))

    assert case.refuse(request(Action.COMMENT, replace(ADA, email="x" * 321))).code is Code.TOO_LONG


@pytest.mark.parametrize(
    "command",
    [comment, opening, lambda cc: _edit(cc=cc)],
    ids=["comment", "open", "edit"],
)
def test_addresses_in_cc_are_named_one_by_one(command: Callable[..., c.Command]) -> None:
    refusal = decide(None, STANDARD, command(cc=("bob", "eve@acme.example", "a b@c.example", "x@")), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.INVALID_ADDRESS, ("cc",))
    assert refusal.detail == "Not mail addresses: bob, a b@c.example, x@."


def test_cc_has_50_addresses() -> None:
    addresses = tuple(f"p{number}@acme.example" for number in range(51))
    Case.opened(STANDARD).do(comment(cc=addresses[:50]))

    assert _refused(comment(cc=addresses)).code is Code.TOO_LONG


def test_a_case_has_50_addresses_however_many_comments_add_them() -> None:
    case = Case.opened(STANDARD, cc=tuple(f"p{number}@acme.example" for number in range(49)))
    case.do(comment(cc=("last@acme.example", "p1@acme.example")))

    refusal = case.refuse(comment(cc=("more@acme.example",)))

    assert (refusal.code, refusal.fields) == (Code.TOO_LONG, ("cc",))
    assert "51 addresses on the case; at most 50" in refusal.detail
    case.do(comment(cc=("last@acme.example",)))


def test_a_reply_answers_an_event_that_there_is() -> None:
    case = Case.opened(STANDARD)
    case.do(comment(in_reply_to=1))

    refusal = case.refuse(comment(in_reply_to=3))

    assert (refusal.code, refusal.fields) == (Code.MALFORMED, ("in_reply_to",))
    assert refusal.detail == "There is no event 3 to reply to; the latest is 2."


@pytest.mark.parametrize("impact", ["high", "Huge", "", " "])
@pytest.mark.parametrize("command", [opening, _edit], ids=["open", "edit"])
def test_m6_an_impact_is_high_medium_or_low(command: Callable[..., c.Command], impact: str) -> None:
    refusal = decide(None, STANDARD, command(impact=impact), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.MALFORMED, ("impact",))
    assert "High, Medium, Low" in refusal.detail


@pytest.mark.parametrize("blank", [None, "", " "])
def test_m7_what_an_opening_needs_can_not_be_emptied_later(blank: str | None) -> None:
    refusal = decide(None, MSP_PORTAL, _edit(environment=blank, contact=None, internal_reference=blank), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.FIELD_REQUIRED, ("contact", "environment"))


def test_m12_an_accept_answers_both_questions_or_none() -> None:
    refusal = resolved(MSP_PORTAL).refuse(c.Accept(command_id="1", actor=BOB, survey=Survey(q1=5, q2=" ")))

    assert (refusal.code, refusal.fields) == (Code.FIELD_REQUIRED, ("q2",))


def test_m12_a_desk_that_asks_nothing_takes_no_answers() -> None:
    silent = replace(MSP_PORTAL, survey=False)
    refusal = resolved(silent).refuse(c.Accept(command_id="1", actor=BOB, survey=Survey(q1=5, q2=5)))

    assert refusal.code is Code.SURVEY_NOT_OFFERED


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (opening(contact="bob"), "contact"),
        (opening(reporter=""), "reporter"),
        (_edit(contact="a@b@c"), "contact"),
        (c.Assign(command_id="1", actor=ADA, assignee="Ada"), "assignee"),
    ],
)
def test_other_people_are_addresses_too(command: c.Command, field: str) -> None:
    refusal = decide(None, STANDARD, command, MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.INVALID_ADDRESS, (field,))


def test_20_attachments_at_a_time() -> None:
    case = Case.opened(STANDARD)
    case.do(c.Attach(command_id=an_id(), actor=BOB, attachments=(FILE,) * 20))

    assert case.refuse(comment(attachments=(FILE,) * 21)).code is Code.TOO_LONG


@pytest.mark.parametrize(
    "command",
    [
        comment(attachments=("../etc/passwd",)),
        opening(attachments=(FILE, "")),
        c.Attach(command_id="1", actor=BOB, attachments=("1",)),
        c.RemoveAttachment(command_id="1", actor=BOB, attachment=FILE[:-1]),
    ],
)
def test_attachments_are_named_by_their_ids(command: c.Command) -> None:
    refusal = decide(None, STANDARD, command, MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.MALFORMED, ("attachments",))


@pytest.mark.parametrize("number", [0, -1, 2**31])
@pytest.mark.parametrize(
    ("field", "command"),
    [
        ("in_reply_to", lambda number: comment(in_reply_to=number)),
        ("follow_up_of", lambda number: opening(follow_up_of=number)),
        ("number", lambda number: c.FollowUp(command_id="1", actor=BOB, number=number)),
    ],
)
def test_numbers_of_cases_and_events_start_at_1(field: str, command: Callable[[int], c.Command], number: int) -> None:
    refusal = decide(None, STANDARD, command(number), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.MALFORMED, (field,))


def test_not_editable_names_what_is() -> None:
    refusal = _refused(_edit(status="closed", assignee=None, severity="High"))

    assert refusal.fields == ("assignee", "status")
    assert all(name in refusal.detail for name in c.EDITABLE_FIELDS)


@pytest.mark.parametrize(
    ("name", "value"), [("cc", None), ("cc", "eve@acme.example"), ("severity", ("High",)), ("contact", ())]
)
def test_cc_is_a_list_and_every_other_field_a_text(name: str, value: Any) -> None:
    refusal = _refused(_edit(**{name: value}))

    assert (refusal.code, refusal.fields) == (Code.MALFORMED, (name,))


@pytest.mark.parametrize("profile", PROFILES)
def test_what_an_opening_needs_is_a_field_of_the_opening(profile: str) -> None:
    policy = PROFILES[profile]

    assert set(policy.required_at_opening) <= {field.name for field in fields(c.Open)}


def test_half_a_character_is_no_reason_to_fall_over() -> None:
    decided = decide(None, STANDARD, comment(body="\ud800"), MONDAY)

    assert isinstance(decided, Refusal)


def test_a_rejection_is_recorded_however_it_looks() -> None:
    case = Case.opened(STANDARD)
    case.do(
        c.RecordRejection(
            command_id=an_id(), actor=SYSTEM, command="", code="malformed", detail="x" * 70_000, received=""
        )
    )

    assert case.kinds == ["opened", "command_rejected"]


@pytest.mark.parametrize("answer", [-1, limits.LARGEST_ANSWER + 1])
@pytest.mark.parametrize(
    "command",
    [
        lambda answer: c.AnswerSurvey(command_id="1", actor=BOB, q1=1, q2=answer),
        lambda answer: c.Accept(command_id="1", actor=BOB, survey=Survey(q1=1, q2=answer)),
    ],
    ids=["survey", "accept"],
)
def test_an_answer_in_figures_is_a_small_one(command: Callable[[int], c.Command], answer: int) -> None:
    refusal = decide(None, STANDARD, command(answer), MONDAY)
    at_most = decide(None, STANDARD, command(limits.LARGEST_ANSWER), MONDAY)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == (Code.MALFORMED, ("q2",))
    assert isinstance(at_most, Refusal)
    assert at_most.code is Code.NO_SUCH_CASE
