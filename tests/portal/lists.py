"""The list of cases as tests drive it."""

from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Locator, Page

from tests.portal.browsing import Window


def rows(window: Window) -> Locator:
    return window.page.locator("#rows > tr")


def total(window: Window) -> Locator:
    return window.page.locator("#total")


def words(window: Window) -> Locator:
    """Where one types what to search for."""
    return window.page.get_by_role("searchbox", name="Search")


async def query_of(page: Page) -> dict[str, list[str]]:
    """What the page's address asks for."""
    return parse_qs(urlsplit(page.url).query)


async def subjects(window: Window) -> list[str]:
    return [text.strip() for text in await window.page.locator("#rows .subject").all_inner_texts()]


async def choose(window: Window, box: str, option: str) -> None:
    """Choose a value of a filter, as people do: open it, tick it, close it."""
    menu = window.page.locator(f"#choice-{box}")
    await menu.locator("summary").click()
    await menu.get_by_label(re.compile(f"^{re.escape(option)}")).click()
    await window.settled()
    await window.page.keyboard.press("Escape")


def word() -> str:
    """A word that occurs nowhere else."""
    return f"word{uuid.uuid4().hex[:10]}"
