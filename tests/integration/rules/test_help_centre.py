"""The rules of the help centre."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.client import Caller, Json, ProblemError
from tests.clock import FRIDAY, WEDNESDAY, Clock, moment, next_weekday
from tests.desks import ADA, BOB, CAROL, DAVE
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import LONDON, SECOND, SHORTLY, actions, opened, refused
from tests.samples import SAMPLES
from tests.waiting import until

PROFILE = "help-centre"


async def solved(desk: RuleDesk) -> tuple[int, Clock, Json]:
    """A ticket of Bob's that he marked solved on a Friday at 15:00 in London."""
    number = await opened(desk.bob)
    clock = desk.clock(number)
    await clock.move_to(next_weekday(clock.now(), FRIDAY, 15, LONDON) + SECOND)
    await desk.bob.comment(number, "", solve=True)
    return number, clock, await desk.bob.case(number)


async def listed(who: Caller, **query: Any) -> set[int]:
    page = await who.cases(page_size=100, **query)
    assert page["total"] == len(page["items"])
    return {case["number"] for case in page["items"]}


async def lists(who: Caller, numbers: set[int], **query: Any) -> None:
    """Wait until the list holds all of these."""

    async def all_there() -> bool:
        return numbers <= await listed(who, **query)

    await until(all_there, what=f"{numbers} in the list")


@pytest.mark.rule("H1")
async def test_h1_my_tickets_are_those_that_one_submitted_or_is_copied_on(desk: RuleDesk) -> None:
    others = await opened(desk.dave)
    own, copied = await opened(desk.bob), await opened(desk.carol, cc=[BOB])
    await lists(desk.dave, {others})
    await lists(desk.bob, {own, copied}, mine=True)
    for query in ({"mine": True}, {}):
        assert others not in await listed(desk.bob, **query)
    assert not {own, others} & await listed(desk.carol, mine=True), "who administers the account has no others either"
    with pytest.raises(ProblemError, match="404"):
        await desk.carol.case(own)


@pytest.mark.rule("H2")
async def test_h2_tickets_filter_by_open_awaiting_your_reply_and_solved(desk: RuleDesk) -> None:
    groups = (await desk.bob.send("GET", "/policy"))["status_groups"]
    assert [group["label"] for group in groups] == ["Open", "Awaiting your reply", "Solved"]
    new, taken, asked, resolved, closed = [await opened(desk.bob, subject="Filtered") for _ in range(5)]
    await desk.ada.comment(taken, "We are looking into it")
    await desk.ada.comment(asked, "Which invoice?", await_reply=True)
    await desk.bob.comment(resolved, "", solve=True)
    seq = (await desk.ada.act(closed, "close"))["seq"]
    everything = {new, taken, asked, resolved, closed}
    await lists(desk.ada, everything, after_seq=seq, q="Filtered")
    expected = {"Open": {new, taken}, "Awaiting your reply": {asked}, "Solved": {resolved, closed}}
    for label, numbers in expected.items():
        assert await listed(desk.bob, q="Filtered", status=label) == numbers, label
    assert await listed(desk.bob, q="Filtered", status=["Open", "Solved"]) == everything - {asked}


@pytest.mark.rule("H3")
async def test_h3_a_search_stays_within_ones_own_tickets(desk: RuleDesk) -> None:
    theirs = await opened(desk.dave, description="The zeppelin leaks")
    own = await opened(desk.bob, subject="Zeppelin needs gas")
    commented = await opened(desk.bob)
    await desk.ada.comment(commented, "Is it about a zeppelin?")
    await lists(desk.dave, {theirs}, q="zeppelin")
    await lists(desk.bob, {own, commented}, q="zeppelin")
    assert await listed(desk.bob, q="zepp") == {own, commented}
    assert await listed(desk.dave, q="zepp") == {theirs}
    assert await listed(desk.carol, q="zepp") == set()


@pytest.mark.rule("H4")
async def test_h4_what_stands_in_the_list_opens_the_detail(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Opens from its title")
    await lists(desk.bob, {number}, q="title")
    [item] = (await desk.bob.cases(q="Opens from its title"))["items"]
    assert item["subject"] == "Opens from its title"
    detail = await desk.bob.case(item["number"])
    assert (detail["number"], detail["subject"], detail["description"]) == (number, item["subject"], "Error 1217")
    assert await desk.bob.case(item["key"]) == detail


@pytest.mark.rule("H5")
async def test_h5_an_update_is_a_comment(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    before = await desk.bob.case(number)
    event = await desk.bob.comment(number, "It happens every hour")
    assert (event["kind"], event["body"], event["actor"]["email"]) == ("commented", "It happens every hour", BOB)
    assert (await desk.ada.events(number))[-1] == event
    after = await desk.bob.case(number)
    assert (after["status"], after["updated_at"]) == (before["status"], event["at"])
    with pytest.raises(ProblemError) as problem:
        await desk.bob.comment(number, " \n")
    assert (problem.value.status, problem.value.code) == (422, "field_required")


@pytest.mark.rule("H6")
async def test_h6_a_colleague_who_is_copied_by_a_comment_finds_the_ticket_in_their_own_list(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[CAROL])
    with pytest.raises(ProblemError, match="404"):
        await desk.dave.case(number)
    event = await desk.bob.comment(number, "Dave knows more", cc=[DAVE, "someone@partner.example"])
    assert (await desk.dave.case(number))["cc"] == [CAROL, DAVE, "someone@partner.example"]
    await lists(desk.dave, {number}, mine=True)
    await desk.mails_about(number, event["seq"], {CAROL, DAVE, "someone@partner.example"})
    assert (await desk.dave.comment(number, "I do"))["actor"]["email"] == DAVE


@pytest.mark.rule("H6")
async def test_h6_a_ticket_has_room_for_50_copied_addresses_and_says_so(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[f"p{index}@partner.example" for index in range(49)])
    await desk.bob.comment(number, "One more", cc=[DAVE, "p0@partner.example"])
    with pytest.raises(ProblemError, match="at most 50") as problem:
        await desk.bob.comment(number, "And another", cc=["late@partner.example"])
    assert (problem.value.status, problem.value.code) == (422, "too_long")
    assert [error["field"] for error in problem.value.body["errors"]] == ["cc"]
    case = await desk.bob.case(number)
    assert (len(case["cc"]), case["seq"]) == (50, 2)


@pytest.mark.rule("H7")
async def test_h7_a_closed_ticket_takes_no_update(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[DAVE])
    closed = await desk.ada.act(number, "close")
    for who in (desk.bob, desk.dave, desk.ada):
        with refused("case_sealed"):
            await who.comment(number, "One more thing")
    with refused("case_sealed"):
        await desk.bob.comment(number, "", solve=True)
    for who in (desk.bob, desk.ada):
        with refused("case_sealed"):
            await who.edit(number, cc=[CAROL])
        late = (await who.upload("late.txt", SAMPLES["txt"]))["id"]
        with refused("case_sealed"):
            await who.comment(number, "", attachments=[late])
        with refused("case_sealed"):
            await who.act(number, "attach", attachments=[late])
    assert list(actions(await desk.bob.case(number))) == ["follow-up"]
    assert (await desk.bob.case(number))["seq"] == closed["seq"]


@pytest.mark.rule("H8")
@pytest.mark.parametrize("words", ["Restarting helped, thank you", ""])
@pytest.mark.parametrize("status", ["new", "open", "awaiting_customer"])
async def test_h8_the_submitter_marks_an_open_ticket_solved_with_words_or_without(
    desk: RuleDesk, status: str, words: str
) -> None:
    number = await opened(desk.bob)
    if status != "new":
        await desk.ada.comment(number, "Have you tried turning it off and on?", await_reply=status != "open")
    case = await desk.bob.case(number)
    assert (case["status"], "solve" in actions(case)) == (status, True)
    event = await desk.bob.comment(number, words, solve=True)
    case = await desk.bob.case(number)
    assert (case["status"], case["status_label"]) == ("resolved", "Solved")
    said = [each["body"] for each in await desk.ada.events(number) if each["actor"]["email"] == BOB and "body" in each]
    assert (said, event["kind"]) == (([words], "commented") if words else ([], "resolved"))


@pytest.mark.rule("H8")
async def test_h8_nobody_but_the_submitter_marks_it_solved_and_only_once(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[DAVE])
    for who in (desk.dave, desk.ada):
        assert "solve" not in actions(await who.case(number))
        with pytest.raises(ProblemError) as problem:
            await who.comment(number, "Done, I think", solve=True)
        assert (problem.value.status, problem.value.code) == (403, "forbidden")
    assert (await desk.bob.case(number))["seq"] == 1
    await desk.bob.comment(number, "", solve=True)
    with refused("not_allowed_in_status"):
        await desk.bob.comment(number, "", solve=True)


@pytest.mark.rule("H9")
async def test_h9_a_solved_ticket_closes_after_three_business_days_and_not_before(desk: RuleDesk) -> None:
    number, clock, case = await solved(desk)
    ends_at = moment(case["auto_close_at"])
    local = ends_at.astimezone(LONDON)
    assert (local.weekday(), local.hour, local.minute) == (WEDNESDAY, 15, 0)
    await clock.move_to(ends_at - SHORTLY)
    before = await desk.bob.case(number)
    assert clock.now() < ends_at, "the machine was too slow for this test to say anything"
    assert before["status"] == "resolved"
    await clock.move_to(ends_at + 2 * SECOND)
    closed = await desk.bob.case(number)
    assert (closed["status"], closed["closed_reason"], closed["sealed"]) == ("closed", "no_answer", True)
    assert ends_at <= moment(closed["closed_at"]) <= clock.now()


@pytest.mark.rule("H10")
async def test_h10_until_then_a_comment_alone_reopens(desk: RuleDesk) -> None:
    number, clock, case = await solved(desk)
    ends_at = moment(case["auto_close_at"])
    await clock.move_to(ends_at - SHORTLY)
    await desk.bob.comment(number, "It is back")
    assert clock.now() < ends_at, "the machine was too slow for this test to say anything"
    case = await desk.bob.case(number)
    assert (case["status"], case["status_label"], case["auto_close_at"]) == ("open", "Open", None)
    assert [event["kind"] for event in await desk.bob.events(number)][-2:] == ["commented", "reopened"]
    await clock.move_to(ends_at + timedelta(days=10))
    assert (await desk.bob.case(number))["status"] == "open"


@pytest.mark.rule("H10")
async def test_h10_at_the_end_a_comment_comes_too_late(desk: RuleDesk) -> None:
    number, clock, case = await solved(desk)
    await clock.move_to(moment(case["auto_close_at"]) + SECOND)
    with refused("case_sealed") as problem:
        await desk.bob.comment(number, "It is back")
    assert problem.value.body["follow_up"].endswith(f"/cases/{number}/follow-up")


@pytest.mark.rule("H10")
async def test_h10_a_reply_of_the_desk_does_not_reopen(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.bob.comment(number, "", solve=True)
    await desk.ada.comment(number, "You are welcome")
    assert (await desk.bob.case(number))["status"] == "resolved"


@pytest.mark.rule("H11")
async def test_h11_afterwards_it_offers_a_follow_up_linked_to_it(desk: RuleDesk) -> None:
    fields: Json = {
        "product": "ERP",
        "type": "Incident",
        "environment": "Test",
        "internal_reference": "PO 12",
        "cc": [DAVE],
    }
    number = await opened(desk.bob, **fields)
    with refused("not_allowed_in_status"):
        await desk.bob.act(number, "follow-up", description="Again")
    await desk.bob.comment(number, "", solve=True)
    assert "follow-up" not in actions(await desk.bob.case(number))
    await desk.clock(number).move_to(moment((await desk.bob.case(number))["auto_close_at"]) + SECOND)
    case = await desk.bob.case(number)
    assert (case["status"], actions(case)) == ("closed", {"follow-up": ["description"]})
    following = await desk.bob.act(number, "follow-up", description="It is back")
    assert {name: following[name] for name in fields} == fields
    assert (following["subject"], following["description"]) == ("Posting fails", "It is back")
    assert (following["account"], following["contact"], following["status"]) == ("acme", BOB, "new")
    assert following["follow_up_of"] == number
    assert (await desk.bob.case(number))["follow_ups"] == [following["number"]]
    assert (await desk.dave.case(following["number"]))["follow_up_of"] == number


@pytest.mark.rule("H11")
async def test_h11_what_a_follow_up_says_itself_is_not_copied(desk: RuleDesk) -> None:
    number = await opened(desk.bob, product="ERP", cc=[DAVE])
    await desk.ada.act(number, "close")
    fields: Json = {"subject": "Now the other one", "product": "Analytics", "cc": [], "description": "See there"}
    following = await desk.bob.act(number, "follow-up", **fields)
    assert {name: following[name] for name in fields} == fields
    assert ADA not in (following["reporter"], following["contact"])
