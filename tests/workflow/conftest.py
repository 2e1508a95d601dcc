from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.settings import Settings
from tests.world import World, open_world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[World]:
    async with open_world(servers) as opened:
        yield opened
