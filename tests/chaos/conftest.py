"""Stacks that faults are put upon: one for each file, so that one scenario's harm does not reach another file's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.conftest import Say
from tests.desks import StackDesk, make_desk
from tests.stack import RunningStack, stack_directory, start_stack


@asynccontextmanager
async def a_stack(**settings: str) -> AsyncIterator[RunningStack]:
    """A whole product; settings are of its environment."""
    with stack_directory() as directory, pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(f"CASEBOUND_{name.upper()}", value)
        running = await asyncio.to_thread(start_stack, directory)
        try:
            yield running
        finally:
            await asyncio.to_thread(running.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack() -> AsyncIterator[RunningStack]:
    async with a_stack() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def desk(stack: RunningStack) -> StackDesk:
    return await make_desk(stack)


@pytest.fixture(autouse=True)
def scenario_time(request: pytest.FixtureRequest, say: Say) -> Iterator[None]:
    """Print how long each scenario took."""
    start = time.monotonic()
    yield
    say(f"{request.node.name}: {time.monotonic() - start:.0f} s")
