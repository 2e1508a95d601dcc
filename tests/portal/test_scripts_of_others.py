"""Five hundred texts that want to be scripts, stored in every text field: none runs, on any page, in a real browser.

Twice: with the pages' policy left out, so that their escaping has to hold alone; and with it, so that a violation would
be reported. What no event has set off yet is found among the elements and attributes of the page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.portal.browsing import Portal, Window
from tests.portal.payloads import PAYLOADS
from tests.portal.routes import PAGE_ROUTES
from tests.portal.security_desk import SecurityDesk, case_page, hostile_desk
from tests.stack import Stack

WATCH = Path(__file__).with_name("foreign.js")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(demo_stack: Stack) -> AsyncIterator[SecurityDesk]:
    async with hostile_desk(demo_stack) as desk:
        yield desk


def test_there_are_five_hundred() -> None:
    assert len(PAYLOADS) >= 500


async def watched(portal: Portal, made: SecurityDesk, role: str, *, bypass_csp: bool) -> Window:
    window = await portal.window(bypass_csp=bypass_csp)
    await window.page.add_init_script(path=WATCH)
    await made.enter(window, role)
    return window


def every_page(made: SecurityDesk, role: str) -> list[str]:
    """All pages there are, and of the desk's lists and cases every one."""
    shown = [made.address(route, role) for route in PAGE_ROUTES if route.method == "GET" and "/login" not in route.path]
    base = f"/desks/{made.desk.slug}"
    lists = [f"{base}/cases?page={page}" for page in range(1, len(made.numbers) // 25 + 2)]
    tabs = [case_page(made, made.number, tab) for tab in ("details", "attachments", "activity")]
    return [*shown, *lists, *tabs]


@pytest.mark.parametrize("bypass_csp", [True, False], ids=["without the policy", "with the policy"])
@pytest.mark.parametrize("role", ["boss", "reporter"])
async def test_no_text_becomes_a_script(portal: Portal, made: SecurityDesk, role: str, bypass_csp: bool) -> None:
    window = await watched(portal, made, role, bypass_csp=bypass_csp)
    for path in every_page(made, role):
        await window.go(path)
        assert await window.page.evaluate("window.ran") == [], path
        assert await window.page.evaluate("inspect(document)") == [], path


@pytest.mark.parametrize("role", ["boss", "reporter"])
async def test_no_case_holds_more_than_text(portal: Portal, made: SecurityDesk, role: str) -> None:
    """Every case and tab, read by the browser without being shown."""
    window = await watched(portal, made, role, bypass_csp=True)
    await window.go("/desks")
    paths = [case_page(made, number, tab) for number in made.numbers for tab in ("details", "activity")]
    assert await window.page.evaluate("paths => inspectAll(paths)", paths) == {}


async def test_no_question_comes_back_as_a_script(portal: Portal, made: SecurityDesk) -> None:
    """What stands in the address is shown in fields and messages."""
    window = await watched(portal, made, "boss", bypass_csp=True)
    await window.go("/desks")
    names = ("q", "product", "status", "sort", "page", "tab", "next", "subject", "account", "follow_up_of")
    pages = [
        made.address(route, "boss") for route in PAGE_ROUTES if route.method == "GET" and "/login" not in route.path
    ]
    asked = [
        f"{page}?{'&'.join(f'{name}={quote(payload)}' for name in names)}"
        for page in pages
        for payload in PAYLOADS[:: len(pages)]
    ]
    asked += [f"/login?next={quote(payload)}" for payload in PAYLOADS[::10]]
    assert await window.page.evaluate("paths => inspectAll(paths)", asked) == {}
    assert await window.page.evaluate("window.ran") == []
