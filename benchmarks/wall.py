"""What row level security costs: the same requests with it and without, in turn (docs/decisions/0005)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from services.local.data_dir import DataDir
from services.local.up import running_servers
from shared.db.engine import Database
from shared.db.viewed import Eyes, SeeingConnection, SeeingSession, ViewedDatabase
from tests.api_world import serving, working
from tests.conftest import Quiet
from tests.stack import stack_directory

ROUNDS, EACH = 15, 60
CALLERS, READS = 8, 40

Ask = Callable[[], Awaitable[httpx.Response]]


class WithoutWall(ViewedDatabase):
    """Reads without transactions, with the services' rights."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plain = Database(url)

    @asynccontextmanager
    async def read_as(self, eyes: Eyes) -> AsyncIterator[SeeingSession]:  # noqa: ARG002
        async with self.plain.read() as session:
            yield SeeingSession(session)

    @asynccontextmanager
    async def reading_as(self, eyes: Eyes) -> AsyncIterator[SeeingConnection]:  # noqa: ARG002
        async with self.plain.reading() as connection:
            yield SeeingConnection(connection)

    @asynccontextmanager
    async def write_as(self, eyes: Eyes) -> AsyncIterator[SeeingSession]:  # noqa: ARG002
        async with self.plain.write() as session:
            yield SeeingSession(session)

    async def close(self) -> None:
        await self.plain.close()
        await super().close()


async def _milliseconds(ask: Ask) -> float:
    taken = []
    for _ in range(EACH):
        start = time.perf_counter()
        (await ask()).raise_for_status()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


async def _rate(ask: Ask) -> float:
    async def caller() -> None:
        for _ in range(READS):
            (await ask()).raise_for_status()

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return CALLERS * READS / (time.perf_counter() - start)


async def measure() -> dict[str, tuple[float, float]]:
    """Medians without and with the wall."""
    found: defaultdict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    with stack_directory() as directory:
        async with (
            running_servers(DataDir(directory), Quiet()) as settings,
            working(settings),
            serving(settings) as world,
        ):
            bob = (await world.desk()).bob
            number = (await bob.opened())["number"]
            asked: dict[str, Ask] = {
                "case, ms": lambda: bob.get(f"/cases/{number}"),
                "50 events, ms": lambda: bob.get(f"/cases/{number}/events", limit=50),
                "comment, ms": lambda: bob.post(f"/cases/{number}/comments", {"body": "hello"}),
            }
            walled = world.app.state.context
            without = WithoutWall(settings.database_url)
            contexts = (replace(walled, database=without), walled)
            for _ in range(ROUNDS):
                for name, ask in asked.items():
                    for context, figures in zip(contexts, found[name], strict=True):
                        world.app.state.context = context
                        figures.append(await _milliseconds(ask))
                for context, figures in zip(contexts, found["cases/s, 8 callers"], strict=True):
                    world.app.state.context = context
                    figures.append(await _rate(asked["case, ms"]))
            await without.close()
    return {name: (statistics.median(two[0]), statistics.median(two[1])) for name, two in found.items()}


if __name__ == "__main__":
    for measured, (without_wall, with_wall) in asyncio.run(measure()).items():
        change = with_wall / without_wall - 1
        print(f"{measured:<20} without {without_wall:8.2f}  with {with_wall:8.2f}  {change:+.1%}")
