"""The demo desks as a first visitor finds them: cases in every status, all of them in the past, the same ever after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import func, select

from services.api.cases.opening import opened_ago
from services.api.context import Context
from services.local.demo import DEMO_DESKS
from services.local.demo_player import play_stories
from services.local.demo_stories import stories_of, untold_stories
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent, Desk, IdempotencyKey
from shared.desks import read_desk_file
from shared.domain.case import Status
from shared.domain.policy import Reopen
from shared.domain.profiles import PROFILES
from shared.settings import Settings
from tests.client import Connections, caller
from tests.stack import RunningStack, stack_directory, start_stack, wait_for

PLAYED = 180.0
"""Seconds; on a slow machine they are played on after the start."""


@pytest.fixture(scope="module")
def demo_dir() -> Iterator[Path]:
    with stack_directory() as directory:
        yield directory


def start(directory: Path) -> RunningStack:
    return start_stack(directory, demo=True)


@pytest.fixture(scope="module")
def stories(demo_dir: Path) -> Iterator[RunningStack]:
    """The stack after its first start."""
    running = start(demo_dir)
    try:
        output = demo_dir / "up.out"
        wait_for(lambda: " played" in output.read_text(), PLAYED, "the demo cases")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


async def all_cases(settings: Settings) -> dict[str, list[Case]]:
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            query = select(Desk.slug, Case).join(Desk, Desk.id == Case.desk_id).order_by(Case.number)
            rows = (await session.execute(query)).all()
    finally:
        await database.close()
    return {desk: [case for slug, case in rows if slug == desk] for desk in PROFILES}


async def counts(settings: Settings) -> list[int]:
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            return [
                (await session.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (Case, CaseEvent, IdempotencyKey)
            ]
    finally:
        await database.close()


@pytest.mark.parametrize("desk", PROFILES)
def test_people_in_the_stories_are_those_of_the_desk(desk: str) -> None:
    file = read_desk_file(DEMO_DESKS / f"{desk}.yaml")
    people = {person.email for person in file.staff}
    people |= {member.email for account in file.accounts for member in account.members}
    acting = {person for story in stories_of(desk) for person in (story.by, *(step.by for step in story.then))}
    assert acting <= people
    assert len(stories_of(desk)) in range(8, 16)


async def test_outside_development_nothing_is_opened_in_the_past() -> None:
    for development, expected in ((True, timedelta(hours=1)), (False, timedelta())):
        context = SimpleNamespace(settings=Settings(development=development))
        assert await opened_ago(cast("Context", context), casebound_opened_ago=3600) == expected


async def test_each_desk_has_cases_in_every_status_of_its_profile(stories: RunningStack) -> None:
    for desk, cases in (await all_cases(stories.settings)).items():
        policy = PROFILES[desk]
        assert {Status(case.status) for case in cases} == set(policy.labels), desk
        sealed = {bool(case.state["sealed"]) for case in cases if case.status == Status.CLOSED}
        expected = {Reopen.BY_ACTION: {True, False}, Reopen.BY_REPLY: {False}, Reopen.NO: {True}}
        assert sealed == expected[policy.reopen], desk


async def test_they_lie_in_the_past_and_their_clocks_are_right(stories: RunningStack) -> None:
    now = datetime.now(UTC)
    cases = [case for cases in (await all_cases(stories.settings)).values() for case in cases]
    assert {case.clock_offset for case in cases} == {timedelta()}
    assert [case.subject for case in cases if not case.created_at <= case.updated_at <= now] == []
    assert min(case.created_at for case in cases) < now - timedelta(days=40)
    assert max(case.created_at for case in cases) > now - timedelta(hours=2)


async def test_a_visitor_finds_them(stories: RunningStack) -> None:
    async with Connections(stories.api, 1).kept() as connections:
        tom = caller(connections, stories.settings, "standard", "tom@lumen.example", patience=30)
        numbers = {case.number: case for case in (await all_cases(stories.settings))["standard"]}
        page = await tom.cases(page_size=100, after_seq=1)
        while page["total"] < len(numbers):
            await asyncio.sleep(0.1)
            page = await tom.cases(page_size=100)
        assert {item["number"] for item in page["items"]} == set(numbers)
        found = await tom.cases(q="payr", status="Resolved")
        assert [item["subject"] for item in found["items"]] == ["Payroll run stops at employee 1042"]
        sealed = await tom.case(1)
        files = await tom.send("GET", "/cases/5/attachments")
    assert (sealed["sealed"], sealed["survey"]["q1"], len(sealed["follow_ups"])) == (True, 5, 1)
    assert [file["filename"] for file in files["items"]] == ["closing-october.log"]


async def test_playing_them_again_adds_nothing(stories: RunningStack) -> None:
    settings, before = stories.settings, await counts(stories.settings)
    assert await untold_stories(settings) == {}
    await play_stories(settings, stories.api, {desk: stories_of(desk) for desk in PROFILES})
    assert await counts(settings) == before


async def test_a_second_start_adds_nothing(stories: RunningStack, demo_dir: Path) -> None:
    before = await counts(stories.settings)
    await asyncio.to_thread(stories.stop)
    again = await asyncio.to_thread(start, demo_dir)
    try:
        assert " played" not in (demo_dir / "up.out").read_text()
        assert await counts(again.settings) == before
    finally:
        await asyncio.to_thread(again.stop)
