"""The portal in a browser: Debian's chromium, driven by playwright, on the whole product with its demo desks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.portal.browsing import CHROMIUM, FLAGS, Portal, chromium, demo_stack
from tests.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser the tests of pages are skipped, with the reason."""
    if chromium() is None:
        missing = pytest.mark.skip(reason=f"no browser: {' or '.join(CHROMIUM)}; on Debian, apt-get install chromium")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(missing)


@pytest.fixture(scope="session", name="demo_stack")
def _demo_stack() -> Iterator[Stack]:
    """Once for each worker of pytest-xdist."""
    with demo_stack() as stack:
        yield stack


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
