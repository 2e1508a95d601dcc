"""The administration: what is set, in words, and what can be tried again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml
from playwright.async_api import Locator, expect

from shared.db.engine import Database
from shared.desks import apply, parse_desk_file
from shared.tokens import issue
from tests.dead_letters import buried
from tests.portal.browsing import Colours, Portal, Size, Window
from tests.portal.casts import BOTH
from tests.receiver import receiving
from tests.waiting import until

ROOT, GRACE, ADA = "root@lumen.example", "grace@lumen.example", "ada@lumen.example"
ADMIN = "/desks/standard/admin"


@pytest.mark.parametrize(("who", "status"), [(ADA, 403), (GRACE, 200), (ROOT, 200)])
async def test_leads_may_look_and_agents_may_not(portal: Portal, who: str, status: int) -> None:
    window = await portal.window(who)
    for part in ("", "/calendar", "/people", "/webhooks", "/dead-letters", "/desk-file"):
        answer = await window.page.goto(f"{portal.base}{ADMIN}{part}")
        assert answer is not None
        assert (part, answer.status) == (part, status)


async def test_the_policy_says_in_words_what_holds(portal: Portal) -> None:
    window = await portal.window(ROOT, ADMIN)
    page = window.page
    await expect(page.get_by_text("A resolved case closes by itself after 3 business days of silence.")).to_be_visible()
    await expect(page.get_by_text("Within 14 business days after the closing.")).to_be_visible()
    await expect(page.get_by_text("casebound desk apply standard.yaml")).to_be_visible()
    await expect(page.locator(".differs")).to_have_count(0)


async def test_what_differs_from_the_profile_is_marked(portal: Portal) -> None:
    await applied(portal, desk="own-habits", policy={"reopen_within": 10, "labels": {"new": "Fresh"}})
    window = await portal.window(ROOT, "/desks/own-habits/admin")
    differs = window.page.locator(".differs")
    await expect(differs).to_have_count(2)
    await expect(differs.first).to_contain_text("The profile has: Within 14 business days after the closing.")


async def test_the_calendar_shows_workdays_holidays_and_where_windows_end(portal: Portal) -> None:
    window = await portal.window(ROOT, f"{ADMIN}/calendar")
    await expect(window.page.locator(".week .works")).to_have_count(5)
    await expect(window.page.get_by_text("Christmas Day").first).to_be_visible()
    await expect(window.page.get_by_text("A case closed now can be reopened until")).to_be_visible()


async def test_people_are_found_by_words(portal: Portal) -> None:
    window = await portal.window(ROOT, f"{ADMIN}/people")
    await expect(window.page.get_by_text("dieter@globex.example")).to_be_visible()
    await window.page.get_by_placeholder("Name, address or account").fill("carol")
    await window.page.keyboard.press("Enter")
    await expect(window.page).to_have_url(f"{portal.base}{ADMIN}/people?q=carol")
    await expect(window.page.get_by_text("carol@acme.example")).to_be_visible()
    await expect(window.page.get_by_text("dieter@globex.example")).to_have_count(0)


async def test_the_desk_file_is_one_that_changes_nothing(portal: Portal) -> None:
    policy = {"reopen_within": None, "reopen": "no", "labels": {"new": "Fresh"}, "recipients": ["opener", "cc"]}
    await applied(portal, desk="exported", policy=policy, products=["NO", "1.10"])
    for desk in ("exported", "standard"):
        window = await portal.window(ROOT, f"/desks/{desk}/admin/desk-file")
        content = await window.page.get_by_label("Desk file").inner_text()
        changes = await applied(portal, content=content)
        assert [line for line in changes if line[0] in "+~-"] == []


async def test_a_webhook_is_tested_and_its_deliveries_are_made_again(portal: Portal) -> None:
    async with receiving() as receiver:
        inbox = receiver.inbox()
        hook = {"url": inbox.url, "events": ["case.*"], "secret": inbox.secret}
        await applied(portal, desk="hooked", webhooks=[hook])
        window = await portal.window(ROOT, "/desks/hooked/admin/webhooks")
        page = window.page
        await page.get_by_role("button", name=f"Send a test to {inbox.url}").click()
        await expect(page.get_by_role("status")).to_contain_text("The test has arrived: the receiver answered 204")
        assert [event["type"] for event in inbox.taken] == ["casebound.ping.v1"]
        token = issue(portal.stack.settings, ROOT, "hooked", timedelta(minutes=5))
        opening = {"subject": "Told", "description": "To others"}
        async with httpx.AsyncClient(base_url=portal.base, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {token}"}
            assert (await http.post("/api/v1/desks/hooked/cases", json=opening, headers=headers)).status_code == 201
        await inbox.until(2)
        await page.get_by_role("link", name=f"Deliveries to {inbox.url}").click()
        row = page.get_by_role("row", name=re.compile("opened"))
        await until(lambda: shown(window, row.get_by_text("sent")), what="the delivery in the log")
        await row.get_by_role("button").click()
        await expect(page.get_by_role("status")).to_contain_text("delivered again")
        await inbox.until(3)
        assert inbox.ids[-1] == inbox.ids[-2], "the same event has the same id"
        assert inbox.secret not in await page.content()
        await window.check_access()


async def shown(window: Window, place: Locator) -> bool:
    """Whether something is there, after loading the page again."""
    await window.page.reload()
    return await place.count() > 0


async def test_a_dead_letter_says_why_and_can_be_replayed(portal: Portal) -> None:
    letter = await buried(portal.stack.settings, "standard", "The receiver has moved away")
    elsewhere = await buried(portal.stack.settings, "connect", "Not for this desk")
    window = await portal.window(ROOT, f"{ADMIN}/dead-letters")
    page = window.page
    found = page.get_by_role("article").filter(has_text="The receiver has moved away").first
    await found.get_by_text("Original").click()
    await expect(found.get_by_label("Original")).to_have_text('{"words": "What was to be told"}')
    await expect(page.get_by_text("Not for this desk")).to_have_count(0)
    assert await page.get_by_label(f"Replay dead letter {elsewhere}").count() == 0
    await page.get_by_label(f"Replay dead letter {letter}", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("which tries again")
    await expect(page.get_by_label(f"Replay dead letter {letter}", exact=True)).to_have_count(0)


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_pages_are_accessible(portal: Portal, size: Size, colours: Colours) -> None:
    await buried(portal.stack.settings, "standard")
    window = await portal.window(ROOT, ADMIN, size=size, colours=colours)
    await window.check_access()
    for part in ("calendar", "people", "webhooks", "dead-letters", "desk-file"):
        await window.go(f"{ADMIN}/{part}")
        await window.check_access()


async def applied(portal: Portal, content: str = "", **over: Any) -> list[str]:
    """Apply a desk file, by default one of a desk that is as `standard`, with Ines Duarte alone; what changed."""
    plain = {"name": "Own habits", "key": "OWN", "staff": [{"email": ROOT, "name": "Ines Duarte", "role": "admin"}]}
    text = content or yaml.safe_dump(plain | over)
    database = Database(portal.stack.settings.database_url, pool_size=1)
    try:
        return await apply(database, parse_desk_file("desk.yaml", text.encode()))
    finally:
        await database.close()
