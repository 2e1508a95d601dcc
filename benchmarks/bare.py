"""The bare engine: an update, a local activity, one statement in Postgres; as a program, the worker of that.

What Temporal costs by itself, with the servers that the product uses: the least that a durable command can cost here.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from shared.processes import set_by_signal
from shared.settings import Settings, load_settings

QUEUE = "bare"


@workflow.defn
class Bare:
    """A case's life without rules: commands are noted until it is ended from outside."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def note(self, text: str) -> int:
        return await _noted(text)


@workflow.defn
class BareOpening:
    """What opening costs: a start, and one thing noted."""

    @workflow.run
    async def run(self, text: str) -> int:
        return await _noted(text)


async def _noted(text: str) -> int:
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


async def work(settings: Settings, client: Client, queue: str) -> None:
    """Work for a running stack's servers until told to stop; says ``ready`` on its output first."""
    stop = set_by_signal()
    pool = await asyncpg.create_pool(settings.database_url, min_size=10, max_size=10)
    await pool.execute("CREATE TABLE IF NOT EXISTS bare_note (id bigserial PRIMARY KEY, text text)")
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Bare, BareOpening],
        activities=[Notes(pool).insert_note],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        print("ready", flush=True)
        await stop.wait()
    await pool.close()


async def _main(data_dir: Path) -> None:
    settings = load_settings(data_dir)
    await work(settings, await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace), QUEUE)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
