"""The tab Activity: conversations, what else happened, notes, and the form in which one writes."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.portal.browsing import Colours, Portal, Size, Window
from tests.portal.casts import BOTH, CONNECT, HELP_CENTRE, STANDARD, TEAM, staged, status

LIVE_MS = 2_000
"""Within which what one sends has to appear where another looks (issue 4, done when 4)."""


def form(window: Window, thread: int = 0) -> Locator:
    return window.page.locator(f"[data-composer='{thread}']")


def body(window: Window, thread: int = 0) -> Locator:
    return form(window, thread).locator("textarea[name=body]")


def event(window: Window, seq: int) -> Locator:
    return window.page.locator(f"#event-{seq}")


def conversations(window: Window) -> Locator:
    return window.page.locator(".conversation")


async def send(window: Window, text: str, button: str = "Send", thread: int = 0) -> None:
    await body(window, thread).fill(text)
    await form(window, thread).get_by_role("button", name=button, exact=True).click()


async def never_reloaded(page: Page) -> None:
    assert await page.evaluate("window.sinceTheStart === true"), "the page was loaded again"


@BOTH
@pytest.mark.rule("C8", "C9")
async def test_a_post_starts_a_conversation_and_a_comment_answers_it(portal: Portal, size: Size) -> None:
    async with staged(portal, CONNECT, "Posts and comments") as case:
        window = await case.seen_by(CONNECT.customer, size=size)
        await send(window, "A **new** matter")
        await expect(conversations(window)).to_have_count(2)
        await expect(conversations(window).first.locator(".prose strong")).to_have_text("new")
        await conversations(window).first.get_by_role("link", name="Reply").click()
        await send(window, "One thing more on it", thread=2)
        await expect(conversations(window).first.locator(".replies .message")).to_contain_text("One thing more on it")
        await expect(form(window, 2)).to_have_count(0)
        said = await case.customer.events(case.number)
        assert [(each["kind"], each.get("in_reply_to")) for each in said] == [
            ("opened", None),
            ("commented", None),
            ("commented", 2),
        ]
        await window.page.reload()
        await expect(event(window, 3)).to_be_visible()


async def test_what_one_sends_appears_in_the_other_window_and_typing_goes_on(portal: Portal) -> None:
    """Issue 4, done when 4."""
    async with staged(portal, STANDARD, "Two windows") as case:
        agent, customer = await case.seen_by(STANDARD.agent), await case.seen_by(STANDARD.customer)
        for window in (agent, customer):
            await window.page.wait_for_function("document.documentElement.dataset.live === 'on'")
            await window.page.evaluate("window.sinceTheStart = true")
        await body(customer).press_sequentially("I was just about to")
        await conversations(customer).first.get_by_role("link", name="Reply").click()
        await body(customer, 1).press_sequentially("and also")
        await send(agent, "We are looking into it.")
        await expect(event(agent, 2)).to_be_visible()
        await expect(event(customer, 2)).to_contain_text("We are looking into it.", timeout=LIVE_MS)
        await expect(body(customer)).to_have_value("I was just about to")
        await expect(body(customer, 1)).to_be_focused()
        await body(customer, 1).press_sequentially(" this")
        await case.agent.comment(case.number, "One more", in_reply_to=1)
        await expect(conversations(customer).last.locator(".replies")).to_contain_text("One more", timeout=LIVE_MS)
        await expect(body(customer, 1)).to_have_value("and also this")
        await form(customer, 1).get_by_role("button", name="Send", exact=True).click()
        await expect(form(customer, 1)).to_have_count(0)
        await expect(conversations(agent).last.locator(".replies")).to_contain_text("and also this", timeout=LIVE_MS)
        for window in (agent, customer):
            await never_reloaded(window.page)


@BOTH
@pytest.mark.rule("standard 5")
async def test_a_note_looks_like_one_and_customers_never_see_it(portal: Portal, size: Size) -> None:
    async with staged(portal, STANDARD, "With a note") as case:
        agent, customer = [await case.seen_by(who, size=size) for who in (STANDARD.agent, STANDARD.customer)]
        await agent.page.keyboard.press("n")
        await expect(body(agent)).to_be_focused()
        await expect(form(agent)).to_contain_text("Only staff of Lumen Software Support will read this.")
        await expect(form(agent).get_by_role("button", name="Send", exact=True)).to_be_hidden()
        await send(agent, "Mind that they are *important*.", "Add internal note")
        await expect(event(agent, 2)).to_contain_text("Internal note")
        await agent.page.locator("#conversation-2").get_by_role("link", name="Reply with a note").click()
        await expect(form(agent, 2).get_by_role("button", name="Send", exact=True)).to_have_count(0)
        await send(agent, "I know.", "Add internal note", thread=2)
        await expect(event(agent, 3)).to_contain_text("Internal note")
        await case.agent.comment(case.number, "For everybody")
        await expect(event(customer, 4)).to_be_visible()
        await expect(customer.page.locator("main")).not_to_contain_text("important")
        await expect(customer.page.locator(".note")).to_have_count(0)
        assert [each["kind"] for each in await case.agent.events(case.number)][1:3] == ["noted", "noted"]


async def test_a_draft_outlives_a_reload_a_broken_line_and_a_lost_answer(portal: Portal) -> None:
    """Issue 4, activity: drafts survive a lost connection; what was sent before the answer was lost is sent once."""
    async with staged(portal, STANDARD, "Drafts") as case:
        window = await case.seen_by(STANDARD.customer)
        await body(window).fill("A long story")
        await conversations(window).first.get_by_role("link", name="Reply").click()
        await body(window, 1).fill("A short one")
        await window.page.reload()
        await expect(body(window)).to_have_value("A long story")
        await expect(body(window, 1)).to_have_value("A short one")

        async with window.offline():
            await expect(form(window)).to_contain_text("You are offline.")
            await form(window).get_by_role("button", name="Send", exact=True).click()
            await expect(form(window).get_by_role("alert")).to_contain_text("The server can't be reached.")
            await expect(body(window)).to_have_value("A long story")

        async def lose_the_answer(route: object) -> None:
            await route.fetch()  # type: ignore[attr-defined]
            await route.abort()  # type: ignore[attr-defined]

        await window.page.route("**/activity?after=*", lose_the_answer, times=1)
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(form(window).get_by_role("alert")).to_contain_text("sent once all the same")
        await window.page.reload()
        await expect(body(window)).to_have_value("A long story")
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(window.page.locator(".toast.good")).to_have_text("Sent.")
        await expect(body(window)).to_have_value("")
        bodies = [each.get("body") for each in await case.customer.events(case.number)]
        assert bodies == [None, "A long story"]
        await window.page.reload()
        await expect(body(window)).to_have_value("")
        await expect(body(window, 1)).to_have_value("A short one")


async def test_what_the_case_refuses_stays_in_the_form(portal: Portal) -> None:
    """desk-rules C17, H7: a closed case takes no comment; issue 4: a refused send loses nothing."""
    async with staged(portal, CONNECT, "Closed meanwhile") as case:
        window = await case.seen_by(CONNECT.customer)
        await body(window).fill("Just one thing")

        async def close_it_first(route: object) -> None:
            await case.agent.act(case.number, "close", comment="Done.")
            await route.continue_()  # type: ignore[attr-defined]

        await window.page.route("**/activity?after=*", close_it_first, times=1)
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(form(window).get_by_role("alert")).to_contain_text("closed")
        await expect(body(window)).to_have_value("Just one thing")
        await expect(form(window)).to_contain_text("This case is closed. Reopen it to write more.")
        await case.customer.act(case.number, "reopen", reason="It is not done.")
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(event(window, 4)).to_contain_text("Just one thing")


async def test_a_double_click_sends_once(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Twice clicked") as case:
        window = await case.seen_by(STANDARD.customer)
        await body(window).fill("Only once")
        await form(window).get_by_role("button", name="Send", exact=True).dblclick()
        await expect(event(window, 2)).to_be_visible()
        await case.agent.comment(case.number, "The last word")
        assert [each["seq"] for each in await case.customer.events(case.number)] == [1, 2, 3]


@BOTH
@pytest.mark.rule("standard 1", "standard 3")
async def test_staff_ask_and_resolve_with_their_reply(portal: Portal, size: Size) -> None:
    async with staged(portal, STANDARD, "Asked and resolved") as case:
        window = await case.seen_by(STANDARD.agent, size=size)
        await body(window).fill("Which version is it?")
        await form(window).get_by_text("Send and…").click()
        await form(window).get_by_role("button", name="Send and ask for a reply").click()
        await expect(event(window, 2)).to_contain_text("set the status to «Awaiting your reply»")
        await expect(status(window.page)).to_have_text("Awaiting your reply")
        customer = await case.seen_by(STANDARD.customer, size=size)
        await send(customer, "It is 4.1.")
        await expect(status(customer.page)).to_have_text("Open")
        await expect(status(window.page)).to_have_text("Open")
        await body(window).fill("It is fixed in 4.2.")
        await form(window).get_by_text("Send and…").click()
        await form(window).get_by_role("button", name="Send and resolve…").click()
        dialog = window.page.get_by_role("dialog", name="Send and resolve")
        await expect(dialog.get_by_role("button", name="Send and resolve")).to_be_disabled()
        await dialog.get_by_label("Resolution type").fill("provided")
        await dialog.get_by_role("button", name="Send and resolve").click()
        resolved = window.page.locator(".happened", has_text="resolved the case")
        await expect(resolved).to_contain_text("It closes by itself on")
        case_now = await case.agent.case(case.number)
        assert case_now["status"] == "resolved"
        assert case_now["resolution"]["summary"] == "It is fixed in 4.2."


@BOTH
@pytest.mark.rule("H5", "H6", "H8", "H10")
async def test_a_submitter_marks_solved_with_words_and_a_reply_reopens(portal: Portal, size: Size) -> None:
    async with staged(portal, HELP_CENTRE, "Solved in words") as case:
        window = await case.seen_by(HELP_CENTRE.customer, size=size)
        await body(window).fill("Found it myself.")
        await form(window).get_by_text("Copy people").click()
        await form(window).get_by_label("Copy to").fill("marc@montaigne.example, not an address")
        await form(window).get_by_role("button", name="Mark as solved").click()
        await expect(form(window).get_by_role("alert")).to_contain_text("«not an address» is not a mail address.")
        await expect(body(window)).to_have_value("Found it myself.")
        await form(window).get_by_label("Copy to").fill("marc@montaigne.example")
        await form(window).get_by_role("button", name="Mark as solved").click()
        await expect(event(window, 2)).to_contain_text("Found it myself.")
        await expect(event(window, 2)).to_contain_text("copied Marc Dubois")
        await expect(event(window, 2)).to_contain_text("marked the case as solved")
        await expect(form(window)).to_contain_text("A reply takes the case up again")
        await send(window, "It came back.")
        await expect(window.page.locator("main")).to_contain_text("reopened the case")
        now = await case.customer.case(case.number)
        assert (now["status"], now["cc"]) == ("open", ["marc@montaigne.example"])


@BOTH
@pytest.mark.rule("T9", "T10", "T11")
async def test_send_keeps_a_ticket_open_and_close_posts_what_was_typed(portal: Portal, size: Size) -> None:
    async with staged(portal, TEAM, "Sent or closed") as case:
        window = await case.seen_by(TEAM.customer, size=size)
        await send(window, "Some more")
        await expect(event(window, 2)).to_be_visible()
        assert (await case.customer.case(case.number))["status"] != "closed"
        await send(window, "That was it.", "Close the case")
        await expect(event(window, 3)).to_contain_text("That was it.")
        await expect(event(window, 3)).to_contain_text("closed the case")
        await expect(form(window)).to_contain_text("its status becomes «Waiting for Support»")
        await send(window, "Not quite.")
        await expect(event(window, 5)).to_contain_text("«Waiting for Support» again")
        assert (await case.customer.case(case.number))["status_label"] == "Waiting for Support"


async def test_a_link_leads_to_the_event_in_a_long_case(portal: Portal) -> None:
    """desk-rules T8: the link in a mail leads to that very reply."""
    async with staged(portal, TEAM, "A long one") as case:
        await asyncio.gather(*(case.customer.comment(case.number, f"Word {each}") for each in range(130)))
        first = await case.customer.comment(case.number, "A question", in_reply_to=2)
        window = await portal.window(TEAM.customer)
        await window.go(f"{case.path}#event-5")
        await expect(event(window, 5)).to_be_in_viewport()
        await expect(event(window, 5)).to_have_class(re.compile("linked"))
        assert await window.page.locator(".message").count() < 80
        await expect(event(window, first["seq"])).to_be_attached()
        earlier = window.page.get_by_role("link", name="Show earlier")
        while await earlier.count():
            before = await window.page.locator(".message").count()
            await earlier.click()
            await window.page.wait_for_function("n => document.querySelectorAll('.message').length > n", arg=before)
        await expect(window.page.locator(".message")).to_have_count(132)
        found = [each.get_attribute("data-order") for each in await window.page.locator(".timeline > li").all()]
        orders = [float(order or 0) for order in await asyncio.gather(*found)]
        assert orders == sorted(orders, reverse=True)


async def test_what_happened_is_told_in_the_words_of_the_desk(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Told in words") as case:
        await case.agent.act(case.number, "assign", assignee="tom@lumen.example")
        await case.agent.edit(case.number, severity="Low")
        await case.customer.act(case.number, "escalate", comment="Month end is **tonight**.")
        window = await case.seen_by(STANDARD.customer)
        lines = window.page.locator(".happened")
        await expect(lines.nth(2)).to_contain_text("Ada Okafor assigned the case to Tom Brandt")
        await expect(lines.nth(1)).to_contain_text("changed the severity from High to Low")
        await expect(lines.nth(0)).to_contain_text("escalated the case to «Escalated»")
        await expect(lines.nth(0).locator("strong").last).to_have_text("tonight")
        await expect(lines.nth(0).locator("time")).to_have_attribute("title", re.compile(r"\d{4}, \d\d:\d\d"))


async def test_the_keyboard_alone_suffices(portal: Portal) -> None:
    async with staged(portal, STANDARD, "By keys") as case:
        window = await case.seen_by(STANDARD.agent)
        await window.page.keyboard.press("r")
        await window.page.keyboard.type("Typed and _sent_")
        await form(window).get_by_role("button", name="Preview").press("Enter")
        await expect(form(window).locator("[data-preview] em")).to_have_text("sent")
        await form(window).get_by_role("button", name="Preview").press("Enter")
        await body(window).press("Control+Enter")
        await expect(event(window, 2)).to_be_focused()
        await window.page.keyboard.press("?")
        await expect(window.page.get_by_role("dialog")).to_contain_text("Write an internal note")


async def test_what_was_sent_is_focused_though_the_stream_showed_it_first(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Sooner than its answer") as case:
        window = await case.seen_by(STANDARD.agent)

        async def hold(route: Route) -> None:
            if route.request.method != "POST":
                await route.continue_()
                return
            answer = await route.fetch()
            await expect(event(window, 2)).to_contain_text("Seen at once")
            await route.fulfill(response=answer)

        await window.page.route(re.compile(r"\?after="), hold)
        await body(window).fill("Seen at once")
        await body(window).press("Control+Enter")
        await expect(event(window, 2)).to_be_focused()


async def test_without_script_one_can_read_write_and_answer(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Without script") as case:
        window = await case.seen_by(STANDARD.customer, script=False)
        await send(window, "Plain words")
        await expect(event(window, 2)).to_contain_text("Plain words")
        await window.page.locator("#conversation-2").get_by_role("link", name="Reply").click()
        await send(window, "An answer", thread=2)
        await expect(window.page.locator("#conversation-2 .replies")).to_contain_text("An answer")
        await form(window).get_by_text("Copy people").click()
        await form(window).get_by_label("Copy to").fill("nobody")
        await send(window, "Kept all the same")
        await expect(form(window).get_by_role("alert")).to_contain_text("is not a mail address")
        await expect(body(window)).to_have_value("Kept all the same")


@pytest.mark.parametrize(("size", "colours"), [("wide", "light"), ("narrow", "dark")])
async def test_the_activity_is_accessible(portal: Portal, size: Size, colours: Colours) -> None:
    async with staged(portal, STANDARD, "For everybody") as case:
        await case.agent.comment(case.number, "A note", internal=True)
        await case.agent.comment(case.number, "What is it?", in_reply_to=1, await_reply=True)
        await case.resolved()
        window = await case.seen_by(STANDARD.agent, size=size, colours=colours)
        await window.check_access()
        await form(window).get_by_text("Internal note", exact=True).click()
        await window.check_access()
