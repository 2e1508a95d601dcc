"""The migrations and the models: two descriptions of one schema."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic import command

from services.workflows.relay import BATCH, REPUBLISH, REPUBLISHED_AFTER_LOSS, UNPUBLISHED
from shared.db.migrate import alembic_config
from shared.db.roles import Role
from shared.settings import Settings


async def test_migrations_lead_to_what_the_models_say(postgres: Settings) -> None:
    """Alembic finds nothing to migrate; it raises and names what differs."""
    await asyncio.to_thread(command.check, alembic_config(postgres.database_url))


@pytest.mark.parametrize(
    ("statement", "value", "index"),
    [
        (UNPUBLISHED, BATCH, "ix_case_event_unpublished"),
        (REPUBLISH, REPUBLISHED_AFTER_LOSS, "ix_case_event_published"),
    ],
)
async def test_the_relay_reads_no_event_that_it_does_not_want(
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
