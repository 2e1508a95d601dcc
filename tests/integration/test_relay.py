"""The relay: what it reads, and when it is woken."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from services.workflows.relay import (
    BATCH,
    COMMITTED_CHANNEL,
    GATHER_SECONDS,
    GATHER_SECONDS_AT_MOST,
    REPUBLISH,
    REPUBLISHED_AFTER_LOSS,
    UNPUBLISHED,
    Waker,
)
from shared.db.roles import Role
from shared.settings import Settings
from tests.waiting import until


@pytest.mark.parametrize(
    ("statement", "value", "index"),
    [
        (UNPUBLISHED, BATCH, "ix_case_event_unpublished"),
        (REPUBLISH, REPUBLISHED_AFTER_LOSS, "ix_case_event_published"),
    ],
)
async def test_it_reads_no_event_that_it_does_not_want(
    postgres: Settings, statement: str, value: object, index: str
) -> None:
    """Of five million events on disk it read each when the stream was empty, for longer than it waits: for ever."""
    connection = await asyncpg.connect(postgres.database_url, server_settings=Role.SERVICE.settings)
    try:
        await connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}", value))
    finally:
        await connection.close()
    assert index in plan, plan


async def test_commits_of_a_moment_wake_it_once(postgres: Settings) -> None:
    """The more there were, the longer the next are gathered; a single one later is told of all the same."""
    loop = asyncio.get_running_loop()
    woken: list[float] = []
    connection = await asyncpg.connect(postgres.database_url)
    await connection.add_listener(COMMITTED_CHANNEL, lambda *_: woken.append(loop.time()))
    waker = Waker(postgres.database_url)
    running = asyncio.create_task(waker.run())
    try:
        for commits, at_least in ((10, GATHER_SECONDS), (1, GATHER_SECONDS_AT_MOST), (1, GATHER_SECONDS)):
            known, start = len(woken), loop.time()
            for _ in range(commits):
                waker()
            await until(lambda: len(woken) > known, 5, "the relay to be woken")  # noqa: B023 - called in this round
            assert woken[-1] - start >= at_least
        assert len(woken) == 3
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
