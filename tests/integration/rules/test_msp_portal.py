"""The rules of the portal of managed services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.client import Caller, Json, ProblemError
from tests.desks import ADA, BOB, CAROL, DAVE, ERIN, MIA, STRANGER
from tests.integration.rules import kit
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import actions, refused
from tests.samples import SAMPLES

PROFILE = "msp-portal"
OVER = {
    "services": [
        {"name": "monitoring", "scopes": ["case.open"]},
        {"name": "reporting", "scopes": ["case.read"]},
    ]
}
WORDS = {"subject": "Backup fails", "description": "Since midnight"}
COMPLETE = {**WORDS, "environment": "Production", "impact": "High"}


async def opened(who: Caller, **fields: Any) -> int:
    return await kit.opened(who, **COMPLETE | fields)


async def resolved(desk: RuleDesk) -> int:
    number = await opened(desk.bob)
    case = await desk.ada.act(number, "resolve", resolution_type="Provided", summary="The disk was full")
    assert (case["status"], case["status_label"]) == ("resolved", "Resolved")
    return number


@contextmanager
def at_fault(*fields: str) -> Iterator[dict[str, list[str] | None]]:
    """What is inside must be refused with 422 for exactly these fields; yields what would be allowed for each."""
    allowed: dict[str, list[str] | None] = {}
    with pytest.raises(ProblemError) as problem:
        yield allowed
    assert problem.value.status == 422, problem.value
    allowed |= {error["field"]: error.get("allowed") for error in problem.value.body["errors"]}
    assert set(allowed) == set(fields)


@pytest.mark.rule("M1")
async def test_m1_only_registered_users_with_the_permission_open_cases(desk: RuleDesk) -> None:
    assert (await desk.bob.open(**COMPLETE))["status"] == "new"
    with pytest.raises(ProblemError) as unknown:
        await desk.person(STRANGER).open(**COMPLETE)
    assert (unknown.value.status, unknown.value.code) == (404, "not_found")
    with pytest.raises(ProblemError, match=r"lacks the scope case\.open") as unscoped:
        await desk.person("reporting").open(**COMPLETE, account="acme", contact=BOB)
    assert unscoped.value.status == 403
    assert (await desk.person("monitoring").open(**COMPLETE, account="acme", contact=BOB))["contact"] == BOB
    for header in ({}, {"Authorization": "Bearer made-up"}):
        async with httpx.AsyncClient(base_url=desk.stack.api, trust_env=False) as nobody:
            answer = await nobody.post(f"/api/v1/desks/{desk.slug}/cases", json=COMPLETE, headers=header)
        assert answer.status_code == 401


@pytest.mark.rule("M2")
async def test_m2_a_case_is_reported_by_whoever_opens_it(desk: RuleDesk) -> None:
    assert (await desk.bob.open(**COMPLETE))["reporter"] == BOB
    assert (await desk.carol.open(**COMPLETE, contact=BOB))["reporter"] == CAROL
    assert (await desk.ada.open(**COMPLETE, account="acme", contact=BOB))["reporter"] == ADA
    for who in (desk.bob, desk.ada):
        with at_fault("reporter"):
            await who.open(**COMPLETE, account="acme", contact=BOB, reporter=CAROL)
    with at_fault("reporter"):
        await desk.bob.edit(await opened(desk.bob), reporter=CAROL)


@pytest.mark.rule("M3")
async def test_m3_the_account_is_chosen_only_by_those_who_manage_more_than_one(desk: RuleDesk) -> None:
    assert (await desk.bob.open(**COMPLETE))["account"] == "acme"
    with at_fault("account") as allowed:
        await desk.bob.open(**COMPLETE, account="other")
    assert allowed["account"] == ["acme"]
    with at_fault("account", "environment") as allowed:
        await desk.mia.open(**COMPLETE | {"environment": None}, contact=MIA)
    assert allowed["account"] == ["acme", "other"]
    with at_fault("account", "environment") as allowed:
        await desk.ada.open(**COMPLETE | {"environment": None}, contact=MIA)
    assert allowed["account"] == ["acme", "other"]
    for account, environment in (("acme", "Test"), ("other", "Live")):
        case = await desk.mia.open(**COMPLETE | {"environment": environment}, account=account)
        assert (case["account"], case["environment"], case["contact"]) == (account, environment, MIA)
    with at_fault("account") as allowed:
        await desk.mia.open(**COMPLETE, account="acne")
    assert allowed["account"] == ["acme", "other"]
    offered = [(await who.send("GET", "/policy"))["accounts"] for who in (desk.bob, desk.mia, desk.ada)]
    assert [[each["key"] for each in accounts] for accounts in offered] == [["acme"], ["acme", "other"], []]
    with at_fault("account"):
        await desk.mia.edit(case["number"], account="acme")


@pytest.mark.rule("M4")
async def test_m4_a_case_is_opened_on_behalf_of_another_user_of_the_account(desk: RuleDesk) -> None:
    number = await opened(desk.bob, contact=DAVE)
    case = await desk.dave.case(number)
    assert (case["reporter"], case["contact"], case["account"]) == (BOB, DAVE, "acme")
    await desk.mails_about(number, 1, {DAVE})
    reply = await desk.ada.comment(number, "We are looking into it")
    await desk.mails_about(number, reply["seq"], {BOB, DAVE})
    for stranger in (desk.mia, desk.erin):
        with pytest.raises(ProblemError, match="404"):
            await stranger.case(number)


@pytest.mark.rule("M4")
async def test_m4_the_contact_is_a_user_of_the_cases_account(desk: RuleDesk) -> None:
    [account] = (await desk.bob.send("GET", "/policy"))["accounts"]
    users = {BOB: "Bob Acme", CAROL: "Carol Acme", DAVE: "Dave Acme", MIA: "Mia Partner"}
    assert (account["members"], account["environments"]) == (users, ["Production", "Test"])
    with at_fault("contact") as allowed:
        await opened(desk.bob, contact=ERIN)
    assert allowed["contact"] == list(users)
    with at_fault("contact"):
        await desk.ada.open(**COMPLETE, account="acme", contact=ERIN)
    with at_fault("contact"):
        await desk.mia.open(**COMPLETE | {"environment": "Live"}, account="other", contact=BOB)
    number = await opened(desk.bob)
    with at_fault("contact"):
        await desk.bob.edit(number, contact=ERIN)
    await desk.bob.edit(number, contact=DAVE)
    assert (await desk.dave.case(number))["contact"] == DAVE


@pytest.mark.rule("M5")
async def test_m5_the_environment_is_one_of_the_accounts(desk: RuleDesk) -> None:
    number = await opened(desk.bob, environment="Test")
    assert (await desk.ada.case(number))["environment"] == "Test"
    for wrong in ("Live", "production"):
        with at_fault("environment") as allowed:
            await opened(desk.bob, environment=wrong)
        assert allowed["environment"] == ["Production", "Test"]
        with at_fault("environment"):
            await desk.ada.edit(number, environment=wrong)
    assert (await desk.bob.edit(number, environment="Production"))["environment"] == "Production"


@pytest.mark.rule("M6")
async def test_m6_impact_is_high_medium_or_low_and_sets_the_urgency(desk: RuleDesk) -> None:
    policy = await desk.bob.send("GET", "/policy")
    assert (policy["policy"]["urgency"], policy["impacts"]) == ("impact", ["High", "Medium", "Low"])
    for impact in policy["impacts"]:
        case = await desk.bob.open(**COMPLETE | {"impact": impact, "severity": "Low"})
        assert (case["impact"], case["urgency"]) == (impact, impact)
    edited = await desk.bob.edit(case["number"], impact="High")
    assert (edited["impact"], edited["urgency"]) == ("High", "High")
    for wrong in ("high", "Critical", "", 1):
        with at_fault("impact"):
            await opened(desk.bob, impact=wrong)
        with at_fault("impact"):
            await desk.bob.edit(case["number"], impact=wrong)


@pytest.mark.rule("M7")
async def test_m7_what_is_required_is_named_with_the_choices(desk: RuleDesk) -> None:
    with at_fault("subject", "description"):
        await desk.bob.open(environment="Test", impact="Low")
    for blank in ("subject", "description"):
        with at_fault(blank):
            await opened(desk.bob, **{blank: " "})
    with at_fault("environment", "impact") as allowed:
        await desk.bob.open(**WORDS)
    assert allowed == {"environment": ["Production", "Test"], "impact": ["High", "Medium", "Low"]}
    with at_fault("account", "environment", "impact"):
        await desk.mia.open(**WORDS)
    with at_fault("account", "contact", "environment", "impact") as allowed:
        await desk.ada.open(**WORDS)
    assert allowed["account"] == ["acme", "other"]


@pytest.mark.rule("M7")
async def test_m7_what_has_one_possible_value_fills_itself(desk: RuleDesk) -> None:
    case = await desk.erin.open(**WORDS, impact="Low")
    filled = [case[name] for name in ("reporter", "account", "contact", "environment")]
    assert filled == [ERIN, "other", ERIN, "Live"]
    case = await desk.ada.open(**WORDS, impact="Low", contact=ERIN)
    assert (case["account"], case["environment"]) == ("other", "Live")


@pytest.mark.rule("M7")
@pytest.mark.parametrize("name", ["environment", "impact", "contact"])
async def test_m7_what_is_required_can_not_be_emptied_afterwards(desk: RuleDesk, name: str) -> None:
    number = await opened(desk.bob)
    for who in (desk.bob, desk.ada):
        with at_fault(name):
            await who.edit(number, **{name: None})
    case = await desk.bob.case(number)
    assert (case["seq"], case["environment"], case["impact"], case["contact"]) == (1, "Production", "High", BOB)


@pytest.mark.rule("M8")
async def test_m8_images_and_documents_come_with_the_opening(desk: RuleDesk) -> None:
    contents = {f"file.{ending}": SAMPLES[ending] for ending in ("png", "pdf", "xlsx")}
    sent = [await desk.bob.upload(name, content) for name, content in contents.items()]
    number = await opened(desk.bob, attachments=[file["id"] for file in sent])
    for who in (desk.bob, desk.ada):
        listed = await who.attachments(number)
        assert {(file["filename"], file["seq"]) for file in listed} == {(name, 1) for name in contents}
        for file in listed:
            downloaded = await who.download(f"/cases/{number}/attachments/{file['id']}")
            assert downloaded.content == contents[file["filename"]]
    with pytest.raises(ProblemError, match=r"«\.zip» are not taken") as problem:
        await desk.bob.upload("all.zip", SAMPLES["zip"])
    assert (problem.value.status, problem.value.code) == (415, "attachment_type_not_allowed")


@pytest.mark.rule("M8")
async def test_m8_a_file_is_attached_by_who_sent_it_and_once(desk: RuleDesk) -> None:
    sent = (await desk.bob.upload("screen.png", SAMPLES["png"]))["id"]
    with at_fault("attachments.0"):
        await desk.carol.open(**COMPLETE, attachments=[sent])
    await opened(desk.bob, attachments=[sent])
    with at_fault("attachments.0"):
        await opened(desk.bob, attachments=[sent])


@pytest.mark.rule("M9")
async def test_m9_new_open_resolved_until_the_user_confirms(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert (await desk.bob.case(number))["status_label"] == "New"
    await desk.ada.comment(number, "We are looking into it")
    assert (await desk.bob.case(number))["status_label"] == "Open"
    await desk.ada.comment(number, "Which job?", await_reply=True)
    assert (await desk.bob.case(number))["status_label"] == "Open"
    case = await desk.ada.act(number, "resolve", resolution_type="Provided", summary="The disk was full")
    assert (case["status_label"], case["auto_close_at"]) == ("Resolved", None)
    clock = desk.clock(number)
    await clock.move_to(clock.now() + timedelta(days=400))
    assert (await desk.bob.case(number))["status_label"] == "Resolved"
    assert (await desk.bob.act(number, "accept"))["status_label"] == "Closed"


@pytest.mark.rule("M9")
async def test_m9_closed_is_for_good(desk: RuleDesk) -> None:
    number = await resolved(desk)
    closed = await desk.bob.act(number, "accept")
    assert (closed["sealed"], closed["reopen_until"], set(actions(closed))) == (True, None, {"survey"})
    attempts: list[Callable[[Caller], Any]] = [
        lambda who: who.act(number, "reopen", reason="It is back"),
        lambda who: who.comment(number, "It is back"),
        lambda who: who.edit(number, impact="Low"),
        lambda who: who.act(number, "close"),
        lambda who: who.act(number, "follow-up", description="It is back", environment="Test", impact="Low"),
    ]
    for who in (desk.bob, desk.ada):
        for attempt in attempts:
            with refused("case_sealed") as problem:
                await attempt(who)
            assert "closed for good" in problem.value.body["detail"]
            assert "follow_up" not in problem.value.body
    assert (await desk.bob.case(number))["seq"] == closed["seq"]


@pytest.mark.rule("M10")
async def test_m10_an_accept_closes(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert "accept" not in actions(await desk.bob.case(number))
    with refused("not_allowed_in_status"):
        await desk.bob.act(number, "accept")
    number = await resolved(desk)
    with pytest.raises(ProblemError, match="403"):
        await desk.ada.act(number, "accept")
    assert actions(await desk.bob.case(number))["accept"] == []
    case = await desk.bob.act(number, "accept")
    assert (case["status"], case["status_label"], case["closed_reason"]) == ("closed", "Closed", "accepted")


@pytest.mark.rule("M11")
async def test_m11_a_reject_takes_a_reason_and_opens_again(desk: RuleDesk) -> None:
    number = await resolved(desk)
    assert actions(await desk.bob.case(number))["reject"] == ["reason"]
    blanks: list[Json] = [{}, {"reason": ""}, {"reason": " \n\t"}]
    for blank in blanks:
        with refused("reason_required"):
            await desk.bob.act(number, "reject", **blank)
    assert (await desk.bob.case(number))["status"] == "resolved"
    case = await desk.bob.act(number, "reject", reason="It failed again")
    assert (case["status_label"], case["resolution"]) == ("Open", None)
    assert (await desk.ada.events(number))[-1]["reason"] == "It failed again"


@pytest.mark.rule("M11")
async def test_m11_a_comment_is_no_answer_to_a_resolution(desk: RuleDesk) -> None:
    number = await resolved(desk)
    await desk.bob.comment(number, "Let me check")
    assert (await desk.bob.case(number))["status"] == "resolved"


@pytest.mark.rule("M12")
async def test_m12_after_an_accept_two_questions_may_be_answered_once(desk: RuleDesk) -> None:
    number = await resolved(desk)
    with refused("not_allowed_in_status"):
        await desk.bob.act(number, "survey", q1=5, q2="Quick")
    closed = await desk.bob.act(number, "accept")
    assert (closed["status"], closed["survey"]) == ("closed", None)
    assert actions(closed)["survey"] == ["q1", "q2"]
    wrong: list[tuple[Json, str]] = [
        ({"q1": 5}, "q2"),
        ({"q1": -1, "q2": 5}, "q1"),
        ({"q1": 101, "q2": 5}, "q1"),
        ({"q1": 5, "q2": " "}, "q2"),
    ]
    for answers, field in wrong:
        with at_fault(field):
            await desk.bob.act(number, "survey", **answers)
    case = await desk.bob.act(number, "survey", q1=5, q2="Quick")
    assert (case["survey"], case["status"], "survey" in actions(case)) == ({"q1": 5, "q2": "Quick"}, "closed", False)
    with refused("survey_not_offered"):
        await desk.bob.act(number, "survey", q1=1, q2="Slow")


@pytest.mark.rule("M12")
async def test_m12_the_accept_may_bring_the_answers(desk: RuleDesk) -> None:
    number = await resolved(desk)
    with at_fault("q2"):
        await desk.bob.act(number, "accept", survey={"q1": 4, "q2": ""})
    assert (await desk.bob.case(number))["status"] == "resolved"
    case = await desk.bob.act(number, "accept", survey={"q1": 4, "q2": 3})
    assert (case["status"], case["survey"]) == ("closed", {"q1": 4, "q2": 3})
    with refused("survey_not_offered"):
        await desk.bob.act(number, "survey", q1=1, q2=1)


@pytest.mark.rule("M12")
async def test_m12_without_an_accept_nothing_is_asked(desk: RuleDesk) -> None:
    number = await resolved(desk)
    closed = await desk.ada.act(number, "close")
    assert "survey" not in actions(closed)
    with refused("survey_not_offered"):
        await desk.bob.act(number, "survey", q1=5, q2=5)


@pytest.mark.rule("M13")
@pytest.mark.parametrize("status", ["new", "open", "awaiting_customer"])
@pytest.mark.parametrize("words", ["We have moved to another provider", ""])
async def test_m13_the_user_closes_a_case_that_is_being_worked_on(desk: RuleDesk, status: str, words: str) -> None:
    number = await opened(desk.bob)
    if status != "new":
        await desk.ada.comment(number, "Which job?", await_reply=status != "open")
    case = await desk.bob.case(number)
    assert (case["status"], actions(case)["close"]) == (status, [])
    closed = await desk.bob.act(number, "close", comment=words)
    assert (closed["status"], closed["closed_reason"], closed["sealed"]) == ("closed", "closed_by_customer", True)
    [event] = [event for event in await desk.ada.events(number) if event["kind"] == "closed"]
    assert event["comment"] == words


@pytest.mark.rule("M13")
async def test_m13_what_is_resolved_is_accepted_or_rejected(desk: RuleDesk) -> None:
    number = await resolved(desk)
    assert set(actions(await desk.bob.case(number))) >= {"accept", "reject", "comment"}
    with refused("not_allowed_in_status"):
        await desk.bob.act(number, "close")
