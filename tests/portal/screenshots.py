"""``make screenshots``: pictures of the ten main screens, light and dark, from the demo desks, in ``docs/screenshots``.

As somebody in London reads them, in British English; pictures of screens that look the same stay as they are.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright

from tests.portal.browsing import FLAGS, Portal, Size, chromium, demo_stack
from tests.stack import Stack

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screenshots"
BYTES_MAX: Final = 3_000_000
BOB, ADA, GRACE, ROOT = "bob@acme.example", "ada@lumen.example", "grace@lumen.example", "root@lumen.example"
DESK: Final = "/desks/standard"
Step = Callable[[Page], Awaitable[None]]


async def _first_case(page: Page) -> None:
    await page.goto(f"{page.url.partition('/desks')[0]}{await _case(page)}?tab=activity")


async def _details(page: Page) -> None:
    await page.goto(f"{page.url.partition('/desks')[0]}{await _case(page)}?tab=details")


async def _case(page: Page) -> str:
    """The case of the list with most to read: the first that somebody has answered."""
    link = page.locator("main a[href*='/cases/']:not([href$='/new']):not([href*='/lists'])").first
    return str(await link.get_attribute("href")).partition("?")[0]


async def _type(page: Page) -> None:
    await page.locator("#field-subject").fill("Export of invoices ends with an error")


async def _palette(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.locator("dialog[open]").wait_for()


@dataclass(frozen=True)
class Screen:
    """One picture, taken twice.

    Args:
        name: of the files.
        who: looks at it; None: nobody who is logged in.
        path: of the page.
        then: what is done there first.
        size: of the window.
    """

    name: str
    who: str | None
    path: str
    then: Step | None = None
    size: Size = "wide"


SCREENS: Final = (
    Screen("log-in", None, "/login"),
    Screen("cases", ADA, f"{DESK}/cases"),
    Screen("case", BOB, f"{DESK}/cases?status=Open", _details),
    Screen("conversation", ADA, f"{DESK}/cases?status=Open", _first_case),
    Screen("conversation-phone", BOB, f"{DESK}/cases?status=Open", _first_case, "narrow"),
    Screen("new-case", BOB, f"{DESK}/cases/new", _type),
    Screen("queue", ADA, f"{DESK}/queues/unassigned"),
    Screen("palette", ADA, f"{DESK}/cases", _palette),
    Screen("overview", GRACE, f"{DESK}/overview"),
    Screen("administration", ROOT, f"{DESK}/admin"),
)


async def take(stack: Stack) -> None:
    """Take all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, "--hide-scrollbars"])
        portal = Portal(stack, browser)
        for screen in SCREENS:
            window = await portal.window(screen.who, screen.path, size=screen.size)
            if screen.then:
                await screen.then(window.page)
            await window.settled()
            for colours in ("light", "dark"):
                await window.page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
                await window.page.screenshot(path=FOLDER / f"{screen.name}-{colours}.png", animations="disabled")
            await window.page.context.close()
        await portal.close()
        await browser.close()


def main() -> None:
    """Take the pictures, and refuse to have made them larger than a repository should hold."""
    if chromium() is None:
        sys.exit("no browser: on Debian, apt-get install chromium")
    with demo_stack() as stack:
        asyncio.run(take(stack))
    size = sum(picture.stat().st_size for picture in FOLDER.glob("*.png"))
    if size > BYTES_MAX:
        sys.exit(f"{FOLDER} holds {size} bytes; {BYTES_MAX} at most are sensible")


if __name__ == "__main__":
    main()
