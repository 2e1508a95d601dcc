"""What most tests of the API begin with; a file that needs something else says so itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.settings import Settings
from tests.api_world import ApiDesk, ApiWorld, whole


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    """The API, the worker and a search node."""
    async with whole(servers) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(world: ApiWorld) -> ApiDesk:
    """A desk of the file's own."""
    return await world.desk()
