"""Word of what is recorded: who waits alone is answered before the workflow has finished, and as it would answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio

from services.api.door import FEW_CASES
from services.api.nats_link import NatsLink
from services.api.word import word_heard
from services.workflows.word import Word
from shared.contracts.workflow import CASE_QUERY, RecordRequest
from shared.domain import commands as c
from shared.messaging import connect
from shared.settings import Settings
from tests.waiting import until
from tests.world import ADA, BOB, CaseInTest, World, command_id, open_world


@dataclass
class HeldUp:
    """A worker that, once word is sent, goes on only when it is let."""

    word: Word
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    recorded: list[RecordRequest] = field(default_factory=list)

    async def told(self, request: RecordRequest) -> None:
        self.recorded.append(request)
        await self.word.send(request)
        await self.go_on.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worlds(servers: Settings) -> AsyncIterator[tuple[World, HeldUp]]:
    held = HeldUp(Word())
    held.word.bus = bus = await connect(servers, "worker")
    held.go_on.set()
    async with (
        open_world(servers, told=held.told) as world,
        NatsLink(servers).kept() as link,
        word_heard(link, world.door),
    ):
        await until(lambda: world.door.told_on is not None, 10, "the door to listen")
        yield world, held
        held.go_on.set()
    await bus.close()


def comment() -> c.Comment:
    return c.Comment(command_id=command_id(), actor=BOB, body="Hello")


async def known(case: CaseInTest) -> int:
    return int((await case.handle.query(CASE_QUERY))["state"]["seq"])


async def test_who_waits_alone_is_answered_once_it_is_recorded_and_the_workflow_follows(
    worlds: tuple[World, HeldUp],
) -> None:
    world, held = worlds
    case = await world.open()
    held.go_on.clear()
    command = comment()
    async with asyncio.timeout(10):
        outcome = await case.do(command)
    recorded = (await case.events())[-1]
    assert (recorded.seq, recorded.at, recorded.command_id) == (outcome.seq, outcome.at, command.command_id)
    held.go_on.set()
    assert await case.do(command) == outcome, "as the workflow answers"
    assert await known(case) == 2
    assert await case.kinds() == ["opened", "commented"]


async def test_a_refusal_is_the_workflows_own(worlds: tuple[World, HeldUp]) -> None:
    world, _ = worlds
    case = await world.open()
    refused = await case.do(c.Accept(command_id=command_id(), actor=BOB))
    assert (refused.accepted, refused.code) == (False, "not_allowed_in_status")


async def test_a_command_that_leads_to_several_events_is_answered_with_its_first(
    worlds: tuple[World, HeldUp],
) -> None:
    world, held = worlds
    case = await world.open()
    await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="provided", summary="Done."))
    held.go_on.clear()
    command = c.Accept(command_id=command_id(), actor=BOB)
    async with asyncio.timeout(10):
        outcome = await case.do(command)
    assert outcome.seq == 3
    held.go_on.set()
    assert await case.do(command) == outcome
    assert await case.kinds() == ["opened", "resolved", "accepted", "closed"]


async def test_among_many_cases_no_word_is_asked_for(worlds: tuple[World, HeldUp]) -> None:
    world, held = worlds
    cases = [await world.open() for _ in range(FEW_CASES + 1)]
    before = len(held.recorded)
    outcomes = await asyncio.gather(*(case.do(comment()) for case in cases))
    assert all(outcome.accepted for outcome in outcomes)
    assert [request.told_on for request in held.recorded[before:]] == [[]] * len(cases)
