"""Events that link two cases tell of the other one only those who see it, over HTTP and live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from services.local.clock import fast_forward
from tests.api_world import Person
from tests.integration.access.people import AccessDesk, access_desk, address, following
from tests.stack import RunningStack

Json = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> AsyncIterator[AccessDesk]:
    async with access_desk(stack) as made:
        yield made


async def sealed(desk: AccessDesk) -> int:
    """A case of the reporter's that is closed for good."""
    number = await desk.case()
    await desk.agent.did(number, "close")
    await asyncio.to_thread(fast_forward, desk.stack.settings, desk.slug, number, "30d")
    return number


async def followed_up(desk: AccessDesk, old: int, contact: str) -> int:
    """Open a follow-up that is for somebody of the account alone, and for its admin."""
    case = await desk.agent.did(old, "follow-up", description="x", contact=address(contact), cc=[])
    return int(case["number"])


async def events(person: Person, number: int, **params: Any) -> list[Json]:
    items: list[Json] = (await person.get(f"/cases/{number}/events", **params)).json()["items"]
    return items


async def test_the_activity_names_only_cases_that_one_sees(desk: AccessDesk) -> None:
    old = await sealed(desk)
    hidden, seen = await followed_up(desk, old, "peer"), await followed_up(desk, old, "reporter")

    async def told(name: str) -> list[int]:
        return [each["number"] for each in await events(desk.person(name), old) if each["kind"] == "followed_up"]

    assert await told("agent") == await told("head") == await told("robot") == [hidden, seen]
    assert await told("reporter") == [seen]
    assert await told("copied") == []
    follows = {name: (await events(desk.person(name), hidden))[0]["follow_up_of"] for name in ("agent", "head", "peer")}
    assert follows == {"agent": old, "head": old, "peer": None}


async def test_a_page_of_the_activity_is_full_although_something_on_it_is_hidden(desk: AccessDesk) -> None:
    old = await sealed(desk)
    before = (await events(desk.reporter, old))[-1]["seq"]
    for contact in ("peer", "peer", "reporter"):
        last = await followed_up(desk, old, contact)
    (event,) = await events(desk.reporter, old, after_seq=before, limit=1)
    assert (event["kind"], event["number"], event["seq"]) == ("followed_up", last, before + 3)
    assert len(await events(desk.reporter, old, limit=2)) == 2
    assert await events(desk.copied, old, after_seq=before) == []


async def test_live_events_name_only_cases_that_one_sees(desk: AccessDesk) -> None:
    old = await sealed(desk)
    async with following(desk.reporter) as reporter, following(desk.head) as head, following(desk.peer) as peer:
        new = await followed_up(desk, old, "peer")
        assert (await head.until("followed_up", old))["data"]["number"] == new
        assert (await peer.until("opened", new))["data"]["follow_up_of"] is None
        later = await followed_up(desk, old, "reporter")
        assert (await reporter.until("opened", later))["data"]["follow_up_of"] == old
        assert (await reporter.until("followed_up", old))["data"]["number"] == later
    numbers = [event["data"].get("number") for event in reporter.heard if event["type"].endswith("followed_up.v1")]
    assert numbers == [later]
    opened = {
        each["data"]["case"]["number"]: each["data"]["follow_up_of"] for each in head.heard if "opened" in each["type"]
    }
    assert opened[new] == old
