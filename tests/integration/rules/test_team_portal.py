"""The rules of the team portal."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.client import Caller, Json, ProblemError
from tests.desks import BOB, CAROL, DAVE, LEO, desk_file
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import actions, opened, refused
from tests.samples import SAMPLES
from tests.waiting import until

PROFILE = "team-portal"
ACCOUNTS = desk_file(PROFILE)["accounts"]
ACCOUNTS[0]["members"][2]["role"] = "admin"
OVER = {"accounts": ACCOUNTS}
"""Dave administers the account, as Carol does."""
WAITING_FOR_SUPPORT, WAITING_FOR_CUSTOMER, CLOSED = "Waiting for Support", "Waiting for Customer", "Closed"


async def label(who: Caller, number: int) -> str:
    return str((await who.case(number))["status_label"])


async def numbers(who: Caller, **query: Any) -> list[int]:
    return [case["number"] for case in (await who.cases(**query))["items"]]


@pytest.mark.rule("T1")
async def test_t1_a_ticket_is_visible_to_everybody_of_its_account(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Seen by all of us")
    for colleague in (desk.bob, desk.carol, desk.dave, desk.mia):
        assert (await colleague.case(number))["subject"] == "Seen by all of us"
        assert (await colleague.events(number))[0]["kind"] == "opened"

        async def in_the_list(who: Caller = colleague) -> bool:
            return number in await numbers(who, q="Seen by all of us")

        await until(in_the_list, what="the ticket in the list")
    with pytest.raises(ProblemError, match="404"):
        await desk.erin.case(number)
    assert (await desk.erin.cases(q="Seen by all of us"))["total"] == 0


@pytest.mark.rule("T1")
async def test_t1_who_belongs_to_two_accounts_says_for_which_a_ticket_is(desk: RuleDesk) -> None:
    words = {"subject": "For whom?", "description": "One of two"}
    with pytest.raises(ProblemError) as problem:
        await desk.mia.open(**words)
    [error] = problem.value.body["errors"]
    assert (problem.value.status, error["field"], error["allowed"]) == (422, "account", ["acme", "other"])
    number = (await desk.mia.open(**words, account="other"))["number"]
    assert (await desk.erin.case(number))["account"] == "other"
    with pytest.raises(ProblemError, match="404"):
        await desk.carol.case(number)


@pytest.mark.rule("T2")
async def test_t2_the_list_filters_and_sorts(desk: RuleDesk) -> None:
    word = "Sortable"
    first = await opened(desk.bob, subject=f"B {word}", product="ERP", type="Incident")
    second = await opened(desk.bob, subject=f"C {word}", product="Analytics", type="Incident")
    third = await opened(desk.bob, subject=f"A {word}", product="ERP", type="Question")
    await desk.ada.comment(second, "Which one?", await_reply=True)
    seq = (await desk.bob.act(third, "close"))["seq"]

    async def ask(**query: Any) -> list[int]:
        return await numbers(desk.carol, q=word, **query)

    async def indexed() -> bool:
        return await ask(status=WAITING_FOR_CUSTOMER) == [second]

    assert third in await numbers(desk.bob, q=word, after_seq=seq)
    await until(indexed, what="the question in the list")
    assert await ask(status=WAITING_FOR_SUPPORT) == [first]
    assert await ask(status=CLOSED) == [third]
    assert set(await ask(status=[WAITING_FOR_SUPPORT, CLOSED])) == {first, third}
    assert set(await ask(product="ERP")) == {first, third}
    assert await ask(product="ERP", type="Incident") == [first]
    assert await ask(sort="created_at") == [first, second, third]
    assert await ask(sort="-created_at") == [third, second, first]
    assert await ask(sort="number", product="ERP") == [first, third]
    with pytest.raises(ProblemError, match="can't be sorted by"):
        await ask(sort="colour")


@pytest.mark.rule("T3")
async def test_t3_the_last_updated_comes_first(desk: RuleDesk) -> None:
    older, newer = await opened(desk.bob, subject="Recency"), await opened(desk.bob, subject="Recency")

    async def order(*expected: int) -> None:
        async def in_order() -> bool:
            return await numbers(desk.carol, q="Recency") == list(expected)

        await until(in_order, what=f"the order {expected}")

    await order(newer, older)
    await desk.ada.comment(older, "We are looking into it")
    await order(older, newer)
    await desk.bob.edit(newer, internal_reference="PO 12")
    await order(newer, older)
    seq = (await desk.ada.comment(older, "He is cross", internal=True))["seq"]
    assert await numbers(desk.ada, q="cross", after_seq=seq) == [older]
    assert await numbers(desk.carol, q="Recency") == [newer, older], "a note that they can't read moves nothing"


@pytest.mark.rule("T4")
async def test_t4_the_list_is_searched(desk: RuleDesk) -> None:
    by_subject = await opened(desk.bob, subject="Periscope bent")
    by_description = await opened(desk.bob, description="The periscope is gone")
    by_comment, other = await opened(desk.bob), await opened(desk.bob)
    seq = (await desk.bob.comment(by_comment, "Looked through the periscope"))["seq"]
    found = await numbers(desk.bob, q="periscope", after_seq=seq)
    assert set(found) == {by_subject, by_description, by_comment}
    assert set(await numbers(desk.bob, q="perisc")) == set(found)
    assert await numbers(desk.bob, q="periscope bent") == [by_subject]
    assert await numbers(desk.bob, q=str(other)) == [other]
    assert await numbers(desk.bob, q="periscope submarine") == []


@pytest.mark.rule("T5")
async def test_t5_a_ticket_is_read_given_a_reference_answered_and_closed(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    case = await desk.carol.case(number)
    assert (case["description"], case["internal_reference"]) == ("Error 1217", None)
    assert set(actions(case)) >= {"comment", "edit", "close", "attach"}
    assert (await desk.carol.edit(number, internal_reference="PO 12"))["internal_reference"] == "PO 12"
    assert (await desk.ada.case(number))["internal_reference"] == "PO 12"
    assert (await desk.carol.edit(number, internal_reference=" "))["internal_reference"] is None
    reply = await desk.carol.comment(number, "It is urgent", in_reply_to=1)
    assert (await desk.bob.events(number))[-1] == reply
    assert (await desk.carol.act(number, "close"))["status_label"] == CLOSED


@pytest.mark.rule("T5")
async def test_t5_a_document_is_attached(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    sent = await desk.carol.upload("contract.pdf", SAMPLES["pdf"])
    await desk.carol.act(number, "attach", attachments=[sent["id"]])
    for who in (desk.bob, desk.ada):
        [listed] = await who.attachments(number)
        assert (listed["filename"], listed["uploaded_by"]) == ("contract.pdf", CAROL)
        assert (await who.download(f"/cases/{number}/attachments/{sent['id']}")).content == SAMPLES["pdf"]
    with pytest.raises(ProblemError, match="404"):
        await desk.erin.download(f"/cases/{number}/attachments/{sent['id']}")


@pytest.mark.rule("T6")
@pytest.mark.parametrize("ending", SAMPLES)
async def test_t6_each_listed_type_is_taken(desk: RuleDesk, ending: str) -> None:
    sent = await desk.bob.upload(f"Report.{ending.upper()}", SAMPLES[ending])
    assert (sent["filename"], sent["size"]) == (f"Report.{ending.upper()}", len(SAMPLES[ending]))


@pytest.mark.rule("T6")
@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(100)),
        ("page.html", b"<html></html>"),
        ("report", SAMPLES["txt"]),
        ("program.exe", b"MZ" + bytes(100)),
        ("program.pdf", b"MZ" + bytes(100)),
        ("picture.png", SAMPLES["pdf"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
async def test_t6_any_other_type_is_refused_with_the_reason(desk: RuleDesk, filename: str, content: bytes) -> None:
    with pytest.raises(ProblemError) as problem:
        await desk.bob.upload(filename, content)
    assert (problem.value.status, problem.value.code) == (415, "attachment_type_not_allowed")
    [error] = problem.value.body["errors"]
    assert (error["field"], set(error["allowed"])) == ("file", set(SAMPLES))
    assert error["message"] == problem.value.body["detail"]


@pytest.mark.rule("T6")
async def test_t6_fifteen_mebibytes_are_taken_and_not_a_byte_more(desk: RuleDesk) -> None:
    limit = 15 * 1024 * 1024
    assert (await desk.bob.upload("log.txt", b"x" * limit))["size"] == limit
    with pytest.raises(ProblemError, match="15 MB") as problem:
        await desk.bob.upload("log.txt", b"x" * (limit + 1))
    assert problem.value.status == 413


@pytest.mark.rule("T6")
async def test_t6_what_was_typed_is_not_lost(desk: RuleDesk) -> None:
    """A refused file is refused by itself; the reply that was to bring it goes out as it was typed."""
    number = await opened(desk.bob)
    with pytest.raises(ProblemError, match="415"):
        await desk.bob.upload("log.exe", b"MZ" + bytes(100))
    key = uuid.uuid4().hex
    with pytest.raises(ProblemError, match="attachments") as problem:
        await desk.bob.comment(number, "See the log", key=key, attachments=[str(uuid.uuid4())])
    assert problem.value.status == 422
    reply = await desk.bob.comment(number, "See the log", key=key)
    assert (reply["body"], reply["seq"]) == ("See the log", 2)


@pytest.mark.rule("T7")
async def test_t7_the_opener_and_every_administrator_of_the_account_are_mailed_when_support_replies(
    desk: RuleDesk,
) -> None:
    number = await opened(desk.bob)
    reply = await desk.ada.comment(number, "We are looking into it")
    mails = await desk.mails_about(number, reply["seq"], {BOB, CAROL, DAVE})
    assert all("We are looking into it" in mail.text for mail in mails)


@pytest.mark.rule("T7")
async def test_t7_they_are_mailed_at_any_update_but_not_at_their_own(desk: RuleDesk) -> None:
    customers = {BOB, CAROL, DAVE}
    number = await opened(desk.bob)
    expected = {1: {CAROL, DAVE}}

    async def told(event: Json, *people: str) -> None:
        expected[event["seq"]] = set(people)

    await told(await desk.ada.act(number, "assign", assignee=LEO), *customers, LEO)
    await told(await desk.ada.edit(number, type="Incident"), *customers)
    await told(await desk.ada.comment(number, "Which invoice?", await_reply=True), *customers)
    await told(await desk.carol.comment(number, "All of them"), BOB, DAVE)
    await told(await desk.mia.edit(number, internal_reference="PO 12"), *customers)
    await told(await desk.ada.comment(number, "He is cross", internal=True))
    await told(await desk.dave.comment(number, "Thank you", close=True), BOB, CAROL)
    last = await desk.ada.comment(number, "You are welcome")
    await desk.mails_about(number, last["seq"], customers)
    mails = await desk.mails(number)
    assert {seq: {mail.to for mail in mails if mail.seq == seq} for seq in expected} == expected


@pytest.mark.rule("T8")
async def test_t8_the_link_in_the_mail_names_that_very_reply(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.comment(number, "We are looking into it")
    reply = await desk.ada.comment(number, "It was the number range")
    for mail in await desk.mails_about(number, reply["seq"], {BOB, CAROL, DAVE}):
        assert "It was the number range" in mail.text
        for body in (mail.text, mail.html):
            links = set(re.findall(r"https?://[^\s\"<>]+/desks/[^\s\"<>]+", body))
            assert links == {f"{desk.stack.api}/desks/{desk.slug}/cases/{number}#event-{reply['seq']}"}
    [linked] = [event for event in await desk.bob.events(number) if event["seq"] == reply["seq"]]
    assert linked["body"] == "It was the number range"


@pytest.mark.rule("T9")
async def test_t9_any_ticket_takes_a_reply(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    for who, before in ((desk.bob, WAITING_FOR_SUPPORT), (desk.carol, WAITING_FOR_CUSTOMER), (desk.mia, CLOSED)):
        if before == WAITING_FOR_CUSTOMER:
            await desk.ada.comment(number, "Which invoice?", await_reply=True)
        if before == CLOSED:
            await desk.ada.act(number, "resolve", resolution_type="Provided", summary="Range extended")
        case = await who.case(number)
        assert (case["status_label"], actions(case)["comment"]) == (before, ["body"])
        reply = await who.comment(number, f"Still waiting: {before}")
        assert reply in await desk.ada.events(number)
        assert await label(who, number) == WAITING_FOR_SUPPORT


@pytest.mark.rule("T10")
async def test_t10_send_keeps_a_ticket_open(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.bob.comment(number, "More about it")
    assert await label(desk.bob, number) == WAITING_FOR_SUPPORT
    await desk.ada.comment(number, "Thank you")
    assert await label(desk.bob, number) == WAITING_FOR_SUPPORT


@pytest.mark.rule("T10")
@pytest.mark.parametrize("words", ["It works again", ""])
async def test_t10_close_posts_what_was_typed_and_closes(desk: RuleDesk, words: str) -> None:
    number = await opened(desk.bob)
    await desk.bob.comment(number, words, close=True)
    case = await desk.carol.case(number)
    assert (case["status"], case["status_label"], case["closed_reason"]) == ("closed", CLOSED, "closed_by_customer")
    events = [(event["kind"], event.get("body")) for event in await desk.ada.events(number)][1:]
    assert events == [*([("commented", words)] if words else []), ("closed", None)]


@pytest.mark.rule("T10")
async def test_t10_what_is_closed_is_not_closed_again(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.bob.act(number, "close")
    assert "close" not in actions(await desk.bob.case(number))
    with refused("case_closed"):
        await desk.bob.comment(number, "Really", close=True)
    assert await label(desk.bob, number) == CLOSED


@pytest.mark.rule("T11")
@pytest.mark.parametrize("days", [0, 400])
async def test_t11_a_reply_to_a_closed_ticket_waits_for_support_however_long_ago_it_closed(
    desk: RuleDesk, days: int
) -> None:
    number = await opened(desk.bob)
    closed = await desk.ada.act(number, "resolve", resolution_type="Provided", summary="Range extended")
    assert (closed["status_label"], closed["sealed"], closed["reopen_until"]) == (CLOSED, False, None)
    clock = desk.clock(number)
    if days:
        await clock.move_to(clock.now() + timedelta(days=days))
    assert await label(desk.bob, number) == CLOSED
    reply = await desk.bob.comment(number, "It is back")
    case = await desk.bob.case(number)
    assert (case["status"], case["status_label"], case["closed_at"]) == ("open", WAITING_FOR_SUPPORT, None)
    assert [event["kind"] for event in await desk.bob.events(number)][-2:] == ["commented", "reopened"]
    await desk.mails_about(number, reply["seq"], {CAROL, DAVE})
    await desk.ada.comment(number, "Since when?", await_reply=True)
    assert await label(desk.bob, number) == WAITING_FOR_CUSTOMER


@pytest.mark.rule("T12")
async def test_t12_the_list_page_has_the_contacts_that_the_desk_names(desk: RuleDesk) -> None:
    for who in (desk.bob, desk.ada):
        assert (await who.send("GET", "/policy"))["contacts"] == [
            {"label": "Sales", "email": "sales@vendor.example"},
            {"label": "Billing", "email": "billing@vendor.example"},
        ]
