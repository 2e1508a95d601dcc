"""Applying desk files to a real Postgres."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from services.local.demo import DEMO_PASSWORD, apply_demo_desks
from shared.db.engine import Database
from shared.db.models import Account, Desk, DeskCounter, DeskPolicy, Person
from shared.desks import NOTHING, DeskFileError, apply_file, load_calendar
from shared.domain.profiles import PROFILES
from shared.settings import Settings
from tests.integration.desk_world import add_case, contents, database, desk_text, key_of, run, settings, slug, the_desk

__all__ = ["database", "settings", "slug"]  # fixtures


async def test_a_new_desk(database: Database, slug: str) -> None:
    lines = await run(database, desk_text(slug))
    assert lines == [
        f"+ desk {slug} (Connect Support, key {key_of(slug)}, profile standard)",
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
        ("whsec_dGhlIGZpcnN0IHNlY3JldCBvZiBhIHdlYmhvb2s=", "whsec_dGhlIG5leHQgc2VjcmV0IG9mIGEgd2ViaG9vaw=="),
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
    bare = f"desk: {slug}\nname: Connect Support\nkey: {key_of(slug)}\nproducts: [ERP, Analytics]\n"
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


async def test_what_changes_mean_for_cases_is_said(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    desk = await the_desk(database, slug)
    for number, status in ((1, "new"), (2, "escalated"), (3, "closed")):
        await add_case(database, desk, "acme", number=number, status=status)
    content = desk_text(slug).replace("[ERP, Analytics]", "[ERP, CRM]") + "severities: [High, Critical, Low]\n"
    reindexing = f"= the search has the old order of severities until `casebound reindex --desk {slug}` is run"
    assert await run(database, content) == [
        f"~ desk {slug} products: ERP, Analytics → ERP, CRM",
        f"~ desk {slug} severities: Critical, High, Medium, Low → High, Critical, Low",
        "= 3 cases keep «Analytics», which new cases can't have any more",
        reindexing,
    ]
    assert await run(database, content) == [NOTHING]

    old, new = key_of(slug), key_of(slug)[:-1]
    rekeyed = content.replace(f"key: {old}", f"key: {new}") + "policy: {reopen_within: 10}\n"
    assert await run(database, rekeyed) == [
        f"~ desk {slug} key: {old} → {new}",
        f"= the search has the old keys until `casebound reindex --desk {slug}` is run",
        f"= cases are shown as {new}-1 from now on; {old}-1 in links and mails still leads to them",
        "~ policy reopen_within: 14 → 10 (version 2)",
        "= 2 cases keep the policy of the day of opening",
    ]
    renamed = rekeyed.replace("Ada Vendor", "Ada Lovelace")
    assert await run(database, renamed) == [
        f"~ person ada@{slug}.example name: Ada Vendor → Ada Lovelace",
        f"= the search finds people by their old names until `casebound reindex --desk {slug}` is run",
    ]


async def test_values_added_at_the_end_need_no_new_index(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    await add_case(database, await the_desk(database, slug), "acme")
    content = desk_text(slug) + "severities: [Critical, High, Medium, Low, Lowest]\n"
    assert await run(database, content) == [
        f"~ desk {slug} severities: Critical, High, Medium, Low → Critical, High, Medium, Low, Lowest"
    ]


async def test_a_desk_can_not_be_renamed_by_accident(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    lines = await run(database, f"desk: {slug}-new\nname: Connect\nkey: {key_of(slug)}\n")
    assert lines == [
        f"+ desk {slug}-new (Connect, key {key_of(slug)}, profile standard)",
        f"= {slug} has the key {key_of(slug)} too. A slug can't be changed: if this was to be {slug} under another "
        f"name, change its `name` and leave `desk: {slug}`",
    ]


async def test_a_stored_policy_of_another_version_is_replaced(database: Database, slug: str) -> None:
    await run(database, desk_text(slug))
    desk = await the_desk(database, slug)
    async with database.write() as session:
        stored = await session.get_one(Desk, desk.id)
        stored.policy = {**stored.policy, "reopen": "by_telegram", "mood": "good"}
    assert await run(database, desk_text(slug)) == [
        "~ policy written anew: the stored one is of another version of Casebound (version 2)"
    ]
    assert (await the_desk(database, slug)).policy == desk.policy
    assert await run(database, desk_text(slug)) == [NOTHING]


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


async def test_the_command_and_its_exit_codes(settings: Settings, slug: str, tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(desk_text(slug))
    env = os.environ | {"CASEBOUND_DATABASE_URL": settings.database_url}

    def apply_by_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "services.cli", "desk", "apply", str(path), *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    tried = await asyncio.to_thread(apply_by_command, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.splitlines()[-1] == "(dry run: nothing was changed)"
    both = await asyncio.gather(*(asyncio.to_thread(apply_by_command) for _ in range(2)))
    assert [done.returncode for done in both] == [0, 0], both
    assert sorted(done.stdout.splitlines()[-1] for done in both) == [
        "+ webhook https://hooks.example/cases (case.*)",
        NOTHING,
    ]

    path.write_text(desk_text(slug).replace("role: lead", "role: laed"))
    refused = await asyncio.to_thread(apply_by_command)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        "line 9: staff.role: «laed» is not allowed; did you mean lead? Allowed: agent, lead, admin." in refused.stderr
    )
    path.unlink()
    assert (await asyncio.to_thread(apply_by_command)).returncode == 2


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
