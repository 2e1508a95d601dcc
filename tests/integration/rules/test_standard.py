"""The rules of the standard desk."""

from __future__ import annotations

import pytest

from tests.client import Json, ProblemError
from tests.clock import moment
from tests.desks import ADA, BOB, CAROL, DAVE, LEO
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import SECOND, SHORTLY, actions, exported, opened, refused
from tests.integration.rules.live import listening

PROFILE = "standard"


async def resolved(desk: RuleDesk, number: int) -> Json:
    return await desk.ada.act(
        number, "resolve", resolution_type="Provided", summary="Range extended", root_cause="Number range full"
    )


@pytest.mark.rule("standard 1")
async def test_standard_1_a_first_staff_reply_or_an_assignment_opens_a_new_case(desk: RuleDesk) -> None:
    replied, assigned = await opened(desk.bob), await opened(desk.bob)
    assert (await desk.bob.case(replied))["status"] == "new"
    await desk.bob.comment(replied, "It is urgent")
    assert (await desk.bob.case(replied))["status"] == "new"
    await desk.ada.comment(replied, "We are looking into it")
    assert (await desk.bob.case(replied))["status"] == "open"
    assert (await desk.ada.act(assigned, "assign", assignee=LEO))["status"] == "open"


@pytest.mark.rule("standard 1")
async def test_standard_1_a_question_waits_for_the_customer_whose_reply_gives_it_back(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.comment(number, "Which invoice?", await_reply=True)
    waiting = await desk.bob.case(number)
    assert (waiting["status"], waiting["status_label"]) == ("awaiting_customer", "Awaiting your reply")
    await desk.leo.comment(number, "The number would do")
    assert (await desk.bob.case(number))["status"] == "awaiting_customer"
    await desk.bob.comment(number, "Number 4711")
    assert (await desk.bob.case(number))["status"] == "open"


@pytest.mark.rule("standard 1")
async def test_standard_1_the_answer_to_a_question_on_an_escalated_case_leaves_it_escalated(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.bob.act(number, "escalate", comment="Month end is today")
    await desk.ada.comment(number, "Which invoice?", await_reply=True)
    assert (await desk.bob.case(number))["status"] == "awaiting_customer"
    await desk.bob.comment(number, "Number 4711")
    assert (await desk.bob.case(number))["status"] == "escalated"


@pytest.mark.rule("standard 2")
@pytest.mark.parametrize("status", ["new", "open", "awaiting_customer"])
async def test_standard_2_any_active_case_is_escalated_with_a_comment(desk: RuleDesk, status: str) -> None:
    number = await opened(desk.bob)
    if status != "new":
        await desk.ada.comment(number, "Hello", await_reply=status == "awaiting_customer")
    case = await desk.bob.case(number)
    assert (case["status"], actions(case)["escalate"]) == (status, ["comment"])
    with refused("reason_required"):
        await desk.bob.act(number, "escalate", comment=" ")
    case = await desk.bob.act(number, "escalate", comment="Month end is today")
    assert case["status"] == "escalated"
    assert case["escalated_at"] is not None
    assert (await desk.bob.events(number))[-1]["comment"] == "Month end is today"


@pytest.mark.rule("standard 2")
async def test_standard_2_escalated_once_until_the_case_is_reopened(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.act(number, "escalate", comment="The customer called")
    assert "escalate" not in actions(await desk.bob.case(number))
    for who in (desk.bob, desk.ada):
        with refused("already_escalated"):
            await who.act(number, "escalate", comment="Once more")
    await desk.ada.act(number, "close")
    await desk.bob.act(number, "reopen", reason="It happened again")
    assert (await desk.bob.act(number, "escalate", comment="Again"))["status"] == "escalated"


@pytest.mark.rule("standard 2")
async def test_standard_2_what_has_ended_is_not_escalated(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await resolved(desk, number)
    with refused("not_allowed_in_status"):
        await desk.bob.act(number, "escalate", comment="Now")
    await desk.bob.act(number, "accept")
    with refused("case_closed"):
        await desk.bob.act(number, "escalate", comment="Now")


@pytest.mark.rule("standard 3")
async def test_standard_3_staff_resolve_with_type_and_summary(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    for missing in ({"summary": "Done"}, {"resolution_type": "Provided"}, {"resolution_type": " ", "summary": "Done"}):
        with pytest.raises(ProblemError) as problem:
            await desk.ada.act(number, "resolve", **missing)
        assert (problem.value.status, problem.value.code) == (422, "field_required")
    with pytest.raises(ProblemError) as problem:
        await desk.bob.act(number, "resolve", resolution_type="Provided", summary="Done")
    assert problem.value.status == 403
    case = await resolved(desk, number)
    assert (case["status"], case["status_label"]) == ("resolved", "Resolved")
    assert case["resolution"] == {
        "root_cause": "Number range full",
        "resolution_type": "Provided",
        "summary": "Range extended",
    }


@pytest.mark.rule("standard 3")
async def test_standard_3_an_accept_closes_and_may_bring_the_survey(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await resolved(desk, number)
    case = await desk.bob.act(number, "accept", survey={"q1": 5, "q2": "Quick"})
    assert (case["status"], case["closed_reason"], case["survey"]) == ("closed", "accepted", {"q1": 5, "q2": "Quick"})


@pytest.mark.rule("standard 3")
async def test_standard_3_a_reject_needs_its_reason_and_reopens(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await resolved(desk, number)
    assert actions(await desk.bob.case(number))["reject"] == ["reason"]
    with refused("reason_required"):
        await desk.bob.act(number, "reject", reason="")
    case = await desk.bob.act(number, "reject", reason="It still fails")
    assert (case["status"], case["resolution"], case["auto_close_at"]) == ("open", None, None)
    assert (await desk.ada.events(number))[-1]["reason"] == "It still fails"


@pytest.mark.rule("standard 3")
async def test_standard_3_a_comment_of_the_customers_reopens_and_one_of_staff_does_not(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await resolved(desk, number)
    await desk.ada.comment(number, "Please try again tomorrow")
    assert (await desk.bob.case(number))["status"] == "resolved"
    await desk.bob.comment(number, "It still fails")
    case = await desk.bob.case(number)
    assert (case["status"], case["auto_close_at"]) == ("open", None)


@pytest.mark.rule("standard 3")
async def test_standard_3_silence_closes_when_three_business_days_are_over_and_not_before(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    ends_at = moment((await resolved(desk, number))["auto_close_at"])
    clock = desk.clock(number)
    await clock.move_to(ends_at - SHORTLY)
    before = await desk.bob.case(number)
    assert clock.now() < ends_at, "the machine was too slow for this test to say anything"
    assert before["status"] == "resolved"
    await clock.move_to(ends_at + SECOND)
    closed = await desk.bob.case(number)
    assert (closed["status"], closed["closed_reason"]) == ("closed", "no_answer")
    assert ends_at <= moment(closed["closed_at"]) <= clock.now()


@pytest.mark.rule("standard 4")
async def test_standard_4_a_closed_case_reopens_with_a_reason(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    closed = await desk.ada.act(number, "close")
    assert actions(await desk.bob.case(number))["reopen"] == ["reason"]
    with refused("reason_required"):
        await desk.bob.act(number, "reopen", reason=" ")
    await desk.clock(number).move_to(moment(closed["reopen_until"]) - SHORTLY)
    case = await desk.bob.act(number, "reopen", reason="It happened again")
    assert (case["status"], case["closed_at"], case["sealed"]) == ("open", None, False)


@pytest.mark.rule("standard 4")
async def test_standard_4_afterwards_it_is_sealed_and_takes_only_a_follow_up(desk: RuleDesk) -> None:
    fields = {"product": "ERP", "type": "Incident", "severity": "High", "environment": "Test", "cc": [DAVE]}
    number = await opened(desk.bob, internal_reference="PO 12", **fields)
    closed = await desk.ada.act(number, "close")
    await desk.clock(number).move_to(moment(closed["reopen_until"]) + SECOND)
    case = await desk.bob.case(number)
    assert (case["sealed"], list(actions(case))) == (True, ["follow-up"])
    with refused("reopen_window_passed"):
        await desk.bob.act(number, "reopen", reason="It happened again")
    with refused("case_sealed"):
        await desk.bob.comment(number, "Hello?")
    follow_up = await desk.bob.act(number, "follow-up", description="It happened again")
    copied = {name: follow_up[name] for name in fields}
    assert copied == fields
    assert (follow_up["subject"], follow_up["account"]) == ("Posting fails", "acme")
    assert (follow_up["internal_reference"], follow_up["status"]) == ("PO 12", "new")
    assert follow_up["follow_up_of"] == number
    assert (await desk.bob.case(number))["follow_ups"] == [follow_up["number"]]


@pytest.mark.rule("standard 5")
async def test_standard_5_assigning_and_taking_off(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert (await desk.ada.act(number, "assign", assignee=LEO))["assignee"] == LEO
    assert (await desk.leo.act(number, "assign", assignee=None))["assignee"] is None
    assert (await desk.ada.act(number, "assign", assignee=ADA))["assignee"] == ADA
    with pytest.raises(ProblemError) as problem:
        await desk.ada.act(number, "assign", assignee=BOB)
    assert (problem.value.status, problem.value.body["errors"][0]["field"]) == (422, "assignee")


@pytest.mark.rule("standard 5")
async def test_standard_5_edited_fields_leave_their_history(desk: RuleDesk) -> None:
    number = await opened(desk.bob, severity="Low")
    await desk.bob.edit(number, severity="High", product="ERP", internal_reference="PO 12")
    case = await desk.ada.edit(number, type="Incident")
    assert (case["severity"], case["product"], case["type"]) == ("High", "ERP", "Incident")
    changes = {
        change["field"]: (change["before"], change["after"])
        for event in await desk.bob.events(number)
        for change in event.get("changes", [])
    }
    assert changes == {
        "severity": ("Low", "High"),
        "product": (None, "ERP"),
        "internal_reference": (None, "PO 12"),
        "type": (None, "Incident"),
    }


@pytest.mark.rule("standard 5")
async def test_standard_5_people_copied_in_see_the_case_and_people_taken_out_do_not(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    with pytest.raises(ProblemError, match="404"):
        await desk.dave.case(number)
    await desk.bob.edit(number, cc=[DAVE])
    assert (await desk.dave.case(number))["cc"] == [DAVE]
    await desk.bob.edit(number, cc=[])
    with pytest.raises(ProblemError, match="404"):
        await desk.dave.case(number)


@pytest.mark.rule("standard 5")
async def test_standard_5_no_customer_ever_meets_a_note(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[DAVE])
    before = await desk.bob.case(number)
    async with listening(desk.carol) as stream:
        note = await desk.ada.comment(number, "Zanzibar is to blame", internal=True)
        assert (await desk.bob.case(number))["updated_at"] == before["updated_at"]
        comment = await desk.ada.comment(number, "We are looking into it", in_reply_to=1)
        heard = await stream.until(number, comment["seq"])
    assert "Zanzibar" not in str(heard)
    assert note["seq"] not in [event["data"]["seq"] for event in heard]
    known = await desk.ada.cases(q="Zanzibar", after_seq=note["seq"])
    assert [case["number"] for case in known["items"]] == [number]
    for who in (desk.bob, desk.carol, desk.dave):
        assert "Zanzibar" not in str(await who.case(number)) + str(await who.events(number))
        assert (await who.cases(q="Zanzibar"))["total"] == 0
        assert await exported(who, q="Zanzibar") == []
    assert "Zanzibar" not in str(await exported(desk.bob))
    mails = await desk.mails_about(number, comment["seq"], {BOB, DAVE})
    assert "Zanzibar" not in str(mails)
    assert await desk.mails_about(number, note["seq"], set()) == []


@pytest.mark.rule("standard 5")
async def test_standard_5_a_note_is_told_to_the_assignee_alone(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[DAVE, CAROL])
    await desk.ada.act(number, "assign", assignee=LEO)
    note = await desk.ada.comment(number, "Zanzibar is to blame", internal=True)
    [mail] = await desk.mails_about(number, note["seq"], {LEO})
    assert "Zanzibar" in mail.text
