"""The portal in a browser: Debian's chromium, driven by playwright, on the whole product with its demo desks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.portal.browsing import CHROMIUM, FLAGS, Portal, chromium
from tests.stack import Stack, stack_directory, start_stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser the tests of pages are skipped, with the reason."""
    if chromium() is None:
        missing = pytest.mark.skip(reason=f"no browser: {' or '.join(CHROMIUM)}; on Debian, apt-get install chromium")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def demo_stack() -> Iterator[Stack]:
    """The product with the six demo desks and their cases, once for each worker of pytest-xdist.

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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def portal(demo_stack: Stack, browser: Browser) -> AsyncIterator[Portal]:
    """Windows on the portal; a test fails if one of them met an error that it did not expect."""
    opened = Portal(demo_stack, browser)
    yield opened
    await opened.close()
