"""Bringing the database schema up to date."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from shared.db.engine import driver_url
from shared.settings import Settings


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration for our migrations, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = driver_url(database_url)
    return config


def upgrade(settings: Settings) -> None:
    """Migrate the database to the newest schema. Repeatable; several at once wait for each other."""
    command.upgrade(alembic_config(settings.database_url), "head")
