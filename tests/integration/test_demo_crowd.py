"""Generated cases behave as those that people opened: in lists, search, export, on their pages, and when written to."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from services.local.crowd.command import run
from services.local.crowd.lives import Life
from services.local.crowd.people import LEAD
from services.local.crowd.words import HALF
from services.local.crowd.writing import Crowd, lives, world_of
from services.local.errors import StackError
from shared.domain.events import text_of
from shared.domain.profiles import STANDARD
from tests.client import Caller, Connections, caller
from tests.facts import recorded, streamed
from tests.stack import RunningStack

CASES, MORE, SEED = 300, 20, 7
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def generated(seed: int) -> list[Life]:
    crowd = Crowd(
        url="", desk="crowd", desk_id=1, policy=STANDARD, policy_version=1, seed=seed, first=1, cases=CASES, now=NOW
    )
    return list(lives(crowd, world_of(crowd), 0, CASES))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lead(stack: RunningStack) -> AsyncIterator[Caller]:
    """The lead of a desk with so many generated cases."""
    for cases in (CASES, MORE):
        command = ("demo", "--cases", str(cases), "--seed", str(SEED))
        done = await asyncio.to_thread(stack.casebound, *command, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
    async with Connections(stack.api, 1).kept() as connections:
        yield caller(connections, stack.settings, "crowd", LEAD)


@pytest.fixture(scope="module")
def made() -> Sequence[Life]:
    """The same cases, as they would be at another moment."""
    return generated(SEED)


def test_the_same_seed_makes_the_same_cases(made: Sequence[Life]) -> None:
    assert generated(SEED) == made
    assert not {life.id for life in generated(SEED + 1)} & {life.id for life in made}
    assert 4 < sum(len(life.events) for life in made) / CASES < 6


async def test_lists_facets_and_search_agree_with_the_record(stack: RunningStack, lead: Caller) -> None:
    rows = await recorded(stack.settings, "crowd")
    texts = {row.number: str(row.data) for row in rows if row.kind == "opened"}
    assert list(texts) == list(range(1, CASES + MORE + 1))
    everything = await lead.cases(page_size=100)
    assert everything["total"] == CASES + MORE
    assert "stale" not in everything
    for name, counts in everything["facets"].items():
        if name in {"status", "product", "type", "severity", "account", "assignee"}:
            assert sum(counts.values()) == CASES + MORE, name
    for word in HALF:
        about = [number for number, text in texts.items() if f"It is about the {word}." in text]
        found = await lead.cases(q=f"about {word}")
        assert found["total"] >= len(about) > CASES / 3
    assert set(everything["facets"]["status"]) >= {"closed"}


async def test_a_case_is_as_its_events_tell(made: Sequence[Life], lead: Caller) -> None:
    for life in made[::60]:
        case, events = await lead.case(life.number), await lead.events(life.number, limit=100)
        assert [event["seq"] for event in events] == list(range(1, case["seq"] + 1))
        assert case["subject"] == life.states[0].subject
        assert case["description"] == text_of(life.events[0])
        assert [event["kind"] for event in events] == [event.kind for event in life.events]


async def test_all_are_exported(lead: Caller) -> None:
    async with lead.connections.one() as http:
        address = f"/api/v1/desks/{lead.desk}/cases/export"
        answer = await http.get(address, headers={"Authorization": f"Bearer {lead.token}"}, params={"sort": "number"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [int(row["Number"]) for row in rows] == list(range(1, CASES + MORE + 1))


async def test_nobody_is_told_of_them(stack: RunningStack, lead: Caller) -> None:
    assert not [event for event in await streamed(stack.settings, lead.desk) if event.data.command_id.startswith("gen")]


async def test_a_comment_on_an_open_case_is_answered(stack: RunningStack, lead: Caller) -> None:
    """Its workflow begins with what is recorded."""
    open_cases = await lead.cases(status=["new", "open", "awaiting_customer"])
    number, before = open_cases["items"][0]["number"], open_cases["items"][0]["seq"]
    told = await lead.comment(number, "We are on it.")
    assert told["seq"] == before + 1
    events = Counter(row.seq for row in await recorded(stack.settings, "crowd") if row.number == number)
    assert events == dict.fromkeys(range(1, (await lead.case(number))["seq"] + 1), 1)


async def test_it_is_refused_where_it_could_do_harm(stack: RunningStack, lead: Caller) -> None:
    with pytest.raises(StackError, match="development"):
        run(stack.settings.model_copy(update={"development": False}), 1, 1, "crowd")
    for arguments, reason in (
        (("--cases", "0"), "greater than or equal"),
        (("--cases", "1", "--desk", "Not a slug"), "2 to 40 of a-z"),
    ):
        done = await asyncio.to_thread(stack.casebound, "demo", *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert reason in done.stderr, done.stderr
