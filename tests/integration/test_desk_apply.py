"""Applying desk files to a real Postgres."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlalchemy import func, select

from services.local.data_dir import DataDir
from services.local.demo import DEMO_PASSWORD, apply_demo_desks
from services.local.ports import choose_ports
from services.local.postgres import Postgres
from services.local.supervisor import Supervisor
from shared.db.engine import Database
from shared.db.migrate import upgrade
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
from shared.desks import NOTHING, DeskFileError, apply, apply_file, load_calendar, parse_desk_file
from shared.domain.profiles import PROFILES
from shared.settings import Settings
from tests.stack import stack_directory


class Quiet:
    def starting(self, names: Sequence[str]) -> None: ...

    def ready(self, name: str, version: str, seconds: float) -> None: ...

    def note(self, sentence: str) -> None: ...


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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings() -> AsyncIterator[Settings]:
    """A Postgres of this file's own: it compares whole tables and makes the demo desks."""
    with stack_directory() as path:
        directory = DataDir(path)
        postgres = Postgres(directory, choose_ports({"postgres": 0}, {})["postgres"], "desk-tests")
        supervisor = Supervisor(directory, Quiet())
        with directory.lock():
            await supervisor.start([postgres], changed=lambda: None)
            try:
                settings = Settings(data_dir=path, database_url=postgres.url, development=True)
                await asyncio.to_thread(upgrade, settings)
                yield settings
            finally:
                await supervisor.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
def slug() -> str:
    return f"desk-{uuid.uuid4().hex[:12]}"


def desk_text(slug: str) -> str:
    return f"""\
desk: {slug}
name: Connect Support
key: CON
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
  - {{url: "https://hooks.example/cases", events: ["case.*"], secret: "whsec_one"}}
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


async def add_case(database: Database, desk: Desk, account: str) -> None:
    now = datetime.now(UTC)
    case = Case(
        id=uuid.uuid4(),
        desk_id=desk.id,
        number=1,
        policy=desk.policy,
        policy_version=1,
        state={},
        description="",
        seq=1,
        status="new",
        subject="Printer",
        account=account,
        reporter="bob@acme.example",
        cc=[],
        created_at=now,
        updated_at=now,
    )
    async with database.write() as session:
        session.add(case)


async def test_a_new_desk(database: Database, slug: str) -> None:
    lines = await run(database, desk_text(slug))
    assert lines == [
        f"+ desk {slug} (Connect Support, key CON, profile standard)",
        f"+ staff ada@{slug}.example (agent)",
        f"+ staff lea@{slug}.example (lead)",
        "+ account acme (Acme Ltd)",
        f"+ member bob@{slug}.example of acme (member)",
        f"+ member cy@{slug}.example of acme (admin)",
        "+ account globex (Globex GmbH)",
        f"+ member bob@{slug}.example of globex (admin)",
        "+ service monitoring (case.open, case.comment)",
        "+ webhook https://hooks.example/cases (case.*)",
    ]
    desk = await the_desk(database, slug)
    assert (desk.policy_version, desk.timezone, desk.holidays) == (1, "Europe/London", ["2026-12-24"])
    async with database.read() as session:
        counter = await session.scalar(select(DeskCounter.last_number).where(DeskCounter.desk_id == desk.id))
        versions = list(await session.scalars(select(DeskPolicy.version).where(DeskPolicy.desk_id == desk.id)))
        bob = (await session.scalars(select(Person).where(Person.email == f"bob@{slug}.example"))).one()
    assert (counter, versions) == (0, [1])
    assert (bob.name, bob.phone, bob.password_hash) == ("Bob Acme", "+44 20 7946 0000", None)


async def test_again_changes_nothing_and_says_so(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    before = await contents(database)
    assert await run(database, desk_text(slug)) == [NOTHING]
    assert await contents(database) == before


async def test_a_dry_run_says_everything_and_changes_nothing(database: Database, slug: str) -> None:
    before = await contents(database)
    said = await run(database, desk_text(slug), dry_run=True)
    assert await contents(database) == before
    assert await run(database, desk_text(slug)) == said

    changed = (
        desk_text(slug).replace("profile: standard", "policy: {reopen_within: 10}").replace("role: lead", "role: admin")
    )
    before = await contents(database)
    said = await run(database, changed, dry_run=True)
    assert said == ["~ policy reopen_within: 14 → 10 (version 2)", f"~ staff lea@{slug}.example role: lead → admin"]
    assert await contents(database) == before
    assert await run(database, changed) == said


async def test_a_changed_policy_is_a_new_version(database: Database, slug: str) -> None:
    content = desk_text(slug)
    await run(database, content)
    changed = content + "policy: {reopen_within: 10, survey: false, labels: {new: Incoming}}\n"
    assert await run(database, changed) == [
        "~ policy labels.new: New → Incoming (version 2)",
        "~ policy survey: yes → no (version 2)",
        "~ policy reopen_within: 14 → 10 (version 2)",
    ]
    assert await run(database, content.replace("profile: standard", "profile: team-portal")) != [NOTHING]
    desk = await the_desk(database, slug)
    async with database.read() as session:
        query = select(DeskPolicy.version, DeskPolicy.policy["reopen_within"]).where(DeskPolicy.desk_id == desk.id)
        versions = [tuple(row) for row in await session.execute(query.order_by(DeskPolicy.version))]
    assert versions == [(1, 14), (2, 10), (3, "unlimited")]
    assert (desk.policy_version, desk.policy["reopen_within"]) == (3, "unlimited")


async def test_the_same_policy_said_differently_is_no_new_version(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    assert await run(
        database, desk_text(slug) + "policy: {reopen_within: 14, recipients: [cc, contact, opener, assignee]}\n"
    ) == [NOTHING]


async def test_changes_are_said_one_by_one(database: Database, slug: str) -> None:
    content = desk_text(slug)
    await run(database, content)
    for old, new in (
        ("name: Connect Support", "name: Connect Care"),
        ("[ERP, Analytics]", "[ERP]"),
        ("Europe/London, holidays: [2026-12-24]", "Europe/Paris"),
        ("role: agent", "role: admin"),
        ("name: Acme Ltd", "name: Acme plc"),
        ("[Production, Test]", "[Production]"),
        ("name: Bob Acme, role: member", "name: Bob Acme, role: admin"),
        ("Cy Acme", "Cyrus Acme"),
        ("7946 0000", "7946 0001"),
        ("[case.open, case.comment]", "[case.read]"),
        ("whsec_one", "whsec_two"),
        ('["case.*"]', "[case.opened, case.closed]"),
    ):
        assert old in content
        content = content.replace(old, new)
    lines = await run(database, content)
    assert lines == [
        f"~ desk {slug} name: Connect Support → Connect Care",
        f"~ desk {slug} timezone: Europe/London → Europe/Paris",
        f"~ desk {slug} holidays: 2026-12-24 → none",
        f"~ desk {slug} products: ERP, Analytics → ERP",
        f"~ person bob@{slug}.example phone: +44 20 7946 0000 → +44 20 7946 0001",
        f"~ person cy@{slug}.example name: Cy Acme → Cyrus Acme",
        f"~ staff ada@{slug}.example role: agent → admin",
        "~ account acme name: Acme Ltd → Acme plc",
        "~ account acme environments: Production, Test → Production",
        f"~ member bob@{slug}.example of acme role: member → admin",
        "~ service monitoring scopes: case.open, case.comment → case.read",
        "~ webhook https://hooks.example/cases events: case.* → case.opened, case.closed",
        "~ webhook https://hooks.example/cases secret",
    ]
    assert "whsec" not in "".join(lines)
    assert await run(database, content) == [NOTHING]


async def test_what_is_no_longer_in_the_file_is_removed(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    desk = await the_desk(database, slug)
    await add_case(database, desk, "acme")
    bare = f"desk: {slug}\nname: Connect Support\nkey: CON\nproducts: [ERP, Analytics]\n"
    bare += "calendar: {timezone: Europe/London, holidays: [2026-12-24]}\n"
    kept = "= account acme is kept without members: 1 case belongs to it"
    assert await run(database, bare) == [
        f"- staff ada@{slug}.example (agent)",
        f"- staff lea@{slug}.example (lead)",
        f"- member bob@{slug}.example of acme (member)",
        f"- member cy@{slug}.example of acme (admin)",
        f"- member bob@{slug}.example of globex (admin)",
        kept,
        "- account globex (Globex GmbH)",
        "- service monitoring",
        "- webhook https://hooks.example/cases",
    ]
    async with database.read() as session:
        accounts = list(await session.scalars(select(Account.key).where(Account.desk_id == desk.id)))
        people = await session.scalar(select(func.count()).where(Person.email.like(f"%@{slug}.example")))
    assert accounts == ["acme"]
    assert people == 4
    assert await run(database, bare) == [kept, NOTHING]


async def test_a_person_on_two_desks_is_one_person(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    other = f"""\
desk: {slug[:30]}-2
name: Other
key: OTH
accounts:
  - {{key: acme, name: Acme, members: [{{email: BOB@{slug}.example, name: Robert Acme, role: member}}]}}
"""
    assert f"~ person bob@{slug}.example name: Bob Acme → Robert Acme" in await run(database, other)
    async with database.read() as session:
        people = list(await session.scalars(select(Person).where(Person.email.like(f"bob@{slug}.example"))))
    assert [(person.name, person.phone) for person in people] == [("Robert Acme", "+44 20 7946 0000")]


async def test_several_applications_at_once_make_one_desk(database: Database, slug: str) -> None:
    said = await asyncio.gather(*(run(database, desk_text(slug)) for _ in range(4)))
    assert sorted(len(lines) for lines in said) == [1, 1, 1, 10]


async def test_a_file_from_disk(settings: Settings, database: Database, slug: str, tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(desk_text(slug))
    assert len(await asyncio.to_thread(apply_file, settings, path)) == 10
    assert await asyncio.to_thread(apply_file, settings, path) == [NOTHING]

    before = await contents(database)
    path.write_text(desk_text(slug).replace("role: lead", "role: boss").replace("name: Acme Ltd", "name: Acme plc"))
    with pytest.raises(DeskFileError, match=r"desk\.yaml has 1 problem(.|\n)*line 9: staff\.role: «boss»"):
        await asyncio.to_thread(apply_file, settings, path)
    assert await contents(database) == before


async def test_the_calendar_of_a_desk(settings: Settings, database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    calendar = await load_calendar(settings, slug)
    start = datetime(2026, 12, 23, 15, tzinfo=UTC)
    assert calendar.window_end(start, 1) == datetime(2026, 12, 25, 15, tzinfo=UTC)
    with pytest.raises(LookupError, match="there is no desk «nowhere»"):
        await load_calendar(settings, "nowhere")


async def test_demo_desks(settings: Settings, database: Database) -> None:
    log_ins = await asyncio.to_thread(apply_demo_desks, settings)
    assert DEMO_PASSWORD in log_ins[0]
    assert [line.split()[0] for line in log_ins[1:]] == list(PROFILES)
    async with database.read() as session:
        desks = set(await session.scalars(select(Desk.slug)))
        bob = (await session.scalars(select(Person).where(Person.email == "bob@acme.example"))).one()
    assert set(PROFILES) <= desks
    assert bob.password_hash is not None
    assert PasswordHasher().verify(bob.password_hash, DEMO_PASSWORD)

    before = await contents(database)
    assert await asyncio.to_thread(apply_demo_desks, settings) == log_ins
    assert await contents(database) == before


async def test_demo_people_get_no_password_outside_development(settings: Settings, database: Database) -> None:
    async with database.write() as session:
        for person in await session.scalars(select(Person).where(Person.password_hash.is_not(None))):
            person.password_hash = None
    production = settings.model_copy(update={"development": False})
    assert await asyncio.to_thread(apply_demo_desks, production) == []
    async with database.read() as session:
        assert not await session.scalar(select(func.count()).where(Person.password_hash.is_not(None)))
