"""The lead's view: numbers that can be read, and followed to the cases behind them."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.portal.browsing import Colours, Portal, Size
from tests.portal.casts import BOTH

GRACE, ADA, BOB, LEELA = "grace@lumen.example", "ada@lumen.example", "bob@acme.example", "leela@appcentral.example"
OVERVIEW = "/desks/standard/overview?days=90"


def tile(page: Page, label: str) -> str:
    return f".tile:has(dt:text-is('{label}')) .figure"


async def figure(page: Page, label: str) -> int:
    return int(await page.locator(tile(page, label)).inner_text())


@pytest.mark.parametrize(("who", "status"), [(ADA, 403), (BOB, 403), (GRACE, 200)])
async def test_it_is_for_leads_and_admins(portal: Portal, who: str, status: int) -> None:
    window = await portal.window(who, "/desks/standard/cases")
    await expect(window.page.get_by_role("link", name="Overview")).to_have_count(1 if status == 200 else 0)
    answer = await window.page.goto(f"{portal.base}{OVERVIEW}")
    assert answer is not None
    assert answer.status == status


@BOTH
async def test_figures_lead_to_the_cases_that_they_count(portal: Portal, size: Size) -> None:
    window = await portal.window(GRACE, OVERVIEW, size=size)
    page = window.page
    for label in ("Opened", "Resolved"):
        expected = await figure(page, label)
        await page.locator(tile(page, label)).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(label)
        await expect(page.locator("tbody tr")).to_have_count(expected)
        await page.get_by_role("link", name="Overview").last.click()
    expected = await figure(page, "Open now")
    await page.locator(tile(page, "Open now")).click()
    await expect(page).to_have_url(re.compile(r"/desks/standard/cases\?status=New"))
    await expect(page.locator("#total strong")).to_have_text(str(expected))


async def test_a_status_and_an_assignee_lead_to_the_list_with_its_own_filters(portal: Portal) -> None:
    window = await portal.window(GRACE, OVERVIEW)
    row = window.page.get_by_role("region", name="By assignee").get_by_role("row", name=re.compile("Nobody"))
    count = int(await row.get_by_role("cell").nth(1).inner_text())
    await row.get_by_role("cell").nth(1).get_by_role("link").click()
    await expect(window.page).to_have_url(re.compile("assignee=none"))
    await expect(window.page.locator("#total strong")).to_have_text(str(count))


async def test_where_the_list_needs_a_filter_the_cases_are_shown_without_it(portal: Portal) -> None:
    """desk-rules A15: the list of this desk asks for a product, which a case may lack."""
    window = await portal.window(LEELA, "/desks/appcentral/overview")
    expected = await figure(window.page, "Open now")
    await window.page.locator(tile(window.page, "Open now")).click()
    await expect(window.page).to_have_url(re.compile(r"/overview/cases\?of=open"))
    await expect(window.page.locator("tbody tr")).to_have_count(expected)


async def test_the_period_is_in_the_address(portal: Portal) -> None:
    window = await portal.window(GRACE, "/desks/standard/overview")
    periods = window.page.get_by_role("navigation", name="Period")
    await expect(periods.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "page")
    await periods.get_by_role("link", name="7 days").click()
    await expect(window.page).to_have_url(f"{portal.base}/desks/standard/overview?days=7")
    await window.page.get_by_text("Numbers").click()
    await expect(
        window.page.get_by_role("table", name="Cases opened and resolved by day").locator("tbody tr")
    ).to_have_count(7)
    busy = window.page.get_by_role("table", name="Cases opened and resolved by day").locator("tbody a").first
    expected = int(await busy.inner_text())
    await busy.click()
    await expect(window.page.locator("tbody tr")).to_have_count(expected)


async def test_a_period_that_is_not_offered_is_refused(portal: Portal) -> None:
    window = await portal.window(GRACE)
    answer = await window.page.goto(f"{portal.base}/desks/standard/overview?days=8")
    assert answer is not None
    assert answer.status == 422


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_pages_are_accessible(portal: Portal, size: Size, colours: Colours) -> None:
    window = await portal.window(GRACE, OVERVIEW, size=size, colours=colours)
    await window.page.get_by_text("Numbers").click()
    await window.check_access()
    await window.go("/desks/standard/overview/cases?of=answered&days=90")
    await window.check_access()
    await window.go("/desks/standard/overview/cases?of=rejected&days=90&product=none-such")
    await window.check_access()
