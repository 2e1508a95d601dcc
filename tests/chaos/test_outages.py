"""Parts that are away for a while, or that have lost what they knew."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from shared.contracts.workflow import CASE_QUERY, workflow_id
from shared.settings import Settings
from shared.temporal import connect
from tests.chaos.processes import absent, kill, paused, replaced
from tests.chaos.traffic import Traffic
from tests.client import Caller, Connections, ProblemError
from tests.conftest import Say
from tests.desks import ADA, BOB, StackDesk
from tests.facts import Ledger, check_all, mailbox, new_word, told
from tests.stack import RunningStack
from tests.waiting import until

AWAY_SECONDS = 60.0
DATABASE_AWAY_SECONDS = 20.0
CALM_SECONDS = 10.0
TOLD_WITHIN_SECONDS = 90.0
"""After an outage; a connection that hangs is noticed within 30 s."""
MANY = 20


@pytest_asyncio.fixture(loop_scope="session")
async def ada(desk: StackDesk) -> AsyncIterator[Caller]:
    async with Connections(desk.stack.api, 4).kept() as connections:
        yield desk.caller(connections, ADA, patience=60)


async def all_is_told(desk: StackDesk, ledger: Ledger, ada: Caller, say: Say) -> None:
    """Wait until everything has arrived, and hold it to what was acknowledged."""
    settings: Settings = desk.stack.settings
    took = await told(settings, desk.slug, TOLD_WITHIN_SECONDS)
    all_of_it = await check_all(settings, desk.slug, ledger, ada, await mailbox(settings, desk.slug))
    say(f"{all_of_it}, all told {took:.1f} s after it was over")


async def test_nats_hangs_for_a_minute(desk: StackDesk, ada: Caller, say: Say) -> None:
    """Search and mail are late, and nothing else."""
    async with (traffic := Traffic(desk)).running():
        normal = await calm(traffic)
        async with paused(desk.stack, "nats") as start:
            await asyncio.sleep(AWAY_SECONDS)
            await only_search_and_mail_wait(traffic, ada, start, normal, say)
        await traffic.goes_on()
    await all_is_told(desk, traffic.ledger, ada, say)


async def test_nats_is_killed_and_stays_away(desk: StackDesk, ada: Caller, say: Say) -> None:
    """As above; connections are refused instead of left without an answer."""
    async with (traffic := Traffic(desk)).running():
        normal = await calm(traffic)
        port = urlsplit(desk.stack.addresses["nats"]).port
        assert port
        async with absent(desk.stack, "nats", port) as start:
            await asyncio.sleep(AWAY_SECONDS / 3)
            await only_search_and_mail_wait(traffic, ada, start, normal, say)
        await traffic.goes_on()
    await all_is_told(desk, traffic.ledger, ada, say)


async def calm(traffic: Traffic) -> float:
    """Commands a second while all is well."""
    await traffic.goes_on()
    start = time.monotonic()
    await asyncio.sleep(CALM_SECONDS)
    return traffic.rate(start, time.monotonic())


async def only_search_and_mail_wait(traffic: Traffic, ada: Caller, start: float, normal: float, say: Say) -> None:
    end = time.monotonic()
    meanwhile = traffic.rate(start, end)
    say(f"commands: {normal:.1f}/s before, {meanwhile:.1f}/s meanwhile, slowest {traffic.slowest(start, end):.1f} s")
    assert not traffic.experience.problems, traffic.problems()
    assert meanwhile > normal * 0.7
    async with traffic.at_rest():
        listed = await ada.cases()
        assert listed["stale"] is True
        assert listed["total"] == len(traffic.ledger.opened)
    with pytest.raises(ProblemError, match="search_unavailable"):
        await Caller(ada.connections, ada.desk, ada.token).cases(q="word")


async def test_postgres_hangs_for_a_while(desk: StackDesk, ada: Caller, say: Say) -> None:
    """Commands wait or are answered 503 with Retry-After; then all goes on by itself."""
    async with (traffic := Traffic(desk)).running():
        await traffic.goes_on()
        async with paused(desk.stack, "postgres"):
            await asyncio.sleep(DATABASE_AWAY_SECONDS)
        say(f"commands answered again after {await traffic.goes_on():.1f} s; {traffic.problems()}")
    assert {problem.status for problem in traffic.experience.problems} <= {503}
    assert all(problem.retry_after for problem in traffic.experience.problems)
    assert not traffic.experience.lost_connections
    await all_is_told(desk, traffic.ledger, ada, say)


async def test_temporal_is_killed_right_after_an_answer(desk: StackDesk, ada: Caller, say: Say) -> None:
    """Its SQLite does not sync every commit to the disk: the operating system must have them all the same."""
    ledger = Ledger()
    bob = Caller(ada.connections, desk.slug, desk.caller(ada.connections, BOB).token, patience=60)
    subject = f"{new_word()} opened"
    number = ledger.opened[subject] = int((await bob.open(subject=subject, description="Alone."))["number"])
    for _ in range(3):
        await asyncio.gather(*(said(bob, number, ledger) for _ in range(MANY)))
        latest = await said(bob, number, ledger)
        back = await kill(desk.stack, "temporal")
        kept = await workflow_seq(desk, number)
        say(f"temporal: ready again after {back:.1f} s; answered {latest}, its workflow knows {kept}")
        assert kept in {latest - 1, latest}, "an update is sent when the one before it has been answered"
        await until(partial(workflow_knows, desk, number, latest), 30, f"the workflow to be told of {latest} again")
    await all_is_told(desk, ledger, ada, say)


async def said(who: Caller, number: int, ledger: Ledger) -> int:
    text = f"{new_word()} said"
    event = await who.comment(number, text)
    ledger.commented[text] = (number, int(event["seq"]))
    return int(event["seq"])


async def workflow_knows(desk: StackDesk, number: int, seq: int) -> bool:
    return await workflow_seq(desk, number) == seq


async def workflow_seq(desk: StackDesk, number: int) -> int:
    """The latest event that the case's workflow knows of."""
    client = await connect(desk.stack.settings)
    handle = client.get_workflow_handle(workflow_id(desk.slug, number))
    answer: dict[str, Any] = await handle.query(CASE_QUERY, result_type=dict)
    return int(answer["state"]["seq"])


async def test_nats_loses_all_its_data(desk: StackDesk, ada: Caller, say: Say) -> None:
    """The stream is rebuilt from the record; who had not been told is told, and nobody twice."""
    stack = desk.stack
    async with (traffic := Traffic(desk)).running():
        await traffic.goes_on()
        async with paused(stack, "notifier"), paused(stack, "search"):
            await traffic.goes_on(40)
            await lose_all_data_of_nats(stack)
        await traffic.goes_on()
    say(f"{traffic.problems()}")
    await all_is_told(desk, traffic.ledger, ada, say)


async def test_nats_loses_all_its_data_while_nobody_writes(desk: StackDesk, ada: Caller, say: Say) -> None:
    """No new event tells the relay that the stream has gone."""
    async with AsyncExitStack() as quiet:
        async with (traffic := Traffic(desk)).running():
            await traffic.goes_on()
            await quiet.enter_async_context(paused(desk.stack, "notifier"))
            await traffic.goes_on(40)
        await lose_all_data_of_nats(desk.stack)
    await all_is_told(desk, traffic.ledger, ada, say)


async def lose_all_data_of_nats(stack: RunningStack) -> None:
    """As when the disk of a server is replaced by an empty one."""
    old = stack.pid("nats")
    async with paused(stack, "nats"):
        await asyncio.to_thread(shutil.rmtree, stack.data_dir / "nats" / "jetstream")
        os.kill(old, signal.SIGKILL)
    await replaced(stack, "nats", old)
