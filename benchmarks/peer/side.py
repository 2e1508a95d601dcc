"""What both sides can do, and how often in a second."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from tests.client import LeanConnection

CALLERS = 16

Ask = Callable[[int, int], Awaitable[bytes]]
"""Carry out a request as a caller: its number, and the caller's. Returns the answer's content."""


class Side(Protocol):
    """One of the two systems, filled. Arguments are those of `Ask`."""

    async def create(self, number: int, caller: int) -> bytes:
        """Open a case as staff for a customer, who gets a mail."""

    async def comment(self, number: int, caller: int) -> bytes:
        """On one of a few cases, as staff; the customer gets a mail."""

    async def listed(self, number: int, caller: int) -> bytes:
        """25 cases of a status and a severity, newest first, and how many there are."""

    async def search(self, number: int, caller: int) -> bytes:
        """The first 25 cases with a word, and how many there are."""

    async def case(self, number: int, caller: int) -> bytes:
        """One case, as JSON."""

    async def page(self, number: int, caller: int) -> bytes:
        """One case as people see it."""

    async def rest(self) -> None:
        """Wait until all is done that follows from commands."""


async def rate(ask: Ask, seconds: float) -> float:
    """Answers a second to CALLERS at once, each of whom asks again and again until that time is over."""
    numbers = itertools.count()
    answered = 0

    async def caller(which: int) -> None:
        nonlocal answered
        while time.perf_counter() < start + seconds:
            await ask(next(numbers), which)
            answered += 1

    start = time.perf_counter()
    await asyncio.gather(*(caller(which) for which in range(CALLERS)))
    return answered / (time.perf_counter() - start)


def right(status: int, content: bytes) -> bytes:
    """The content of an answer that is as it should be."""
    if status not in {200, 201}:
        raise RuntimeError(f"{status} {content[:500].decode(errors='replace')}")
    return content


@asynccontextmanager
async def lines(
    urls: Sequence[str], token: str, header: str = "Authorization: Bearer "
) -> AsyncIterator[list[LeanConnection]]:
    """A connection for each caller, to these servers in turn; arguments as of `LeanConnection.to`."""
    servers = itertools.islice(itertools.cycle(urls), CALLERS)
    made = [await LeanConnection.to(url, token, header=header) for url in servers]
    yield made
    for line in made:
        await line.close()


def listens(port: int) -> bool:
    """Whether a server takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
