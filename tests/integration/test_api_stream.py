"""Live events: who hears of what, what is made up for after a break, and how streams end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest_asyncio

from services.api.events import stream
from services.api.events.hub import QUEUE_EVENTS, Listener, Reset
from shared.contracts.subjects import CASES_STREAM
from shared.messaging import connect as connect_to_nats
from shared.messaging import ensure_topology
from shared.settings import Settings
from tests.api_world import ApiDesk, Person, serving, working
from tests.desks import DAVE

PATIENCE = 20


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(servers: Settings) -> AsyncIterator[ApiDesk]:
    async with working(servers), serving(servers) as world:
        yield await world.desk()


@dataclass
class Heard:
    """What one stream has said."""

    lines: AsyncIterator[str]
    ids: list[int] = field(default_factory=list)

    async def line(self, start: str) -> str:
        """The rest of the next line that begins so."""
        async with asyncio.timeout(PATIENCE):
            async for line in self.lines:
                if line.startswith("id:"):
                    self.ids.append(int(line[3:]))
                if line.startswith(start):
                    return line[len(start) :].strip()
        raise EOFError

    async def event(self) -> dict[str, Any]:
        """The next event."""
        event: dict[str, Any] = orjson.loads(await self.line("data:"))
        return event

    async def until(self, kind: str, number: int) -> list[str]:
        """Kinds of the events of a case, up to that one."""
        kinds = []
        while True:
            event = await self.event()
            if event.get("source", "").endswith(f"/cases/{number}"):
                kinds.append(event["type"].split(".")[2])
                if kinds[-1] == kind:
                    return kinds


@asynccontextmanager
async def following(person: Person, after: int | None = None, query: str = "") -> AsyncIterator[Heard]:
    headers = person.headers | ({"Last-Event-ID": str(after)} if after is not None else {})
    async with person.http.stream("GET", f"{person.base}/events/stream{query}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        heard = Heard(answer.aiter_lines())
        assert await heard.line(": following") == ""
        yield heard


async def test_everybody_hears_what_they_may_see(desk: ApiDesk) -> None:
    async with following(desk.bob) as bob, following(desk.ada) as ada, following(desk.erin) as erin:
        number = (await desk.bob.opened())["number"]
        await desk.ada.did(number, "comments", body="He is cross.", internal=True)
        await desk.ada.did(number, "comments", body="We look into it.")
        other = (await desk.erin.opened())["number"]
        assert await bob.until("commented", number) == ["opened", "commented"]
        assert await ada.until("commented", number) == ["opened", "noted", "commented"]
        first = await erin.event()
        assert first["source"] == f"/desks/{desk.slug}/cases/{other}"
        assert first["data"]["case"]["number"] == other
        assert bob.ids == sorted(bob.ids)


async def test_other_desks_are_not_heard(desk: ApiDesk) -> None:
    other = await desk.world.desk()
    async with following(desk.ada) as ada:
        await other.bob.opened()
        number = (await desk.bob.opened())["number"]
        event = await ada.event()
        assert event["source"] == f"/desks/{desk.slug}/cases/{number}"


async def test_a_colleague_hears_from_the_moment_they_are_copied(desk: ApiDesk) -> None:
    async with following(desk.dave) as dave:
        number = (await desk.bob.opened())["number"]
        await desk.bob.did(number, "comments", body="One")
        await desk.bob.did(number, "comments", body="Two", cc=[DAVE])
        event = await dave.event()
        assert (event["data"]["body"], event["data"]["case"]["number"]) == ("Two", number)


async def test_a_break_is_made_up_for(desk: ApiDesk) -> None:
    async with following(desk.bob) as bob:
        number = (await desk.bob.opened())["number"]
        await bob.until("opened", number)
    for text in ("One", "Two", "Three"):
        await desk.bob.did(number, "comments", body=text)
    async with following(desk.bob, after=bob.ids[-1]) as bob_again:
        bodies = [(await bob_again.event())["data"]["body"] for _ in range(3)]
        assert bodies == ["One", "Two", "Three"]
        await desk.bob.did(number, "comments", body="Four")
        assert (await bob_again.event())["data"]["body"] == "Four"
        assert len(set(bob_again.ids)) == 4


async def test_a_break_is_made_up_for_by_another_process(servers: Settings, desk: ApiDesk) -> None:
    """One that has not heard itself what was missed."""
    async with following(desk.bob) as bob:
        number = (await desk.bob.opened())["number"]
        await bob.until("opened", number)
        await desk.bob.did(number, "comments", body="One")
        await bob.event()
    async with serving(servers) as other:
        there = ApiDesk(other, desk.slug)
        async with following(there.bob, after=bob.ids[-2]) as bob_again:
            assert (await bob_again.event())["data"]["body"] == "One"


async def test_browsers_name_the_place_in_the_address(desk: ApiDesk) -> None:
    async with following(desk.bob) as bob:
        number = (await desk.bob.opened())["number"]
        await bob.until("opened", number)
        await desk.bob.did(number, "comments", body="One")
        await bob.event()
    async with following(desk.bob, query=f"?after={bob.ids[-2]}") as bob_again:
        assert (await bob_again.event())["data"]["body"] == "One"
    async with following(desk.bob, query=f"?after={bob.ids[-2]}", after=bob.ids[-1]) as reconnected:
        await desk.bob.did(number, "comments", body="Two")
        assert (await reconnected.event())["data"]["body"] == "Two"


async def test_a_place_beyond_the_end_is_a_reset(desk: ApiDesk) -> None:
    async with following(desk.bob, after=999_999_999) as bob:
        assert await bob.line("event:") == "reset"
        number = (await desk.bob.opened())["number"]
        assert await bob.until("opened", number) == ["opened"]


async def test_a_place_that_is_none_is_refused(desk: ApiDesk) -> None:
    headers = desk.bob.headers | {"Last-Event-ID": "yesterday"}
    answer = await desk.bob.http.get(f"{desk.bob.base}/events/stream", headers=headers)
    assert answer.status_code == 422


async def test_a_quiet_stream_stays_alive(desk: ApiDesk, monkeypatch: Any) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    async with following(desk.bob) as bob:
        for _ in range(3):
            await bob.line(": still here")


async def test_open_streams_are_counted(desk: ApiDesk) -> None:
    async def becomes(count: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while (
                f"casebound_event_streams {count}" not in (await desk.world.http.get(f"{desk.world.url}/metrics")).text
            ):
                await asyncio.sleep(0.02)

    await becomes(0.0)
    async with following(desk.bob), following(desk.ada):
        await becomes(2.0)
    await becomes(0.0)


async def test_streams_end_when_the_service_stops(servers: Settings) -> None:
    async with serving(servers) as world:
        desk = await world.desk()
        async with following(desk.bob) as bob:
            world.app.state.context.hub.close()
            try:
                await bob.line("data:")
            except (EOFError, httpx.RemoteProtocolError):
                return
            raise AssertionError("the stream went on")


async def test_a_stream_made_anew_tells_its_listeners(desk: ApiDesk) -> None:
    bus = await connect_to_nats(desk.world.settings, "test")
    async with following(desk.bob) as bob:
        number = (await desk.bob.opened())["number"]
        await bob.until("opened", number)
        await bus.js.delete_stream(CASES_STREAM)
        await ensure_topology(bus)
        assert await bob.line("event:") == "reset"
        number = (await desk.bob.opened())["number"]
        assert (await bob.until("opened", number))[-1] == "opened"
    await bus.close()


async def test_a_page_that_does_not_keep_up_is_cut_off_and_misses_nothing_before_that() -> None:
    """It comes back with the place of the last event that it was sent."""
    listener, items = Listener(), [Reset() for _ in range(QUEUE_EVENTS + 5)]
    for item in items:
        listener.put(item)
    assert await listener.take() == items[:QUEUE_EVENTS]
    assert await listener.take() == []
