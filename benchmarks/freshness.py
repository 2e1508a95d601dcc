"""How soon others know of a comment: found by search, seen on somebody else's live stream, mailed over SMTP.

The whole product as `casebound up` runs it. Comments arrive on schedule, whether or not earlier ones are answered, by
many of the staff, each on a case of their own; customers follow live meanwhile. All times count from the answer to the
command. A search asks with ``after_seq``, as somebody who looks for their own words: it is answered once the index has
them. Where the machine does not keep up with RATE, all is measured again at a rate that it does keep up with, and the
figures are those; what became of RATE stands beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
import orjson

from tests.chaos.conftest import a_stack
from tests.chaos.post_office import PostOffice, post_office
from tests.client import Connections, LeanConnection
from tests.desks import BOB, CAROL, LEO, StackDesk, make_desk
from tests.facts import new_word, told
from tests.stack import RunningStack
from tests.waiting import until

RATE, LEAST_RATE, SECONDS = 50.0, 5.0, 20.0
AGENTS, FOLLOWERS = 41, 4
SEARCHED = 5
"""One comment in so many is searched for: a query costs about as much as a sixth of a comment."""
KEPT_UP, EASIER = 0.95, 0.75
"""Of what was asked for, when the machine keeps up; of what it managed, for the next try when it does not."""
PATIENCE_SECONDS = 60.0

GOALS: Final = {
    "freshness: comments/s, measured at": (">=", KEPT_UP * RATE),
    "freshness: found by search, p99 ms": ("<=", 1000),
    "freshness: seen on the live stream, p99 ms": ("<=", 300),
    "freshness: mail handed over, p99 ms": ("<=", 2000),
}

Event = tuple[int, int]
"""Number of the case, and of the event in it."""


@dataclass(frozen=True)
class Agent:
    """Somebody of the staff, who says one thing after the other on one connection."""

    number: int
    """Of the case."""
    token: str
    speaking: LeanConnection
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Times:
    """When each event was answered and heard of, by the monotonic clock."""

    waited: list[float] = field(default_factory=list)
    """Seconds from when a comment was due until it was answered."""
    answered: dict[Event, float] = field(default_factory=dict)
    found: dict[Event, float] = field(default_factory=dict)
    seen: dict[Event, float] = field(default_factory=dict)
    mailed: dict[Event, float] = field(default_factory=dict)
    refused: int = 0
    """Searches that were answered 503."""


@dataclass(frozen=True)
class Scene:
    """A desk on a running stack, and who works on it."""

    desk: StackDesk
    agents: Sequence[Agent]
    office: PostOffice

    @property
    def _cases(self) -> str:
        return f"/api/v1/desks/{self.desk.slug}/cases"

    async def observe(self, rate: float) -> tuple[float, Times]:
        """Let comments arrive for SECONDS.

        Args:
            rate: comments a second.

        Returns:
            Answers a second, and the times of all events.
        """
        times = Times()
        async with self._followed(times):
            start = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for count in range(round(rate * SECONDS)):
                    due = start + count / rate
                    await asyncio.sleep(due - time.monotonic())
                    tasks.create_task(
                        self._comment(self.agents[count % AGENTS], due, times, search=count % SEARCHED == 0)
                    )
            await told(self.desk.stack.settings, self.desk.slug, PATIENCE_SECONDS)
        times.mailed = {(mail.number, mail.seq): at for at, mail in self.office.taken if mail.desk == self.desk.slug}
        _check_complete(times)
        return len(times.answered) / (max(times.answered.values()) - start), times

    async def _comment(self, agent: Agent, due: float, times: Times, *, search: bool) -> None:
        word = new_word()
        async with agent.turn:
            status, event = await agent.speaking.post(f"{self._cases}/{agent.number}/comments", {"body": word})
        now = time.monotonic()
        if status != 201:
            raise RuntimeError(f"{status} {event}")
        key = (agent.number, int(event["seq"]))
        times.answered[key] = now
        times.waited.append(now - due)
        if search:
            await self._look_for(agent, word, key, times)

    async def _look_for(self, agent: Agent, word: str, key: Event, times: Times) -> None:
        """Ask until a search for the word leads to the case; one that is refused is asked again."""
        path = f"{self._cases}?q={word}&after_seq={key[1]}&page_size=1"
        line = await LeanConnection.to(self.desk.stack.api, agent.token)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while key not in times.found:
                status, answer = await line.ask("GET", path)
                if status == 503:
                    times.refused += 1
                elif [case["number"] for case in orjson.loads(answer)["items"]] == [agent.number]:
                    times.found[key] = time.monotonic()
        await line.close()

    @asynccontextmanager
    async def _followed(self, times: Times) -> AsyncIterator[None]:
        """While somebody notes what they see, and others follow too; until they have seen all that was answered."""
        async with AsyncExitStack() as streams:
            noted, *others = [
                await streams.enter_async_context(_following(self.desk, who)) for who in (LEO, *(CAROL,) * FOLLOWERS)
            ]
            async with asyncio.TaskGroup() as tasks:
                noting = tasks.create_task(_note(noted, times.seen))
                reading = [tasks.create_task(_read(other)) for other in others]
                try:
                    yield
                    await until(lambda: times.answered.keys() <= times.seen.keys(), PATIENCE_SECONDS, "live events")
                finally:
                    for task in (noting, *reading):
                        task.cancel()


@asynccontextmanager
async def _following(desk: StackDesk, who: str) -> AsyncIterator[httpx.Response]:
    """Somebody's live stream, once it has begun."""
    async with AsyncExitStack() as kept:
        connections = await kept.enter_async_context(Connections(desk.stack.api, 1).kept())
        http = await kept.enter_async_context(connections.one())
        headers = {"Authorization": f"Bearer {desk.caller(connections, who).token}"}
        path = f"/api/v1/desks/{desk.slug}/events/stream"
        yield await kept.enter_async_context(http.stream("GET", path, headers=headers))


async def _note(stream: httpx.Response, seen: dict[Event, float]) -> None:
    async for line in stream.aiter_lines():
        if line.startswith("data:"):
            data = orjson.loads(line[5:])["data"]
            seen[data["case"]["number"], data["seq"]] = time.monotonic()


async def _read(stream: httpx.Response) -> None:
    async for _ in stream.aiter_raw():
        pass


async def measure(rate: float = RATE) -> dict[str, float]:
    """Milliseconds until others know, and the rate at which that was.

    Args:
        rate: comments a second at first.
    """
    async with post_office() as office, a_stack(smtp_url=office.url) as stack, _scene(stack, office) as scene:
        await scene.observe(rate / 5)  # for warming up
        reached, times = await scene.observe(rate)
        figures, asked = {f"freshness: comments/s of {rate:.0f} asked for": reached}, rate
        while reached < KEPT_UP * asked and asked > LEAST_RATE:
            asked = EASIER * reached
            reached, times = await scene.observe(asked)
    return figures | {"freshness: comments/s, measured at": reached} | _figures(times)


def _figures(times: Times) -> dict[str, float]:
    waits = {
        "comment answered": times.waited,
        "found by search": _after(times.answered, times.found),
        "seen on the live stream": _after(times.answered, times.seen),
        "mail handed over": _after(times.answered, times.mailed),
    }
    figures = {"freshness: searches refused": float(times.refused)}
    for name, seconds in waits.items():
        figures[f"freshness: {name}, p50 ms"] = statistics.median(seconds) * 1000
        figures[f"freshness: {name}, p99 ms"] = statistics.quantiles(seconds, n=100)[98] * 1000
    return figures


def _after(answered: Mapping[Event, float], known: Mapping[Event, float]) -> list[float]:
    """Seconds from the answer; none for who knew before it had arrived."""
    return [max(0.0, known[event] - at) for event, at in answered.items() if event in known]


def _check_complete(times: Times) -> None:
    for what, known in (("seen", times.seen), ("mailed", times.mailed)):
        missing = times.answered.keys() - known.keys()
        if missing:
            raise RuntimeError(f"{len(missing)} comments were not {what}: {sorted(missing)[:5]}")


@asynccontextmanager
async def _scene(stack: RunningStack, office: PostOffice) -> AsyncIterator[Scene]:
    """A case for each agent, opened by the customer who gets the mail."""
    people = [{"email": f"agent{number}@vendor.example", "name": "Agent", "role": "agent"} for number in range(AGENTS)]
    lead = {"email": LEO, "name": "Leo Vendor", "role": "lead"}
    desk, agents = await make_desk(stack, staff=[*people, lead]), []
    async with Connections(desk.stack.api, 1).kept() as connections:
        bob = desk.caller(connections, BOB)
        for person in people:
            token = desk.caller(connections, person["email"]).token
            number = (await bob.open(subject="hello", description="hello"))["number"]
            agents.append(Agent(number, token, await LeanConnection.to(desk.stack.api, token)))
    await told(desk.stack.settings, desk.slug, PATIENCE_SECONDS)
    yield Scene(desk, agents, office)
    for agent in agents:
        await agent.speaking.close()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="comments a second")
    for name, figure in asyncio.run(measure(parser.parse_args().rate)).items():
        print(f"{name:<50}{figure:10.1f}")


if __name__ == "__main__":
    main()
