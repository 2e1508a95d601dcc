"""Killing and pausing the parts of a running stack."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import psutil

from tests.stack import RunningStack
from tests.waiting import until

RECOVERY_SECONDS = 60.0


async def kill(stack: RunningStack, part: str) -> float:
    """kill -9, wait until the supervisor has it running again; returns the seconds that took."""
    old = stack.pid(part)
    os.kill(old, signal.SIGKILL)
    return await replaced(stack, part, old)


async def replaced(stack: RunningStack, part: str, old: int) -> float:
    """Wait until another process has taken the place of a dead one, and the API can take commands."""

    async def back() -> bool:
        return stack.addresses["pids"].get(part, old) != old and await is_ready(stack)

    start = time.monotonic()
    await until(back, RECOVERY_SECONDS, f"{part} to be running again")
    return time.monotonic() - start


async def is_ready(stack: RunningStack) -> bool:
    """Whether the API says that it can take commands, with nothing missing."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        try:
            answer = await http.get(f"{stack.api}/readyz")
        except httpx.TransportError:
            return False
    return answer.status_code == 200 and answer.json()["status"] == "ready"


@asynccontextmanager
async def paused(stack: RunningStack, part: str) -> AsyncIterator[float]:
    """Stop a part and its children in their tracks while the block runs; yields the moment."""
    root = psutil.Process(stack.pid(part))
    stopped = [root, *root.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield time.monotonic()
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@asynccontextmanager
async def absent(stack: RunningStack, part: str, port: int) -> AsyncIterator[float]:
    """Kill a server and hang up on its callers while the block runs; yields the moment.

    Its port is taken, so that the supervisor's new processes can't start.
    """
    old = stack.pid(part)
    os.kill(old, signal.SIGKILL)
    start = time.monotonic()
    server = await _take(port)
    try:
        yield start
    finally:
        server.close()
        await server.wait_closed()
    await replaced(stack, part, old)


async def _take(port: int) -> asyncio.Server:
    while True:
        with suppress(OSError):
            return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        await asyncio.sleep(0.002)
