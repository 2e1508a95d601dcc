"""The agent's desk: queues, handing out, canned replies, and a working day without a mouse."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.portal.browsing import Colours, Portal, Size, Window
from tests.portal.casts import BOTH, CASTS, STANDARD, Cast, Staged, staged

TOM, GRACE = "tom@lumen.example", "grace@lumen.example"
QUEUES = ("mine", "unassigned", "awaiting-me", "about-to-close")


def word() -> str:
    return f"Queue {uuid.uuid4().hex[:10]}"


def row(window: Window, case: Staged) -> Any:
    return window.page.locator(f"#queue-{case.number}")


def queue(cast: Cast, name: str) -> str:
    return f"/desks/{cast.desk}/queues/{name}"


@BOTH
@pytest.mark.parametrize("cast", CASTS, ids=lambda cast: cast.desk)
async def test_each_desk_has_its_queues(portal: Portal, cast: Cast, size: Size) -> None:
    """Also where lists must name a product (desk-rules A15): a queue names them all."""
    async with staged(portal, cast, word()) as case:
        window = await portal.window(cast.agent, queue(cast, "unassigned"), size=size)
        await expect(row(window, case)).to_contain_text(case.subject)
        await expect(row(window, case)).to_contain_text("It is about the invoices")
        await expect(row(window, case).locator(".waits time")).to_be_visible()
        await window.check_access()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", QUEUES)
async def test_a_queue_is_accessible(portal: Portal, name: str, colours: Colours) -> None:
    window = await portal.window(STANDARD.agent, queue(STANDARD, name), colours=colours)
    await expect(window.page.locator("#side-queues .count")).to_have_count(len(QUEUES))
    await window.check_access()


async def test_beyond_the_last_page_is_the_last(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned") + "?page=900")
        await expect(row(window, case)).to_be_visible()


async def test_customers_have_no_queues(portal: Portal) -> None:
    window = await portal.window(STANDARD.customer)
    await expect(window.page.locator("#side-queues")).to_have_count(0)
    answer = await window.page.goto(portal.base + queue(STANDARD, "mine"))
    assert answer
    assert answer.status == 404


async def test_counts_and_rows_follow_what_happens(portal: Portal) -> None:
    window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned"))
    count = window.page.locator("[data-count=unassigned]")
    before = int(await count.inner_text())
    async with staged(portal, STANDARD, word()) as case:
        await expect(row(window, case)).to_be_visible()
        await expect(count).to_have_text(str(before + 1))
        await case.agent.act(case.number, "take")
        await expect(row(window, case)).to_have_count(0)
        await expect(count).to_have_text(str(before))


@pytest.mark.parametrize("tabs", [1, 2])
async def test_what_happens_while_a_page_is_on_its_way_appears_there(portal: Portal, tabs: int) -> None:
    """Alone, and beside a tab that reads the stream for both."""
    there = queue(STANDARD, "unassigned")
    witness = await portal.window(STANDARD.agent, there)
    other = witness
    if tabs == 1:
        other = await portal.window(STANDARD.agent)
        await other.page.close()
    page = await other.page.context.new_page()
    made, may_arrive = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        made.set()
        await may_arrive.wait()
        await route.fulfill(response=answer)

    await page.route("**/queues/unassigned", late, times=1)
    arriving = asyncio.create_task(page.goto(portal.base + there))
    await made.wait()
    async with staged(portal, STANDARD, word()) as case:
        await expect(row(witness, case)).to_be_visible()
        may_arrive.set()
        await arriving
        await expect(page.locator(f"#queue-{case.number}")).to_be_visible()


async def test_what_happens_while_the_line_is_broken_appears_afterwards(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned"))
        await expect(row(window, case)).to_be_visible()
        async with window.offline():
            await case.agent.act(case.number, "take")
            await expect(window.page.get_by_text("The server can't be reached.")).to_be_visible()
        await expect(row(window, case)).to_have_count(0)


async def test_a_case_is_taken_from_the_list(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned"))
        await row(window, case).get_by_role("button", name="Take").click()
        await expect(window.page.get_by_text("is yours.")).to_be_visible()
        await expect(row(window, case)).to_have_count(0)
        assert (await case.agent.case(case.number))["assignee"] == STANDARD.agent


async def test_several_cases_are_chosen_and_assigned_by_keyboard(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as one, staged(portal, STANDARD, word()) as two:
        window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned"))
        keys = window.page.keyboard
        for case in (one, two):
            await row(window, case).get_by_role("link").focus()
            await keys.press("x")
        await expect(window.page.get_by_text("2 cases chosen")).to_be_visible()
        await window.check_access()
        await one.customer.comment(one.number, "Is anybody there?")
        await expect(row(window, one)).to_contain_text("Is anybody there?")
        await expect(window.page.get_by_role("checkbox", name="Choose", checked=True)).to_have_count(2)
        await keys.press("a")
        await expect(window.page.get_by_label("Assign to")).to_be_focused()
        await keys.type("Tom")
        await keys.press("Enter")
        await expect(window.page.get_by_text("2 cases are assigned to Tom Brandt.")).to_be_visible()
        assert [(await case.agent.case(case.number))["assignee"] for case in (one, two)] == [TOM, TOM]


async def test_who_is_too_late_hears_who_has_the_case(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        window = await portal.window(GRACE, queue(STANDARD, "unassigned"), script=False)
        await case.agent.act(case.number, "take")
        await row(window, case).get_by_role("button", name="Take").click()
        await expect(window.page.get_by_role("status")).to_contain_text(f"{STANDARD.agent} has the case already")


async def test_awaiting_me_empties_as_one_answers(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        await case.agent.act(case.number, "take")
        window = await portal.window(STANDARD.agent, queue(STANDARD, "awaiting-me"))
        await expect(row(window, case)).to_be_visible()
        await case.agent.comment(case.number, "Which one?", await_reply=True)
        await expect(row(window, case)).to_have_count(0)
        await case.customer.comment(case.number, "The first.")
        await expect(row(window, case)).to_contain_text("The first.")


async def test_a_round_by_keyboard_alone(portal: Portal) -> None:
    """Open a queue, take a case, answer with canned words, and be at the next one."""
    name = f"Thanks {uuid.uuid4().hex[:8]}"
    async with staged(portal, STANDARD, word()) as first, staged(portal, STANDARD, word()) as second:
        kept = {"name": name, "body": "Hello {customer}, {number} is with me. {agent}"}
        await first.agent.send("POST", "/replies", kept)
        await second.agent.act(second.number, "take")
        window = await portal.window(STANDARD.agent, "/desks/standard/cases")
        page, keys = window.page, window.page.keyboard
        await keys.press("g")
        await keys.press("u")
        await page.wait_for_url("**/queues/unassigned")
        await expect(row(window, first)).to_be_visible()
        await row(window, first).get_by_role("link").focus()
        await keys.press("t")
        await expect(page.get_by_text("is yours.")).to_be_visible()
        await keys.press("g")
        await keys.press("a")
        await page.wait_for_url("**/queues/awaiting-me")
        await page.get_by_label("After sending, open the next case").focus()
        await keys.press("Space")
        await expect(page.get_by_label("After sending, open the next case")).to_be_checked()
        await row(window, first).get_by_role("link").focus()
        await keys.press("Enter")
        await page.wait_for_url(f"**/cases/{first.number}")
        await keys.press("r")
        await keys.press("Control+/")
        await expect(page.get_by_role("option", name=name)).to_be_visible()
        await keys.type(name)
        await keys.press("Enter")
        text = f"Hello Bob Hartley, LUM-{first.number} is with me. Ada Okafor"
        await expect(page.get_by_label("Your message")).to_have_value(text)
        await keys.press("Control+Enter")
        await page.wait_for_url(re.compile(rf"/cases/(?!{first.number}\b)\d+"))
        said = (await first.agent.events(first.number))[-1]
        assert said["body"] == text


async def test_to_go_on_after_sending_holds_from_the_moment_it_is_ticked(portal: Portal) -> None:
    """Also for who opens a case in the same second, over a line on which nothing has arrived yet."""
    async with staged(portal, STANDARD, word()) as case:
        await case.agent.act(case.number, "take")
        window = await portal.window(STANDARD.agent, queue(STANDARD, "awaiting-me"))
        page, habit = window.page, window.page.get_by_label("After sending, open the next case")
        arrived = asyncio.Event()

        async def late(route: Route) -> None:
            await arrived.wait()
            await route.abort()

        await page.route("**/habits/**", late)
        for on, button in ((True, "Send and next"), (False, "Send")):
            await habit.set_checked(on)
            await row(window, case).get_by_role("link").click()
            await page.wait_for_url(f"**/cases/{case.number}")
            await expect(page.get_by_role("button", name=button, exact=True)).to_be_visible()
            await page.goto(portal.base + queue(STANDARD, "awaiting-me"))
            await expect(habit).to_be_checked(checked=on)
        arrived.set()


async def test_keys_are_shown_under_the_question_mark(portal: Portal) -> None:
    async with staged(portal, STANDARD, word()) as case:
        window = await portal.window(STANDARD.agent, queue(STANDARD, "unassigned"))
        await expect(row(window, case)).to_be_visible()
        await window.page.keyboard.press("?")
        shown = window.page.get_by_role("dialog", name="Keys")
        for label in (
            "Mine",
            "Awaiting me",
            "Take the chosen cases, or this one",
            "Assign the chosen cases, or this one",
        ):
            await expect(shown).to_contain_text(label)
        await window.check_access()


@BOTH
async def test_canned_replies_are_kept_changed_and_deleted(portal: Portal, size: Size) -> None:
    name = f"Reply {uuid.uuid4().hex[:8]}"
    window = await portal.window(GRACE, "/desks/standard/replies", size=size)
    page = window.page
    await page.get_by_role("link", name="New canned reply").click()
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="Text").fill("Hello {custmer}")
    await page.get_by_label("For all staff of the desk").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("{custmer} stands for nothing")
    await window.check_access()
    await page.get_by_role("textbox", name="Text").fill("Hello {customer}")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    await window.check_access()
    agent = await portal.window(STANDARD.agent, "/desks/standard/replies")
    await expect(agent.page.get_by_text(name)).to_be_visible()
    await expect(agent.page.get_by_role("link", name=name)).to_have_count(0)
    await page.get_by_role("link", name=name).click()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("link", name=name)).to_have_count(0)
