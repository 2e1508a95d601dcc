"""Durable commands next to the bare engine: the same servers, the same callers, in turn.

Bare is what Temporal costs by itself: an update whose handler runs a local activity with one Postgres statement.
Ours is a comment through the door: decided, recorded with its read model in one transaction, answered. Without HTTP,
relay, search and notifier.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from services.local.data_dir import DataDir
from services.local.up import running_servers
from shared.domain import commands as c
from shared.domain.profiles import STANDARD
from tests.conftest import Quiet
from tests.stack import stack_directory
from tests.world import BOB, CaseInTest, World, command_id, open_world

QUEUE = "bare"
CALLERS, CASES, ROUNDS, PER_ROUND, ALONE = 16, 40, 5, 160, 40

Command = Callable[[int], Awaitable[None]]


@workflow.defn
class Bare:
    """An update, a local activity, nothing else."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def note(self, text: str) -> int:
        number: int = await workflow.execute_local_activity(
            "insert_note", text, start_to_close_timeout=timedelta(seconds=10)
        )
        return number


class Notes:
    """One statement on a table of its own."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @activity.defn
    async def insert_note(self, text: str) -> int:
        number: int = await self._pool.fetchval("INSERT INTO bare_note (text) VALUES ($1) RETURNING id", text)
        return number


@asynccontextmanager
async def _bare(world: World) -> AsyncIterator[Command]:
    pool = await asyncpg.create_pool(world.settings.database_url, min_size=10, max_size=10)
    await pool.execute("CREATE TABLE IF NOT EXISTS bare_note (id bigserial PRIMARY KEY, text text)")
    worker = Worker(
        world.client,
        task_queue=QUEUE,
        workflows=[Bare],
        activities=[Notes(pool).insert_note],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        handles = [
            await world.client.start_workflow(Bare.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)
            for _ in range(CASES)
        ]

        async def command(number: int) -> None:
            await handles[number % CASES].execute_update(Bare.note, "hello")

        yield command
        for handle in handles:
            await handle.terminate()
    await pool.close()


async def _ours(world: World) -> Command:
    cases: list[CaseInTest] = [await world.open(STANDARD) for _ in range(CASES)]

    async def command(number: int) -> None:
        comment = c.Comment(command_id=command_id(), actor=BOB, body="hello")
        outcome = await cases[number % CASES].do(comment)
        if not outcome.accepted:
            raise RuntimeError(outcome.detail)

    return command


async def _rate(command: Command) -> float:
    """Commands a second, by CALLERS at once."""
    numbers = iter(range(PER_ROUND))

    async def caller() -> None:
        for number in numbers:
            await command(number)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return PER_ROUND / (time.perf_counter() - start)


async def _latency(command: Command) -> float:
    """Median milliseconds, one caller."""
    taken = []
    for number in range(ALONE):
        start = time.perf_counter()
        await command(number)
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


async def measure() -> dict[str, float]:
    """Rates and latencies of both, the median of paired rounds, and their ratios."""
    with stack_directory() as directory:
        async with (
            running_servers(DataDir(directory), Quiet()) as settings,
            open_world(settings, runner=UnsandboxedWorkflowRunner()) as world,
            _bare(world) as bare,
        ):
            ours = await _ours(world)
            await _rate(bare)
            await _rate(ours)
            pairs = [(await _rate(bare), await _rate(ours)) for _ in range(ROUNDS)]
            alone = [(await _latency(bare), await _latency(ours)) for _ in range(3)]
    return {
        "bare commands/s, 16 callers": statistics.median(one for one, _ in pairs),
        "comments/s, 16 callers": statistics.median(two for _, two in pairs),
        "ratio of rates": statistics.median(two / one for one, two in pairs),
        "bare p50 ms, 1 caller": statistics.median(one for one, _ in alone),
        "comment p50 ms, 1 caller": statistics.median(two for _, two in alone),
        "ratio of p50": statistics.median(two / one for one, two in alone),
    }
