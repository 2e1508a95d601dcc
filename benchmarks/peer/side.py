"""What both sides can do, and how often in a second."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.client import LeanConnection
from tests.stack import wait_for

CALLERS = 16
_START_SECONDS, _STOP_SECONDS = 30, 10

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


@contextmanager
def serving(command: Sequence[str], port: int, variables: Mapping[str, str], log: Path) -> Iterator[str]:
    """A server's process as long as the block runs; yields its address.

    Args:
        command: that starts it.
        port: on which it listens once it has started.
        variables: its environment.
        log: where its output is added.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, process_group=0)
    try:
        wait_for(lambda: _listens(port), _START_SECONDS, f"a server that logs in {log}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:  # it works on what nobody waits for any more
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
