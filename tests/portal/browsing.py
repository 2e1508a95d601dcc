"""Windows of a browser on the portal, and what is demanded of every page."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from playwright.async_api import Browser, BrowserContext, Page

from services.api.auth import COOKIE
from services.local.demo import DEMO_PASSWORD
from tests.stack import Stack, stack_directory, start_stack

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE: Final = Path(sys.prefix) / "front-end" / "node_modules" / "axe-core" / "axe.min.js"
"""Put there by set-up; see ``services/api/portal/front_end.py``."""
EVERY_RULE: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RULES_OF_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""All that a page in other colours can break, its markup being the same."""
SIZES: Final = {"wide": (1280, 900), "narrow": (390, 844)}
Size = Literal["wide", "narrow"]
Colours = Literal["light", "dark"]


def chromium() -> str | None:
    """The browser, if the machine has one."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@contextmanager
def demo_stack() -> Iterator[Stack]:
    """The product with the six demo desks and their cases.

    While one writes tests: PORTAL_STACK=DIR uses the stack that runs there, and leaves it running.
    """
    if running_there := os.environ.get("PORTAL_STACK"):
        yield Stack(Path(running_there))
        return
    with stack_directory() as directory:
        running = start_stack(directory, demo=True)
        try:
            yield running
        finally:
            running.stop()


@dataclass
class Window:
    """One person's window.

    Args:
        page: playwright's.
        base: address of the stack.
        errors: what went wrong on its pages without being asked for: scripts that failed, things that the policy
            for contents (CSP) forbade, answers of 5xx.
    """

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    was_offline: bool = False

    async def go(self, path: str) -> None:
        """Open a page of the portal and wait until its scripts have run."""
        await self.page.goto(self.base + path)
        await self.settled()

    @asynccontextmanager
    async def offline(self) -> AsyncIterator[None]:
        """Without a line for a while; that requests get no answer then is no error."""
        self.was_offline = True
        await self.page.context.set_offline(True)
        yield
        await self.page.context.set_offline(False)

    async def settled(self) -> None:
        """Wait until nothing more is asked of the server, but for the live stream."""
        await self.page.wait_for_load_state("load")
        await self.page.locator(".htmx-request").first.wait_for(state="detached")

    async def enter(self, token: str) -> None:
        """Be logged in by a session's token."""
        address = self.base.replace("http:", "https:")
        await self.page.context.add_cookies([{"name": COOKIE, "value": token, "url": address}])

    async def log_in(self, email: str) -> None:
        """Log in as one of the demo's people, as they do."""
        await self.go("/login")
        await self.page.get_by_label("Mail address").fill(email)
        await self.page.get_by_label("Password").fill(DEMO_PASSWORD)
        await self.page.get_by_role("button", name="Log in", exact=True).click()
        await self.page.wait_for_url(lambda url: "/login" not in url)

    async def check_access(self, rules: Sequence[str] = EVERY_RULE) -> None:
        """Have axe-core look at the page as it is, and fail for what it finds; nothing may be wider than the window.

        Args:
            rules: tags or names of axe-core's rules, all of one kind.
        """
        if not await self.page.evaluate("window.axe !== undefined"):
            await self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = await self.page.evaluate(
            "async rules => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations", rules
        )
        broken = [
            f"{rule['id']}: {node['html'][:200]}\n   {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]
        assert not broken, f"{self.page.url}\n" + "\n".join(broken)
        too_wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{self.page.url} is {too_wide} pixels wider than the window"


class Portal:
    """Opens windows on the portal, each with cookies of its own."""

    def __init__(self, stack: Stack, browser: Browser) -> None:
        self.stack = stack
        self.base = stack.api
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.windows: list[Window] = []

    async def window(
        self,
        email: str | None = None,
        path: str = "/",
        *,
        size: Size = "wide",
        colours: Colours = "light",
        script: bool = True,
        zone: str = "Europe/London",
        locale: str = "en-GB",
        bypass_csp: bool = False,
    ) -> Window:
        """Open a window.

        Args:
            email: who is logged in there; None: nobody.
            path: of the page to go to.
            size: 1280 or 390 pixels wide.
            colours: that the system prefers.
            script: whether pages' scripts run.
            zone: of the person.
            locale: of the person.
            bypass_csp: whether pages' own policy for contents is left out, to see what would happen without.
        """
        width, height = SIZES[size]
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colours,
            java_script_enabled=script,
            timezone_id=zone,
            locale=locale,
            reduced_motion="reduce",
            bypass_csp=bypass_csp,
        )
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        window = Window(await context.new_page(), self.base)
        self.windows.append(window)
        _watch(window)
        if email:
            await self._begin_session(window, email)
        if email or path != "/":
            await window.go(path)
        return window

    async def _begin_session(self, window: Window, email: str) -> None:
        """Log somebody in without the pages on the way, which tests of the log-in look at."""
        async with httpx.AsyncClient(base_url=self.base, trust_env=False) as http:
            answer = await http.post("/api/v1/session", json={"email": email, "password": DEMO_PASSWORD})
        assert answer.status_code == 200, answer.text
        await window.enter(answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2])

    async def close(self) -> None:
        """Close all windows; fail for what went wrong in them."""
        for context in self._contexts:
            await context.close()
        errors = [error for window in self.windows for error in window.errors]
        assert not errors, "\n".join(errors)


def _watch(window: Window) -> None:
    page = window.page
    page.on("pageerror", lambda error: window.errors.append(f"{page.url}: {error}"))
    page.on("console", lambda message: _on_console(window, message.type, message.text))
    page.on(
        "response",
        lambda answer: window.errors.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
    )


def _on_console(window: Window, kind: str, text: str) -> None:
    # Answers of 4xx are what tests ask for; the browser and htmx report them as errors of their own. What a newer
    # request makes needless is called off, and reported by htmx as well.
    usual = ("Failed to load resource", "Response Status Error Code 4", "htmx:afterRequest", "htmx:sendAbort")
    cut_off = window.was_offline and text.startswith("htmx:sendError")
    if kind == "error" and not cut_off and not text.startswith(usual):
        window.errors.append(f"{window.page.url}: console: {json.dumps(text)}")
