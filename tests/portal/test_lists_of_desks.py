"""The list of each desk, as its customers and its agents use it, on a wide and on a narrow window."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.client import Connections, Json, caller
from tests.portal.browsing import Portal, Size, Window
from tests.portal.casts import APPCENTRAL, BOTH, CONNECT, HELP_CENTRE, TEAM, Cast, clear_away, staged, status
from tests.portal.lists import choose, query_of, rows, subjects, total, word, words
from tests.stack import Stack
from tests.waiting import until

NAMES: Final = (*(letter * 2 for letter in ascii_lowercase), "zzz")
"""27: two more than a page takes."""


@dataclass(frozen=True)
class Shelf:
    """27 cases of one customer, which a word that they share finds, and what is known of them."""

    mark: str
    cases: tuple[Json, ...]

    def subjects(self, **wanted: str) -> set[str]:
        """Of those that have these values, filters being called as on the page."""
        fields = {"status_label" if name == "status" else name: value for name, value in wanted.items()}
        return {case["subject"] for case in self.cases if fields.items() <= case.items()}


@asynccontextmanager
async def filled(
    stack: Stack, cast: Cast, products: list[str], types: list[str], urgent: list[str]
) -> AsyncIterator[Shelf]:
    mark = word()
    async with Connections(stack.api, 4).kept() as connections:
        customer, agent = (caller(connections, stack.settings, cast.desk, who) for who in (cast.customer, cast.agent))

        async def one(place: int, name: str) -> Json:
            fields = {"product": products[place % 3], "type": types[place // 9], "severity": urgent[place % 2]}
            return await customer.open(subject=f"{mark} {name}", description="On the shelf.", **fields)

        made = list(await asyncio.gather(*(one(*each) for each in enumerate(NAMES))))
        made[0] = await customer.act(made[0]["number"], "escalate", comment="Before all others.")

        async def all_listed() -> bool:
            asked = {"q": mark, "product": products}
            found = [(await agent.cases(**asked, **more))["total"] for more in ({}, {"status": "Escalated"})]
            return found == [len(NAMES), 1]

        await until(all_listed, what="the cases in the list")
        yield Shelf(mark, tuple(made))
        await asyncio.gather(*(clear_away(agent, case["number"]) for case in made))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connect(demo_stack: Stack) -> AsyncIterator[Shelf]:
    types = ["Question", "Incident", "Change"]
    async with filled(demo_stack, CONNECT, ["ERP", "Warehouse", "Portal"], types, ["High", "Low"]) as shelf:
        yield shelf


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def appcentral(demo_stack: Stack) -> AsyncIterator[Shelf]:
    types = ["Question", "Defect", "Enhancement"]
    async with filled(demo_stack, APPCENTRAL, ["Field Service", "Scheduling", "Mobile"], types, ["S1", "S3"]) as shelf:
        yield shelf


def people(cast: Cast) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("who", [cast.customer, cast.agent], ids=["customer", "agent"])


async def exported(window: Window) -> set[str]:
    """The subjects in the file that the list offers."""
    async with window.page.expect_download() as started:
        await window.page.get_by_role("link", name="CSV").click()
    text = (await (await started.value).path()).read_text("utf-8-sig")
    return {row["Subject"] for row in csv.DictReader(text.splitlines())}


async def narrowed(window: Window, shelf: Shelf, chosen: dict[str, str], **wanted: str) -> None:
    """Choose one value after the other; the list follows each time, and its total says how many there are."""
    for name, value in wanted.items():
        await choose(window, name, value)
        chosen = chosen | {name: value}
        found = shelf.subjects(**chosen)
        await expect(total(window)).to_have_text(f"{len(found)} case{'' if len(found) == 1 else 's'}")
        assert set(await subjects(window)) == found


async def paged(window: Window, shelf: Shelf) -> None:
    """25 a page, arrows, and the exact total."""
    await expect(total(window)).to_have_text("27 cases")
    await expect(rows(window)).to_have_count(25)
    first = await subjects(window)
    await window.page.get_by_role("link", name="Next page").click()
    await expect(rows(window)).to_have_count(2)
    assert {*first, *await subjects(window)} == shelf.subjects()
    await window.page.get_by_role("link", name="Previous page").click()
    await expect(rows(window)).to_have_count(25)


@BOTH
@people(CONNECT)
@pytest.mark.rule("C10", "C11")
async def test_connect_is_searched_as_one_types(portal: Portal, connect: Shelf, who: str, size: Size) -> None:
    window = await portal.window(who, "/desks/connect/cases", size=size)
    await words(window).press_sequentially(connect.mark)
    await expect(total(window)).to_have_text("27 cases")
    await words(window).press_sequentially(" z")
    await expect(total(window)).to_have_text("2 cases")
    await words(window).press_sequentially("zz")
    await expect(rows(window)).to_have_count(1)
    assert await query_of(window.page) == {"q": [f"{connect.mark} zzz"]}
    await expect(words(window)).to_be_focused()
    number = connect.cases[-1]["number"]
    for link in ("number", "subject"):
        await rows(window).locator(f".{link}").click()
        await expect(window.page).to_have_url(re.compile(rf"/desks/connect/cases/{number}$"))
        await window.page.go_back()
        await expect(rows(window)).to_have_count(1)


@BOTH
@people(CONNECT)
@pytest.mark.rule("C12", "C14")
async def test_connect_is_filtered_and_exported(portal: Portal, connect: Shelf, who: str, size: Size) -> None:
    window = await portal.window(who, f"/desks/connect/cases?q={connect.mark}", size=size)
    wanted = {"product": "ERP", "type": "Question", "severity": "High", "status": "Unassigned"}
    await narrowed(window, connect, {}, **wanted)
    assert await exported(window) == connect.subjects(**wanted)


@BOTH
@people(CONNECT)
@pytest.mark.rule("C13")
async def test_connect_comes_in_pages(portal: Portal, connect: Shelf, who: str, size: Size) -> None:
    """The total stands at the bottom on the left; an address beyond the last page leads to the last."""
    window = await portal.window(who, f"/desks/connect/cases?q={connect.mark}", size=size)
    await paged(window, connect)
    left, table = [await window.page.locator(each).bounding_box() for each in ("#total", "table.cases")]
    assert left
    assert table
    assert abs(left["x"] - table["x"]) < 5
    assert left["y"] > table["y"] + table["height"]
    await window.go(f"/desks/connect/cases?q={connect.mark}&page=77")
    await expect(rows(window)).to_have_count(2)


@BOTH
@people(APPCENTRAL)
@pytest.mark.rule("A9", "A15", "A16", "A17", "A18")
async def test_appcentral_asks_for_a_product_first(portal: Portal, appcentral: Shelf, who: str, size: Size) -> None:
    window = await portal.window(who, "/desks/appcentral/cases", size=size)
    await expect(window.page.locator("#choice-product summary")).to_contain_text("required")
    await expect(window.page.get_by_role("heading", name="Choose a product first")).to_be_visible()
    await expect(rows(window)).to_have_count(0)
    await window.check_access()
    await window.page.get_by_role("link", name="All of them").click()
    await expect(rows(window).first).to_be_visible()
    await words(window).fill(appcentral.mark)
    await paged(window, appcentral)

    await window.go(f"/desks/appcentral/cases?q={appcentral.mark}&product=Scheduling")
    assert set(await subjects(window)) == appcentral.subjects(product="Scheduling")
    await narrowed(window, appcentral, {"product": "Scheduling"}, type="Question", severity="S3", status="Unassigned")
    wanted = {"product": "Scheduling", "type": "Question", "severity": "S3", "status": "Unassigned"}
    assert await exported(window) == appcentral.subjects(**wanted)

    subject = (await subjects(window))[0]
    number = next(case["number"] for case in appcentral.cases if case["subject"] == subject)
    for gesture in ("double click", "icon"):
        row = window.page.locator(f"#row-{number}")
        if gesture == "icon":
            await row.get_by_role("link", name=re.compile("^Open ")).click()
        else:
            await row.locator(".cell-status").dblclick()
        await expect(window.page).to_have_url(re.compile(rf"/desks/appcentral/cases/{number}$"))
        await window.page.go_back()


@BOTH
@pytest.mark.rule("H1", "H2", "H3", "H4", "H6")
async def test_help_centre_lists_ones_own(portal: Portal, size: Size) -> None:
    """What one submitted or is copied on, no more; agents have all."""
    mark, colleague = word(), "marc@montaigne.example"
    async with (
        staged(portal, HELP_CENTRE, f"{mark} shared") as shared,
        staged(portal, HELP_CENTRE, f"{mark} private"),
        staged(portal, HELP_CENTRE, f"{mark} solved") as solved,
    ):
        await shared.customer.comment(shared.number, "Marc should know.", cc=[colleague])
        await solved.customer.comment(solved.number, "Found it.", solve=True)
        own, copied, agent = [
            await portal.window(who, "/desks/help-centre/cases", size=size)
            for who in (HELP_CENTRE.customer, colleague, HELP_CENTRE.agent)
        ]
        await expect(own.page.get_by_role("heading", level=1)).to_have_text("My cases")
        for window, found in ((own, 3), (copied, 1), (agent, 3)):
            await words(window).fill(mark)
            await expect(rows(window)).to_have_count(found)
        assert await subjects(copied) == [f"{mark} shared"]

        await own.page.locator("#choice-status summary").click()
        labels = own.page.locator("#choice-status label .grow")
        await expect(labels).to_have_text(["Open", "Awaiting your reply", "Solved"])
        await own.page.keyboard.press("Escape")
        await choose(own, "status", "Solved")
        await expect(rows(own)).to_have_count(1)
        await choose(own, "status", "Solved")
        await choose(own, "status", "Open")
        await expect(rows(own)).to_have_count(2)
        await shared.agent.comment(shared.number, "Which edition?", await_reply=True)
        await choose(own, "status", "Open")
        await choose(own, "status", "Awaiting your reply")
        await expect(rows(own)).to_have_count(1)
        await rows(own).locator(".subject").click()
        await expect(status(own.page)).to_have_text("Awaiting your reply")
        await expect(own.page.get_by_role("heading", level=1)).to_have_text(f"{mark} shared")


@BOTH
@people(TEAM)
@pytest.mark.rule("T1", "T2", "T3", "T4", "T12")
async def test_team_portal_lists_all_of_the_account(portal: Portal, who: str, size: Size) -> None:
    """Kari's tickets are there for Per as for Kari, and for the desk's agents."""
    mark = word()
    reader = "per@polar.example" if who == TEAM.customer else who
    async with (
        staged(portal, TEAM, f"{mark} beta", product="Fleet") as first,
        staged(portal, TEAM, f"{mark} alpha", product="Tracking"),
        staged(portal, TEAM, f"{mark} gamma", product="Fleet"),
    ):
        await first.customer.comment(first.number, "The latest word")
        window = await portal.window(reader, "/desks/team-portal/cases", size=size)
        contacts = window.page.get_by_label("Contacts of the desk")
        for label, address in (("Sales", "sales@fjord.example"), ("Billing", "billing@fjord.example")):
            await expect(contacts.get_by_role("link", name=label)).to_have_attribute("href", f"mailto:{address}")

        async def newest_first() -> bool:
            times = await window.page.locator("#rows time").evaluate_all("all => all.map((each) => each.dateTime)")
            return len(times) > 2 and all(newer >= older for newer, older in pairwise(times))

        await until(newest_first, what="what was updated last at the top")

        await words(window).fill(mark)
        await expect(window.page.locator("#rows .subject")).to_have_text(
            [f"{mark} {name}" for name in ("beta", "gamma", "alpha")]
        )
        await window.page.get_by_label("Sort by").select_option("subject")
        await expect(window.page.locator("#rows .subject")).to_have_text(
            [f"{mark} {name}" for name in ("alpha", "beta", "gamma")]
        )
        await choose(window, "product", "Fleet")
        await expect(rows(window)).to_have_count(2)
        assert await query_of(window.page) == {"q": [mark], "sort": ["subject"], "product": ["Fleet"]}
