"""A Postgres for applying desk files to, and what it holds afterwards."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from shared.db.engine import Database
from shared.db.models import (
    Account,
    AccountMember,
    Base,
    Case,
    Desk,
    DeskCounter,
    DeskPolicy,
    Person,
    ServiceAccount,
    Staff,
    Webhook,
)
from shared.desks import apply, parse_desk_file
from shared.settings import Settings

TABLES: tuple[type[Base], ...] = (
    Desk,
    DeskCounter,
    DeskPolicy,
    Person,
    Staff,
    Account,
    AccountMember,
    ServiceAccount,
    Webhook,
)


@pytest.fixture(scope="module")
def settings(postgres: Settings) -> Settings:
    """Where the demo desks may be made."""
    return postgres.model_copy(update={"development": True})


@pytest_asyncio.fixture(loop_scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
def slug() -> str:
    return f"desk-{uuid.uuid4().hex[:12]}"


def key_of(slug: str) -> str:
    return "K" + slug[-9:].upper()


def desk_text(slug: str) -> str:
    return f"""\
desk: {slug}
name: Connect Support
key: {key_of(slug)}
profile: standard
calendar: {{timezone: Europe/London, holidays: [2026-12-24]}}
products: [ERP, Analytics]
staff:
  - {{email: ada@{slug}.example, name: Ada Vendor, role: agent}}
  - {{email: lea@{slug}.example, name: Lea Vendor, role: lead}}
accounts:
  - key: acme
    name: Acme Ltd
    environments: [Production, Test]
    members:
      - {{email: Bob@{slug}.example, name: Bob Acme, role: member, phone: "+44 20 7946 0000"}}
      - {{email: cy@{slug}.example, name: Cy Acme, role: admin}}
  - key: globex
    name: Globex GmbH
    members:
      - {{email: bob@{slug}.example, name: Bob Acme, role: admin}}
services:
  - {{name: monitoring, scopes: [case.open, case.comment]}}
webhooks:
  - {{url: "https://hooks.example/cases", events: ["case.*"], secret: "whsec_dGhlIGZpcnN0IHNlY3JldCBvZiBhIHdlYmhvb2s="}}
"""


async def run(database: Database, content: str, *, dry_run: bool = False) -> list[str]:
    return await apply(database, parse_desk_file("desk.yaml", content.encode()), dry_run)


async def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that a desk file touches."""
    async with database.read() as session:
        return {
            table.__tablename__: sorted(
                (tuple(row) for row in await session.execute(select(*table.__table__.columns))), key=repr
            )
            for table in TABLES
        }


async def the_desk(database: Database, slug: str) -> Desk:
    async with database.read() as session:
        return (await session.scalars(select(Desk).where(Desk.slug == slug))).one()


async def add_case(database: Database, desk: Desk, account: str, *, number: int = 1, status: str = "new") -> None:
    now = datetime.now(UTC)
    case = Case(
        id=uuid.uuid4(),
        desk_id=desk.id,
        number=number,
        policy=desk.policy,
        policy_version=1,
        state={},
        description="",
        seq=1,
        status=status,
        subject="Printer",
        product="Analytics",
        severity="Low",
        account=account,
        reporter="bob@acme.example",
        cc=[],
        created_at=now,
        updated_at=now,
    )
    async with database.write() as session:
        session.add(case)
