"""Logging in, choosing a desk, logging out."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.portal.browsing import Colours, Portal, Size
from tests.portal.casts import BOTH

BOB, ADA, ZOE = "bob@acme.example", "ada@lumen.example", "zoe@coral.example"


async def test_who_has_one_desk_comes_straight_to_its_cases(portal: Portal) -> None:
    window = await portal.window()
    await window.log_in(BOB)
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/cases")
    await expect(window.page.get_by_role("heading", level=1)).to_have_text("Cases")


async def test_after_logging_in_one_is_where_one_wanted_to_be(portal: Portal) -> None:
    window = await portal.window(path="/desks/standard/cases/1?tab=details")
    await expect(window.page).to_have_url(f"{portal.base}/login?next=%2Fdesks%2Fstandard%2Fcases%2F1%3Ftab%3Ddetails")
    await window.page.get_by_label("Mail address").fill(ADA)
    await window.page.get_by_label("Password").fill("casebound-demo")
    await window.page.keyboard.press("Enter")
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/cases/1?tab=details")


async def test_a_wrong_password_says_so_and_keeps_the_address(portal: Portal) -> None:
    window = await portal.window(path="/login")
    await window.page.get_by_label("Mail address").fill("nobody@acme.example")
    await window.page.get_by_label("Password").fill("wrong")
    await window.page.get_by_role("button", name="Log in", exact=True).click()
    await expect(window.page.get_by_role("alert")).to_have_text("The address or the password is wrong.")
    await expect(window.page.get_by_label("Mail address")).to_have_value("nobody@acme.example")
    await expect(window.page.get_by_label("Password")).to_be_focused()


async def test_logging_out_ends_the_session_in_every_tab(portal: Portal) -> None:
    window = await portal.window(BOB)
    other = await window.page.context.new_page()
    await other.goto(f"{portal.base}/desks/standard/cases")
    await window.page.get_by_role("button", name="Log out").click()
    await expect(window.page.get_by_role("status")).to_have_text("You are logged out.")
    await expect(other).to_have_url(f"{portal.base}/login")
    await window.go("/desks/standard/cases")
    await expect(window.page).to_have_url(f"{portal.base}/login?next=%2Fdesks%2Fstandard%2Fcases")


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_log_in_page_is_accessible(portal: Portal, size: Size, colours: Colours) -> None:
    window = await portal.window(path="/login", size=size, colours=colours)
    await window.check_access()


async def test_who_is_on_several_desks_chooses_one_and_comes_back_to_it(portal: Portal) -> None:
    window = await portal.window("root@lumen.example", "/desks")
    await expect(window.page.get_by_role("heading", level=1)).to_be_visible()
    await window.check_access()
    await window.page.get_by_role("link", name="Lumen Software Support").first.click()
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/cases")
    await window.go("/")
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/cases")


async def test_a_desk_of_others_is_not_there(portal: Portal) -> None:
    window = await portal.window(BOB)
    await window.go("/desks/connect/cases")
    await expect(window.page.get_by_role("heading", level=1)).to_have_text("Not found")
    await window.check_access()


@pytest.mark.parametrize("script", [True, False])
async def test_light_and_dark_are_remembered(portal: Portal, script: bool) -> None:
    window = await portal.window(BOB, "/desks/standard/cases", script=script)
    root = window.page.locator("html")
    await expect(root).to_have_attribute("data-theme", "auto")
    await window.page.get_by_role("button", name="Dark", exact=True).click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/cases")
    await window.go("/desks/standard/cases")
    await expect(root).to_have_attribute("data-theme", "dark")
    await expect(window.page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")
    kept = [cookie for cookie in await window.page.context.cookies() if cookie.get("name") == "theme"]
    assert [cookie.get("httpOnly") for cookie in kept] == [False], "a script is to change it later"


async def test_logging_in_and_out_works_without_script(portal: Portal) -> None:
    window = await portal.window(script=False)
    await window.log_in(BOB)
    await expect(window.page.locator("#rows > tr").first).to_be_visible()
    await window.page.get_by_role("button", name="Log out").click()
    await expect(window.page).to_have_url(f"{portal.base}/login")
    await expect(window.page.get_by_text("You are logged out.")).to_be_visible()
