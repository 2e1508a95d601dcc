"""The migrations and the models: two descriptions of one schema."""

from __future__ import annotations

import asyncio

from alembic import command

from shared.db.migrate import alembic_config
from shared.settings import Settings


async def test_migrations_lead_to_what_the_models_say(postgres: Settings) -> None:
    """Alembic finds nothing to migrate; it raises and names what differs."""
    await asyncio.to_thread(command.check, alembic_config(postgres.database_url))
