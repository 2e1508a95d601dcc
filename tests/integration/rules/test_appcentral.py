"""The rules of the appcentral desk."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import pytest_asyncio

from tests.client import Json, ProblemError
from tests.clock import FRIDAY, THURSDAY, moment, next_weekday
from tests.desks import ADA, BOB, DAVE, LEO, STRANGER
from tests.integration.rules import kit
from tests.integration.rules.desks import RuleDesk
from tests.integration.rules.kit import LONDON, PAGES, SECOND, SHORTLY, actions, erins_pages, exported, found, refused
from tests.samples import SAMPLES, webm

PROFILE = "appcentral"
RESOLUTION = {"resolution_type": "Provided", "summary": "Range extended"}


opened = partial(kit.opened, product="ERP")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(desk: RuleDesk) -> list[int]:
    """Numbers of Erin's cases, every ninth about another product."""
    products = ["ERP", "Analytics"]
    return await erins_pages(desk, lambda index: {"product": products[index % 9 == 0]}, product=products)


@pytest.mark.rule("A1")
async def test_a1_a_subject_and_a_description_open_a_case(desk: RuleDesk) -> None:
    case = await desk.bob.open(subject="Posting fails", description="Error 1217")
    assert (case["subject"], case["description"], case["reporter"]) == ("Posting fails", "Error 1217", BOB)
    assert (case["status"], case["status_label"]) == ("new", "Unassigned")
    assert (await desk.ada.case(case["number"]))["description"] == "Error 1217"


@pytest.mark.rule("A2")
@pytest.mark.parametrize("cc", [[DAVE], [DAVE, STRANGER]], ids=["one", "several"])
async def test_a2_one_further_recipient_or_several(desk: RuleDesk, cc: list[str]) -> None:
    number = await opened(desk.bob, cc=cc)
    assert (await desk.bob.case(number))["cc"] == cc
    await desk.mails_about(number, 1, cc)
    with pytest.raises(ProblemError) as problem:
        await opened(desk.bob, cc=[DAVE, "not an address"])
    assert (problem.value.status, problem.value.body["errors"][0]["field"]) == (422, "cc.1")


@pytest.mark.rule("A3")
async def test_a3_further_recipients_get_every_update(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[DAVE, STRANGER])
    steps: list[Callable[[], Awaitable[Json]]] = [
        lambda: desk.ada.act(number, "assign", assignee=LEO),
        lambda: desk.ada.comment(number, "We are looking into it"),
        lambda: desk.bob.edit(number, severity="High"),
        lambda: desk.ada.comment(number, "Which invoice?", await_reply=True),
        lambda: desk.bob.comment(number, "Number 4711"),
        lambda: desk.bob.act(number, "escalate", comment="Month end"),
        lambda: desk.bob.act(number, "request-close"),
        lambda: desk.ada.act(number, "resolve", **RESOLUTION),
        lambda: desk.bob.act(number, "reopen", reason="Again"),
        lambda: desk.ada.act(number, "close"),
    ]
    told_of = [1]
    for step in steps:
        before = (await desk.ada.case(number))["seq"]
        await step()
        told_of.append(before + 1)
    last = (await desk.ada.events(number))[-1]["seq"]
    everybody = {BOB, LEO, DAVE, STRANGER}
    await desk.mails_about(number, last, everybody)
    mails = await desk.mails(number)
    for who in (DAVE, STRANGER):
        assert sorted(mail.seq for mail in mails if mail.to == who) == told_of
    assert any("Status: Escalated" in mail.text for mail in mails if mail.to == STRANGER)


@pytest.mark.rule("A3")
async def test_a3_further_recipients_hear_of_files_too(desk: RuleDesk) -> None:
    number = await opened(desk.bob, cc=[STRANGER])
    file = await desk.ada.upload("manual.pdf", SAMPLES["pdf"])
    attached = await desk.ada.act(number, "attach", attachments=[file["id"]])
    removed = await desk.ada.send("DELETE", f"/cases/{number}/attachments/{file['id']}")
    for case in (attached, removed):
        mails = await desk.mails_about(number, case["seq"], {BOB, STRANGER})
        assert all("manual.pdf" in mail.text for mail in mails)


@pytest.mark.rule("A4")
async def test_a4_what_a_browser_records_is_taken_as_a_recording(desk: RuleDesk) -> None:
    recording = await desk.bob.upload("screen.webm", webm(b"what happened"), "recording")
    assert (recording["kind"], recording["content_type"]) == ("recording", "video/webm")
    with pytest.raises(ProblemError) as problem:
        await desk.bob.upload("screen.webm", SAMPLES["pdf"], "recording")
    assert (problem.value.status, problem.value.code) == (415, "attachment_type_not_allowed")


@pytest.mark.rule("A5")
async def test_a5_a_recording_made_in_pauses_is_one_file_that_comes_back_whole(desk: RuleDesk) -> None:
    takes = [bytes([take]) * 200_000 for take in (1, 2, 3)]
    content = webm(*takes)
    recording = await desk.bob.upload("screen.webm", content, "recording")
    number = await opened(desk.bob, attachments=[recording["id"]])
    [listed] = await desk.ada.attachments(number)
    assert (listed["size"], listed["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    answer = await desk.ada.download(f"/cases/{number}/attachments/{listed['id']}")
    assert answer.content == content


@pytest.mark.rule("A6")
async def test_a6_a_recording_belongs_to_the_case_that_it_is_made_for(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    recording = await desk.bob.upload("screen.webm", webm(b"what happened"), "recording")
    case = await desk.bob.act(number, "attach", attachments=[recording["id"]])
    [listed] = await desk.ada.attachments(number)
    assert (listed["kind"], listed["filename"], listed["seq"]) == ("recording", "screen.webm", case["seq"])
    with pytest.raises(ProblemError, match="422"):
        await opened(desk.bob, attachments=[recording["id"]])


@pytest.mark.rule("A7")
async def test_a7_a_recording_is_deleted_and_made_again(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    first, second = [await desk.bob.upload("screen.webm", webm(take), "recording") for take in (b"first", b"second")]
    await desk.bob.act(number, "attach", attachments=[first["id"]])
    await desk.bob.send("DELETE", f"/cases/{number}/attachments/{first['id']}")
    assert await desk.ada.attachments(number) == []
    await desk.bob.act(number, "attach", attachments=[second["id"]])
    [listed] = await desk.ada.attachments(number)
    assert (listed["id"], listed["filename"]) == (second["id"], "screen.webm")


@pytest.mark.rule("A8")
@pytest.mark.parametrize("missing", ["subject", "description"])
async def test_a8_nothing_is_saved_without_what_must_be_given(desk: RuleDesk, missing: str) -> None:
    complete = {"subject": "Posting fails", "description": "Error 1217"}
    for blank in ({}, {missing: ""}, {missing: "  "}):
        fields = {name: value for name, value in complete.items() if name != missing} | blank
        with pytest.raises(ProblemError) as problem:
            await desk.bob.open(**fields)
        assert problem.value.status == 422
        assert [error["field"] for error in problem.value.body["errors"]] == [missing]
    policy = await desk.bob.send("GET", "/policy")
    assert missing in policy["policy"]["required_at_opening"]


@pytest.mark.rule("A9")
async def test_a9_a_row_of_the_list_leads_to_its_case(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Zeppelin landed")
    assert await found(desk.bob, 1, q="Zeppelin", product="ERP") == [number]
    [row] = (await desk.bob.cases(q="Zeppelin", product="ERP"))["items"]
    assert await desk.bob.case(row["number"]) == await desk.bob.case(row["key"]) == row


@pytest.mark.rule("A10")
async def test_a10_reopening_works_for_14_working_days_weekends_not_counted(desk: RuleDesk) -> None:
    kept, lost = await opened(desk.bob), await opened(desk.bob)
    for number in (kept, lost):
        clock = desk.clock(number)
        await clock.move_to(next_weekday(clock.now(), FRIDAY, 15, LONDON) + SECOND)
        until = moment((await desk.ada.act(number, "close"))["reopen_until"])
        assert (until - clock.now()).days in {19, 20}
        assert until.astimezone(LONDON).weekday() == THURSDAY
        await clock.move_to(until - SHORTLY if number == kept else until + SECOND)
    assert (await desk.bob.act(kept, "reopen", reason="Again"))["status"] == "open"
    with refused("reopen_window_passed"):
        await desk.bob.act(lost, "reopen", reason="Again")


@pytest.mark.rule("A11")
async def test_a11_reopening_needs_an_explanation(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.act(number, "resolve", **RESOLUTION)
    assert actions(await desk.bob.case(number))["reopen"] == ["reason"]
    with refused("reason_required"):
        await desk.bob.act(number, "reopen")
    assert (await desk.bob.case(number))["status"] == "closed"
    assert (await desk.bob.act(number, "reopen", reason="It fails again"))["status"] == "open"


@pytest.mark.rule("A12")
async def test_a12_closed_becomes_in_progress(desk: RuleDesk) -> None:
    number = await opened(desk.bob)
    await desk.ada.act(number, "resolve", **RESOLUTION)
    assert (await desk.bob.case(number))["status_label"] == "Closed"
    await desk.bob.act(number, "reopen", reason="It fails again")
    assert (await desk.bob.case(number))["status_label"] == "In Progress"


@pytest.mark.rule("A13")
async def test_a13_closing_is_asked_for_after_the_desks_resolution_or_ones_own(desk: RuleDesk) -> None:
    theirs, own = await opened(desk.bob), await opened(desk.bob)
    await desk.ada.act(theirs, "assign", assignee=ADA)
    await desk.ada.comment(theirs, "Restart it, please", await_reply=True)
    await desk.ada.act(own, "assign", assignee=LEO)
    for number, words, assignee in ((theirs, "That helped", ADA), (own, "We found it ourselves", LEO)):
        before = await desk.bob.case(number)
        assert actions(before)["request-close"] == []
        after = await desk.bob.act(number, "request-close", comment=words)
        assert (after["status"], after["closed_at"]) == (before["status"], None)
        [mail] = await desk.mails_about(number, after["seq"], {assignee})
        assert words in mail.text


@pytest.mark.rule("A14")
@pytest.mark.parametrize("label", ["Unassigned", "In Progress", "Awaiting Customer"])
async def test_a14_an_active_case_is_escalated_once(desk: RuleDesk, label: str) -> None:
    number = await opened(desk.bob)
    if label != "Unassigned":
        await desk.ada.comment(number, "Which invoice?", await_reply=label == "Awaiting Customer")
    assert (await desk.bob.case(number))["status_label"] == label
    case = await desk.bob.act(number, "escalate", comment="Month end")
    assert case["status_label"] == "Escalated"
    assert "escalate" not in actions(case)
    with refused("already_escalated"):
        await desk.bob.act(number, "escalate", comment="Month end")


@pytest.mark.rule("A15")
async def test_a15_a_product_must_be_chosen(desk: RuleDesk) -> None:
    for who in (desk.bob, desk.ada):
        for query in ({}, {"q": "Posting"}, {"severity": "High", "status": "open"}):
            for asked in (who.cases, partial(exported, who)):
                with pytest.raises(ProblemError) as problem:
                    await asked(**query)
                assert (problem.value.status, problem.value.code) == (422, "filter_required")
                assert [error["field"] for error in problem.value.body["errors"]] == ["product"]
    assert (await desk.bob.send("GET", "/policy"))["policy"]["required_filters"] == ["product"]


@pytest.mark.rule("A15")
async def test_a15_product_type_status_and_severity_filter_together(desk: RuleDesk) -> None:
    fields = {"product": "Analytics", "type": "Incident", "severity": "Critical"}
    number = await opened(desk.bob, **fields)
    for other in ({"product": "ERP"}, {"type": "Question"}, {"severity": "Low"}):
        await opened(desk.bob, **(fields | other))
    escalated = await opened(desk.bob, **fields)
    await desk.bob.act(escalated, "escalate", comment="Month end")
    assert await found(desk.bob, 1, status="Unassigned", **fields) == [number]
    assert await found(desk.bob, 1, status="Escalated", **fields) == [escalated]
    assert await found(desk.bob, 2, **fields) == [number, escalated]


@pytest.mark.rule("A16")
async def test_a16_words_and_filters_narrow_together(desk: RuleDesk) -> None:
    number = await opened(desk.bob, subject="Xylophone out of tune", severity="High")
    quiet = await opened(desk.bob, subject="Xylophone lost", severity="Low")
    flute = await opened(desk.bob, subject="Flute out of tune", severity="High")
    assert await found(desk.bob, 2, q="Xylo", product="ERP") == [number, quiet]
    assert await found(desk.bob, 2, q="out tune", product="ERP") == [number, flute]
    assert await found(desk.bob, 1, q="Xylo", product="ERP", severity="High") == [number]
    assert await found(desk.bob, 0, q="Xylo", product="Analytics", severity="High") == []


@pytest.mark.rule("A17")
async def test_a17_an_export_holds_what_the_filters_leave(desk: RuleDesk, pages: list[int]) -> None:
    rows = await exported(desk.erin, product="Analytics", sort="number")
    listed = (await desk.erin.cases(product="Analytics", sort="number"))["items"]
    assert [row["Case"] for row in rows] == [case["key"] for case in listed]
    assert len(rows) == 3
    assert len(await exported(desk.erin, product=["ERP", "Analytics"])) == len(pages)


@pytest.mark.rule("A18")
async def test_a18_twenty_five_a_page_and_the_exact_total(desk: RuleDesk, pages: list[int]) -> None:
    both = ["ERP", "Analytics"]
    first, second = await desk.erin.cases(product=both), await desk.erin.cases(product=both, page=2)
    assert (len(first["items"]), len(second["items"])) == (25, PAGES - 25)
    assert [page["total"] for page in (first, second)] == [PAGES, PAGES]
    assert sorted(case["number"] for page in (first, second) for case in page["items"]) == pages
    assert (await desk.erin.cases(product="Analytics"))["total"] == 3
