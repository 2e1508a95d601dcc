"""The rules of the connect desk."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from tests.client import Json, ProblemError
from tests.clock import FRIDAY, moment, next_weekday
from tests.desks import ADA, BOB, DAVE, LEO
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import (
    PAGES,
    SECOND,
    SHORTLY,
    actions,
    erins_pages,
    exported,
    found,
    opened,
    refused,
    text_of_day,
)
from tests.samples import SAMPLES, webm

PROFILE = "connect"
NEW_YORK = ZoneInfo("America/New_York")
OVER = {"calendar": {"timezone": "America/New_York"}}
RESOLUTION = {"root_cause": "Number range full", "resolution_type": "Provided", "summary": "Range extended"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(desk: RuleDesk) -> list[int]:
    """Numbers of Erin's cases, every third a high one."""
    return await erins_pages(desk, lambda index: {"severity": "Low" if index % 3 else "High"})


@pytest.mark.rule("C1")
async def test_c1_a_customer_views_comments_escalates_reopens_and_requests_closure(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert (await desk.bob.case(number))["description"] == "Error 1217"
    await desk.bob.comment(number, "It is urgent")
    assert (await desk.bob.act(number, "escalate", comment="Month end"))["status"] == "escalated"
    assert (await desk.bob.act(number, "request-close"))["closure_requested_at"] is not None
    await desk.ada.act(number, "resolve", **RESOLUTION)
    assert (await desk.bob.act(number, "reopen", reason="Again"))["status"] == "open"
    kinds = [event["kind"] for event in await desk.bob.events(number)]
    assert kinds == ["opened", "commented", "escalated", "closure_requested", "resolved", "closed", "reopened"]


@pytest.mark.rule("C2")
async def test_c2_the_case_has_what_its_header_shows(desk: RuleDesk) -> None:
    number = await opened(desk.bob, severity="High")
    case = await desk.bob.case(number)
    assert (case["subject"], case["severity"], case["status_label"]) == ("Posting fails", "High", "Unassigned")
    [event] = await desk.bob.events(number)
    assert case["created_at"] == event["at"]


@pytest.mark.rule("C3")
async def test_c3_details_attachments_and_activity_are_each_there_to_be_read(desk: RuleDesk) -> None:
    file = await desk.bob.upload("invoice.pdf", SAMPLES["pdf"])
    number = await opened(desk.bob, attachments=[file["id"]])
    assert (await desk.bob.case(number))["description"] == "Error 1217"
    assert [item["filename"] for item in await desk.bob.attachments(number)] == ["invoice.pdf"]
    assert [event["kind"] for event in await desk.bob.events(number)] == ["opened"]


@pytest.mark.rule("C4")
async def test_c4_details_name_account_contact_and_copied_people(desk: RuleDesk) -> None:
    case = await desk.bob.case(await opened(desk.bob, cc=[DAVE]))
    assert case["description"] == "Error 1217"
    assert (case["account"], case["account_name"]) == ("acme", "Acme Ltd")
    assert (case["contact"], case["people"][BOB], case["contact_phone"]) == (BOB, "Bob Acme", "+44 20 7946 0000")
    assert (case["cc"], case["people"][DAVE]) == ([DAVE], "Dave Acme")


@pytest.mark.rule("C4")
async def test_c4_only_a_closed_case_has_a_closing_date_and_a_resolution(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    before = await desk.bob.case(number)
    assert (before["closed_at"], before["resolution"]) == (None, None)
    await desk.ada.act(number, "resolve", **RESOLUTION)
    closed = await desk.bob.case(number)
    assert (closed["status"], closed["resolution"]) == ("closed", RESOLUTION)
    assert closed["closed_at"] == (await desk.bob.events(number))[-1]["at"]
    reopened = await desk.bob.act(number, "reopen", reason="Again")
    assert (reopened["closed_at"], reopened["resolution"]) == (None, None)


@pytest.mark.rule("C5")
async def test_c5_a_file_is_listed_once_it_is_saved(desk: RuleDesk) -> None:
    number, content = await opened(desk.bob), SAMPLES["pdf"]
    file = await desk.bob.upload("invoice.pdf", content)
    assert await desk.bob.attachments(number) == []
    await desk.bob.act(number, "attach", attachments=[file["id"]])
    [listed] = await desk.carol.attachments(number)
    assert (listed["id"], listed["filename"], listed["size"]) == (file["id"], "invoice.pdf", len(content))
    assert listed["sha256"] == hashlib.sha256(content).hexdigest()
    assert (listed["uploaded_by"], (await desk.bob.events(number))[-1]["kind"]) == (BOB, "attached")


@pytest.mark.rule("C6")
async def test_c6_every_listed_file_can_be_downloaded(desk: RuleDesk) -> None:
    contents = {"invoice.pdf": SAMPLES["pdf"], "screen.png": SAMPLES["png"]}
    files = [await desk.bob.upload(name, content) for name, content in contents.items()]
    number = await opened(desk.bob, attachments=[file["id"] for file in files])
    for who in (desk.bob, desk.ada):
        for file in await who.attachments(number):
            answer = await who.download(f"/cases/{number}/attachments/{file['id']}")
            assert answer.content == contents[file["filename"]]
            assert file["filename"] in answer.headers["Content-Disposition"]


@pytest.mark.rule("C7")
async def test_c7_every_listed_file_can_be_removed(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    for who in (desk.bob, desk.ada):
        file = await who.upload("manual.pdf", SAMPLES["pdf"])
        await who.act(number, "attach", attachments=[file["id"]])
    for file in await desk.bob.attachments(number):
        address = f"/cases/{number}/attachments/{file['id']}"
        await desk.bob.send("DELETE", address)
        assert file["id"] not in [left["id"] for left in await desk.bob.attachments(number)]
        with pytest.raises(ProblemError, match="410"):
            await desk.bob.download(address)
    kinds = [event["kind"] for event in await desk.ada.events(number)]
    assert kinds[-2:] == ["attachment_removed", "attachment_removed"]


@pytest.mark.rule("C8")
async def test_c8_a_post_starts_a_conversation(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    post = await desk.bob.comment(number, "Has anybody seen this?")
    assert (post["kind"], post["body"], post["in_reply_to"]) == ("commented", "Has anybody seen this?", None)
    with pytest.raises(ProblemError) as problem:
        await desk.bob.comment(number, "  ")
    assert problem.value.status == 422


@pytest.mark.rule("C8")
async def test_c8_a_post_may_bring_a_file_or_be_nothing_else(desk: RuleDesk) -> None:
    number, content = await opened(desk.bob), SAMPLES["pdf"]
    for body, name in (("See the file", "invoice.pdf"), ("", "more.pdf")):
        file = await desk.bob.upload(name, content)
        post = await desk.bob.comment(number, body, attachments=[file["id"]])
        assert (post["body"], post["attachments"]) == (body, [file["id"]])
        assert (await desk.ada.attachments(number))[-1]["seq"] == post["seq"]


@pytest.mark.rule("C9")
async def test_c9_a_comment_answers_a_conversation(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    post = await desk.bob.comment(number, "Has anybody seen this?")
    answer = await desk.ada.comment(number, "Yes, I have", in_reply_to=post["seq"])
    assert (await desk.bob.events(number, after_seq=answer["seq"] - 1))[0]["in_reply_to"] == post["seq"]
    with pytest.raises(ProblemError) as problem:
        await desk.bob.comment(number, "Where?", in_reply_to=999)
    assert problem.value.status == 422


@pytest.mark.rule("C9")
@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [("screen.png", "file", SAMPLES["png"]), ("screen.webm", "recording", webm(b"what happened"))],
    ids=["file", "recording"],
)
async def test_c9_an_answer_may_bring_a_file_or_a_recording(
    desk: RuleDesk, name: str, kind: str, content: bytes
) -> None:
    number = await opened(desk.bob)
    post = await desk.ada.comment(number, "What do you see?")
    file = await desk.bob.upload(name, content, kind)
    await desk.bob.comment(number, "This", in_reply_to=post["seq"], attachments=[file["id"]])
    [listed] = await desk.ada.attachments(number)
    assert (listed["filename"], listed["kind"]) == (name, kind)
    answer = await desk.ada.download(f"/cases/{number}/attachments/{file['id']}")
    assert answer.content == content


@pytest.mark.rule("C10")
async def test_c10_each_letter_typed_narrows_the_list(desk: RuleDesk) -> None:
    subjects = ("Quarterly quotas", "Quarterly quotes", "Quarantine of files")
    seen = [await opened(desk.bob, subject=subject) for subject in subjects]
    last = (await desk.bob.case(seen[-1]))["seq"]
    for typed, expected in {
        "quar": seen,
        "quart": seen[:2],
        "quarterly quot": seen[:2],
        "QUARTERLY quota": seen[:1],
    }.items():
        listed = await desk.bob.cases(q=typed, after_seq=last)
        assert sorted(case["number"] for case in listed["items"]) == expected, typed
    assert (await desk.bob.cases(q="quarterly quotax"))["total"] == 0


@pytest.mark.rule("C11")
async def test_c11_a_result_opens_by_its_number_and_is_found_by_its_subject(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Zeppelin landed")
    for words in ("Zeppelin landed", f"{desk.content['key']}-{number}", str(number)):
        listed = await desk.bob.cases(q=words, after_seq=1)
        result = next(case for case in listed["items"] if case["number"] == number)
        for address in (result["number"], result["key"]):
            assert (await desk.bob.case(address))["subject"] == "Zeppelin landed"


@pytest.mark.rule("C12")
@pytest.mark.parametrize(
    ("name", "value", "other"),
    [("product", "ERP", "Analytics"), ("type", "Question", "Incident"), ("severity", "High", "Low")],
)
async def test_c12_the_list_filters_by_product_type_and_severity(
    desk: RuleDesk, name: str, value: str, other: str
) -> None:
    mine, theirs = await opened(desk.bob, **{name: value}), await opened(desk.bob, **{name: other})
    listed = await desk.bob.cases(**{name: value, "after_seq": 1})
    numbers = [case["number"] for case in listed["items"]]
    assert mine in numbers
    assert theirs not in numbers
    assert {case[name] for case in listed["items"]} == {value}
    assert listed["facets"][name][value] == listed["total"]
    both = await desk.bob.cases(**{name: [value, other]})
    assert {mine, theirs} <= {case["number"] for case in both["items"]}
    with pytest.raises(ProblemError, match="422"):
        await desk.bob.cases(**{name: "Nonsense"})


@pytest.mark.rule("C12")
async def test_c12_the_status_filter_takes_the_desks_words_and_follows_at_once(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Umbrella")
    steps: dict[str, Callable[[], Awaitable[Json]]] = {
        "Unassigned": lambda: desk.ada.act(number, "assign", assignee=ADA),
        "In Progress": lambda: desk.bob.act(number, "escalate", comment="Rain"),
        "Escalated": lambda: desk.ada.comment(number, "Where?", await_reply=True),
        "Awaiting Customer": lambda: desk.ada.act(number, "close"),
        "Closed": lambda: desk.bob.act(number, "reopen", reason="Rain"),
    }
    for label, step in steps.items():
        assert (await desk.bob.case(number))["status_label"] == label
        assert await found(desk.bob, 1, q="Umbrella", status=label) == [number]
        await step()
        assert await found(desk.bob, 0, q="Umbrella", status=label) == []


@pytest.mark.rule("C13")
async def test_c13_twenty_five_a_page_and_the_exact_total(desk: RuleDesk, pages: list[int]) -> None:
    first, second = await desk.erin.cases(), await desk.erin.cases(page=2)
    assert (len(first["items"]), len(second["items"])) == (25, PAGES - 25)
    assert (first["total"], first["pages"], first["page_size"]) == (PAGES, 2, 25)
    assert sorted(case["number"] for page in (first, second) for case in page["items"]) == pages


@pytest.mark.rule("C14")
async def test_c14_an_export_is_the_filtered_list(desk: RuleDesk, pages: list[int]) -> None:
    key = desk.content["key"]
    assert [row["Case"] for row in await exported(desk.erin, sort="number")] == [f"{key}-{number}" for number in pages]
    rows = await exported(desk.erin, severity="High", q="Delivery")
    listed = (await desk.erin.cases(severity="High", q="Delivery"))["items"]
    assert [(row["Case"], row["Subject"]) for row in rows] == [(case["key"], case["subject"]) for case in listed]
    assert {row["Severity"] for row in rows} == {"High"}
    assert {row["Status"] for row in rows} == {"Unassigned"}


@pytest.mark.rule("C15")
async def test_c15_escalating_takes_a_comment_and_is_then_gone(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert actions(await desk.bob.case(number))["escalate"] == ["comment"]
    with refused("reason_required"):
        await desk.bob.act(number, "escalate")
    case = await desk.bob.act(number, "escalate", comment="Month end")
    assert case["status_label"] == "Escalated"
    assert "escalate" not in actions(case)
    with refused("already_escalated"):
        await desk.bob.act(number, "escalate", comment="Month end")


@pytest.mark.rule("C16")
async def test_c16_a_request_for_closing_tells_the_assignee_and_changes_no_status(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    before = await desk.ada.act(number, "assign", assignee=LEO)
    case = await desk.bob.act(number, "request-close", comment="We found it ourselves")
    assert (case["status"], case["closed_at"]) == (before["status"], None)
    [mail] = await desk.mails_about(number, case["seq"], {LEO})
    assert "Bob Acme asked for the case to be closed" in mail.text
    assert "We found it ourselves" in mail.text


@pytest.mark.rule("C16")
async def test_c16_while_nobody_is_assigned_all_staff_are_told(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    case = await desk.carol.act(number, "request-close")
    assert case["status"] == "new"
    mails = await desk.mails_about(number, case["seq"], {ADA, LEO, BOB})
    to_ada = next(mail for mail in mails if mail.to == ADA)
    assert "you work on this desk" in to_ada.text
    with refused("closure_already_requested"):
        await desk.bob.act(number, "request-close")


@pytest.mark.rule("C17")
async def test_c17_reopening_works_until_14_working_days_after_the_closing(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    closed = await desk.ada.act(number, "close")
    until = moment(closed["reopen_until"])
    clock = desk.clock(number)
    await clock.move_to(until - SHORTLY)
    assert (await desk.bob.act(number, "reopen", reason="Again"))["status"] == "open"


@pytest.mark.rule("C17", "C18")
async def test_c18_later_it_is_refused_with_the_date_on_which_the_time_ended(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    clock = desk.clock(number)
    friday = next_weekday(clock.now(), FRIDAY, 15, NEW_YORK)
    await clock.move_to(friday + SECOND)
    until = moment((await desk.ada.act(number, "close"))["reopen_until"])
    assert until.astimezone(NEW_YORK).date() - friday.astimezone(NEW_YORK).date() == timedelta(days=20)
    await clock.move_to(until + SECOND)
    assert "reopen" not in actions(await desk.bob.case(number))
    with refused("reopen_window_passed") as problem:
        await desk.bob.act(number, "reopen", reason="Again")
    assert f"{text_of_day(until, NEW_YORK)}, 15:00" in problem.value.body["detail"]
    assert moment(problem.value.body["window_ended_at"]) == until
    assert "follow_up" not in problem.value.body


@pytest.mark.rule("C19")
async def test_c19_reopening_takes_an_explanation(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.act(number, "close")
    assert actions(await desk.bob.case(number))["reopen"] == ["reason"]
    with refused("reason_required"):
        await desk.bob.act(number, "reopen", reason="\n ")
    await desk.bob.act(number, "reopen", reason="It fails again")
    assert (await desk.ada.events(number))[-1]["reason"] == "It fails again"


@pytest.mark.rule("C20")
async def test_c20_a_reopened_case_is_in_progress(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    assert (await desk.ada.act(number, "close"))["status_label"] == "Closed"
    case = await desk.bob.act(number, "reopen", reason="It fails again")
    assert (case["status"], case["status_label"]) == ("open", "In Progress")
