"""The list of cases in a browser: search, filters, order, pages, keys, files, unread marks, live changes."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Request, Route, expect

from shared.tokens import issue
from tests.portal.browsing import Colours, Portal, Size
from tests.portal.casts import BOTH
from tests.portal.lists import choose, query_of, rows, subjects, word, words

BOB, CAROL, ADA, TOM = "bob@acme.example", "carol@acme.example", "ada@lumen.example", "tom@lumen.example"
ARJUN, MIA = "arjun@appcentral.example", "mia@harbour.example"
CASES = "/desks/standard/cases"


async def call(portal: Portal, who: str, desk: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Have somebody do something over the REST routes."""
    token = issue(portal.stack.settings, who, desk, timedelta(minutes=10))
    async with httpx.AsyncClient(base_url=f"{portal.base}/api/v1/desks/{desk}", timeout=20) as client:
        answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.is_success, answer.text
    return dict(answer.json())


async def open_case(portal: Portal, subject: str, who: str = BOB, desk: str = "standard") -> int:
    form = {"subject": subject, "description": "Found while testing.", "product": "Ledger", "type": "Question"}
    return int((await call(portal, who, desk, "POST", "/cases", form | {"severity": "Low"}))["number"])


async def test_the_words_stay_as_filters_change(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    search = window.page.get_by_role("searchbox", name="Search")
    await search.fill("payroll")
    await expect(window.page.locator("#list")).to_have_attribute("hx-get", re.compile("q=payroll"))
    for severity in ("High", "Medium"):
        await choose(window, "severity", severity)
        await expect(search).to_have_value("payroll")
    assert await query_of(window.page) == {"q": ["payroll"], "severity": ["High", "Medium"]}


async def test_the_words_stay_as_the_queues_beside_the_list_arrive(portal: Portal) -> None:
    window = await portal.window(ADA)
    held: asyncio.Queue[Route] = asyncio.Queue()
    await window.page.route("**/desks/standard/queues", held.put)
    await window.page.goto(f"{portal.base}{CASES}", wait_until="commit")
    queues = await held.get()
    await window.page.locator("#words").fill("payroll")
    await expect(window.page.locator("#list")).to_have_attribute("hx-get", re.compile("q=payroll"))
    await window.page.locator("#choice-severity summary").click()
    await queues.continue_()
    await expect(window.page.locator("#side-queues .count").first).to_be_visible()
    await expect(words(window)).to_have_value("payroll")


async def test_an_older_answer_never_overtakes_a_newer_one(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    held: list[Any] = []

    async def hold(route: Any, request: Request) -> None:
        if parse_qs(urlsplit(request.url).query).get("q") == ["pay"]:
            held.append(route)
        else:
            await route.continue_()

    await window.page.route("**/desks/standard/cases?*", hold)
    search = window.page.get_by_role("searchbox", name="Search")
    async with window.page.expect_request(lambda request: "q=pay" in request.url):
        await search.fill("pay")
    await search.fill("1042")
    await expect(rows(window)).to_have_count(1)
    for route in held:
        await route.continue_()
    await window.settled()
    await expect(rows(window)).to_contain_text("employee 1042")


async def test_filters_act_at_once_with_the_desks_words_and_counts(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    menu = window.page.locator("#choice-status")
    await menu.locator("summary").click()
    waiting = menu.locator("label", has_text="Awaiting your reply")
    count = int(re.findall(r"\d+", await waiting.inner_text())[0])
    assert count > 0
    await waiting.click()
    await expect(window.page.locator("#total")).to_have_text(f"{count} case" if count == 1 else f"{count} cases")
    await expect(menu.locator("summary")).to_contain_text("Awaiting your reply")
    await expect(menu).to_have_attribute("open", "")
    assert await query_of(window.page) == {"status": ["Awaiting your reply"]}
    await window.page.keyboard.press("Escape")
    await choose(window, "severity", "Low")
    assert await query_of(window.page) == {"status": ["Awaiting your reply"], "severity": ["Low"]}


async def test_the_last_updated_comes_first_and_headings_sort(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    times = await window.page.locator("#rows time").evaluate_all("all => all.map((each) => each.dateTime)")
    assert times == sorted(times, reverse=True)
    await expect(window.page.get_by_role("columnheader", name="Updated")).to_have_attribute("aria-sort", "descending")
    await window.page.get_by_role("link", name="Subject", exact=True).click()
    await expect(window.page.get_by_role("columnheader", name="Subject")).to_have_attribute("aria-sort", "ascending")
    shown = await subjects(window)
    assert shown == sorted(shown, key=str.casefold)
    await window.page.get_by_role("link", name="Subject", exact=True).click()
    await expect(window.page.get_by_role("columnheader", name="Subject")).to_have_attribute("aria-sort", "descending")
    await expect(window.page.get_by_label("Sort by")).to_have_value("-subject")


async def test_the_back_button_leads_through_what_one_looked_at(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    everything = await rows(window).count()
    await choose(window, "product", "Payroll")
    await expect(rows(window)).not_to_have_count(everything)
    payroll = await rows(window).count()
    await window.page.get_by_role("searchbox", name="Search").press_sequentially("german")
    await expect(rows(window)).to_have_count(1)
    await window.page.go_back()
    await expect(rows(window)).to_have_count(payroll)
    await expect(window.page.get_by_role("searchbox", name="Search")).to_have_value("")
    await window.page.go_back()
    await expect(rows(window)).to_have_count(everything)
    await expect(window.page.locator("#choice-product summary")).not_to_contain_text("Payroll")
    await window.page.get_by_role("searchbox", name="Search").press_sequentially("1042")
    await expect(rows(window)).to_have_count(1)


@pytest.mark.parametrize("how", ["number", "subject", "icon", "row", "keys"])
async def test_a_case_opens_in_every_way(portal: Portal, how: str) -> None:
    window = await portal.window(BOB, f"{CASES}?q=1042")
    row = rows(window).first
    match how:
        case "number":
            await row.locator(".number").click()
        case "subject":
            await row.locator(".subject").click()
        case "icon":
            await row.get_by_role("link", name="Open LUM-7").click()
        case "row":
            await row.locator(".cell-status").dblclick()
        case "keys":
            await window.page.keyboard.press("j")
            await window.page.keyboard.press("Enter")
    await expect(window.page).to_have_url(re.compile(r"/desks/standard/cases/7$"))


async def test_the_keys_move_tick_and_search(portal: Portal) -> None:
    window = await portal.window(ADA, CASES)
    await window.page.keyboard.press("j")
    await window.page.keyboard.press("j")
    await expect(rows(window).nth(1).locator(".subject")).to_be_focused()
    await window.page.keyboard.press("x")
    await expect(rows(window).nth(1).get_by_role("checkbox")).to_be_checked()
    await expect(window.page.get_by_text("1 case ticked")).to_be_visible()
    await window.page.keyboard.press("k")
    await expect(rows(window).nth(0).locator(".subject")).to_be_focused()
    await window.page.keyboard.press("/")
    await expect(window.page.get_by_role("searchbox", name="Search")).to_be_focused()
    await window.page.keyboard.press("ArrowDown")
    await expect(rows(window).nth(0).locator(".subject")).to_be_focused()
    await window.page.keyboard.press("?")
    await expect(window.page.get_by_role("dialog", name="Keys")).to_contain_text("Next case")


async def test_an_export_is_exactly_this_list(portal: Portal) -> None:
    window = await portal.window(ADA, f"{CASES}?product=Payroll&sort=subject")
    shown = await subjects(window)
    async with window.page.expect_download() as waiting:
        await window.page.get_by_role("link", name="CSV").click()
    download = await waiting.value
    text = (await download.path()).read_text("utf-8-sig")
    assert download.suggested_filename.endswith(".csv")
    assert [line for line in text.splitlines()[1:] if line]
    positions = [text.index(subject) for subject in shown]
    assert positions == sorted(positions)
    assert "Dashboard of cash flow" not in text
    href = await window.page.get_by_role("link", name="XLSX").get_attribute("href")
    assert href
    assert "product=Payroll" in href
    assert "format=xlsx" in href


async def test_a_filter_is_saved_used_renamed_and_deleted(portal: Portal) -> None:
    window, name = await portal.window(TOM, CASES), word()
    await choose(window, "severity", "High")
    await window.page.get_by_role("link", name="Save this list").click()
    await window.page.get_by_label("Name").first.fill(name)
    await window.page.get_by_role("button", name="Save").click()
    await expect(window.page.get_by_text(f"«{name}» is saved.")).to_be_visible()
    assert await query_of(window.page) == {"severity": ["High"]}
    await window.go(CASES)
    await window.page.get_by_role("link", name=name).click()
    await expect(window.page.locator("#choice-severity summary")).to_contain_text("High")
    await expect(window.page.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
    await window.page.get_by_role("link", name="Save this list").click()
    await window.page.get_by_label("Name").first.fill(name)
    await window.page.get_by_role("button", name="Save").click()
    await expect(window.page.get_by_role("alert")).to_contain_text("already")
    await expect(window.page.get_by_label("Name").first).to_have_value(name)
    await window.check_access()
    await window.go(f"{CASES}/lists")
    row = window.page.get_by_role("listitem").filter(has=window.page.locator(f"input[value={name}]"))
    await row.get_by_label("Name").fill(f"{name} again")
    await row.get_by_role("button", name="Rename").click()
    await expect(window.page.locator(f"input[value='{name} again']")).to_be_visible()
    row = window.page.get_by_role("listitem").filter(has=window.page.locator(f"input[value='{name} again']"))
    await row.get_by_role("button", name="Delete").click()
    await expect(window.page.locator(f"input[value='{name} again']")).to_have_count(0)


async def test_what_the_address_says_wrongly_is_said_and_left_out(portal: Portal) -> None:
    window = await portal.window(
        ADA, f"{CASES}?product=Payroll&product=Nonsense&status=Lost&sort=colour&page=many&colour=red&severity=%00"
    )
    left_out = window.page.locator("#list > .notice")
    for said in ("«Nonsense»", "«Lost»", "«colour»", "page"):
        await expect(left_out.filter(has_text=said).first).to_be_visible()
    await expect(window.page.locator("#choice-product summary")).to_contain_text("Payroll")
    await expect(rows(window).first).to_be_visible()
    await window.check_access()


async def test_nothing_found_says_what_to_do(portal: Portal) -> None:
    window = await portal.window(BOB, f"{CASES}?product=Payroll")
    await window.page.get_by_role("searchbox", name="Search").fill(word())
    await expect(window.page.get_by_role("heading", name="No case matches")).to_be_visible()
    await expect(window.page.get_by_text("0 cases")).to_be_visible()
    await window.check_access()
    await window.page.get_by_role("link", name="Clear the filters").click()
    await expect(rows(window).first).to_be_visible()
    assert not await query_of(window.page)
    await expect(window.page.get_by_role("searchbox", name="Search")).to_have_value("")


async def test_who_sees_which_columns_and_choices(portal: Portal) -> None:
    staff = await portal.window(ADA, CASES)
    await expect(staff.page.get_by_role("columnheader", name="Assignee")).to_be_visible()
    await expect(staff.page.locator("#choice-account")).to_be_visible()
    member = await portal.window(BOB, CASES)
    await expect(member.page.locator("#choice-assignee, #choice-account")).to_have_count(0)
    await expect(member.page.get_by_role("columnheader", name="Reported by")).to_have_count(0)
    admin = await portal.window(CAROL, CASES)
    await expect(admin.page.get_by_role("columnheader", name="Reported by")).to_be_visible()
    everything = await admin.page.locator("#total").inner_text()
    await admin.page.get_by_role("checkbox", name="Mine").check()
    await expect(admin.page.locator("#total")).not_to_have_text(everything)
    assert await query_of(admin.page) == {"mine": ["true"]}


async def test_news_is_marked_until_it_has_been_read(portal: Portal) -> None:
    mark = word()
    number = await open_case(portal, f"Unread {mark}")
    bob = await portal.window(BOB, f"{CASES}?q={mark}")
    row = bob.page.locator(f"#row-{number}")
    await expect(row).to_be_visible()
    await expect(row).not_to_have_class(re.compile("unread"))
    ada = await portal.window(ADA, f"{CASES}?q={mark}")
    await expect(ada.page.locator(f"#row-{number}")).to_have_class("unread")

    # What customers may not know of is no news to them either (desk-rules standard 5).
    await call(portal, ADA, "standard", "POST", f"/cases/{number}/comments", {"body": "Odd.", "internal": True})
    await bob.go(f"{CASES}?q={mark}")
    await expect(row).not_to_have_class(re.compile("unread"))

    await call(portal, ADA, "standard", "POST", f"/cases/{number}/comments", {"body": "Looking."})
    await expect(row).to_have_class("unread")
    await row.get_by_role("checkbox").check()
    await bob.page.get_by_role("button", name="Mark as read").click()
    await expect(bob.page.get_by_text("1 case marked as read.")).to_be_visible()
    await expect(row).not_to_have_class(re.compile("unread"))
    await ada.go(f"{CASES}?q={mark}")
    await expect(ada.page.locator(f"#row-{number}")).not_to_have_class(re.compile("unread"))

    await call(portal, ADA, "standard", "POST", f"/cases/{number}/comments", {"body": "Found it."})
    await expect(row).to_have_class("unread")
    await row.locator(".subject").click()
    await bob.page.wait_for_url(re.compile(rf"/cases/{number}$"))
    await bob.go(f"{CASES}?q={mark}")
    await expect(row).to_be_visible()
    await expect(row).not_to_have_class(re.compile("unread"))


async def test_ticked_cases_are_taken_together(portal: Portal) -> None:
    mark = word()
    numbers = [await open_case(portal, f"{mark} {each}") for each in ("one", "two")]
    window = await portal.window(ADA, CASES)
    await window.page.get_by_role("searchbox", name="Search").fill(mark)
    await expect(rows(window)).to_have_count(2)
    for number in numbers:
        await window.page.locator(f"#tick-{number}").check()
    await expect(window.page.get_by_text("2 cases ticked")).to_be_visible()
    await window.check_access()
    await window.page.get_by_role("button", name="Take").click()
    await expect(window.page.get_by_text("2 cases taken.")).to_be_visible()
    for number in numbers:
        await expect(window.page.locator(f"#row-{number} .cell-assignee")).to_contain_text("Ada Okafor")


async def test_new_activity_appears_without_reload(portal: Portal) -> None:
    mark = word()
    window = await portal.window(ADA, CASES)
    await expect(window.page.locator("html")).to_have_attribute("data-live", "on")
    await window.page.get_by_role("searchbox", name="Search").fill(mark)
    await expect(window.page.get_by_text("No case matches")).to_be_visible()
    number = await open_case(portal, f"Live {mark}")
    row = window.page.locator(f"#row-{number}")
    await expect(row).to_be_visible(timeout=5000)
    await call(portal, BOB, "standard", "POST", f"/cases/{number}/escalate", {"comment": "It got worse."})
    await expect(row).to_contain_text("Escalated", timeout=5000)
    assert await query_of(window.page) == {"q": [mark]}


async def test_nothing_jumps_while_somebody_reads_or_ticks(portal: Portal) -> None:
    mark = word()
    first = await open_case(portal, f"{mark} first")
    second = await open_case(portal, f"{mark} second")
    window = await portal.window(ADA, f"{CASES}?q={mark}")
    await expect(window.page.locator("html")).to_have_attribute("data-live", "on")
    await expect(rows(window)).to_have_count(2)
    await window.page.locator(f"#tick-{second}").check()
    await call(portal, BOB, "standard", "POST", f"/cases/{first}/escalate", {"comment": "It got worse."})
    await expect(window.page.locator(f"#row-{first}")).to_contain_text("Escalated", timeout=5000)
    await expect(rows(window).first).to_contain_text(f"{mark} second")
    third = await open_case(portal, f"{mark} third")
    waiting = window.page.get_by_role("button", name="Show 1 more")
    await expect(waiting).to_be_visible(timeout=5000)
    await expect(window.page.locator(f"#row-{third}")).to_have_count(0)
    await expect(window.page.locator("#total")).to_have_text("3 cases")
    await expect(window.page.locator(f"#tick-{second}")).to_be_checked()
    await waiting.click()
    await expect(rows(window).first).to_contain_text(f"{mark} third")
    await expect(window.page.locator(f"#tick-{second}")).to_be_checked()
    await expect(waiting).to_be_hidden()


async def test_the_palette_knows_the_lists_commands(portal: Portal) -> None:
    window = await portal.window(ADA, f"{CASES}?product=Payroll")
    await window.page.keyboard.press("Control+k")
    await window.page.get_by_role("combobox", name="A command").fill("clear")
    await window.page.keyboard.press("Enter")
    await expect(window.page.locator("#choice-product summary")).not_to_contain_text("Payroll")
    assert not await query_of(window.page)


async def test_the_list_works_without_script(portal: Portal) -> None:
    window = await portal.window(ADA, CASES, script=False)
    await window.page.get_by_label("Search").fill("german")
    await window.page.get_by_role("button", name="Apply").click()
    await expect(rows(window)).to_have_count(1)
    await window.page.locator("#choice-product summary").click()
    await window.page.locator("#choice-product label", has_text="Ledger").click()
    await window.page.get_by_role("button", name="Apply").click()
    await expect(window.page.get_by_role("heading", name="No case matches")).to_be_visible()
    await window.page.get_by_role("link", name="Clear", exact=True).click()
    await window.page.get_by_role("link", name="Subject", exact=True).click()
    await rows(window).first.get_by_role("checkbox").check()
    await window.page.get_by_role("button", name="Mark as read").click()
    await expect(window.page.get_by_text("1 case marked as read.")).to_be_visible()
    await expect(window.page.get_by_role("columnheader", name="Subject")).to_have_attribute("aria-sort", "ascending")


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize(("who", "path"), [(ADA, CASES), (MIA, "/desks/connect/cases")])
async def test_the_list_is_accessible(portal: Portal, size: Size, colours: Colours, who: str, path: str) -> None:
    window = await portal.window(who, path, size=size, colours=colours)
    await expect(rows(window).first).to_be_visible()
    await window.page.locator("#choice-status summary").click()
    await window.check_access()
