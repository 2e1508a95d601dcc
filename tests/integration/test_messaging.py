"""Messaging on a real nats-server, killed and started again where that is the point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM, case_event
from shared.messaging import (
    Bus,
    BusUnavailableError,
    DeadLetterNotFoundError,
    Incoming,
    bus,
    collect_dead_letters,
    connect,
    consume,
    ensure_topology,
    list_dead,
    publish,
    replay_dead,
)
from shared.messaging.pull import Pull
from shared.settings import Settings
from tests.integration.nats_server import Server
from tests.stack import free_port
from tests.waiting import until

T = TypeVar("T")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def nats(server: Server) -> AsyncIterator[Bus]:
    connected = await connect(server.settings, "test")
    await ensure_topology(connected)
    yield connected
    await connected.close()


@asynccontextmanager
async def running(work: Awaitable[T]) -> AsyncIterator[asyncio.Future[T]]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def say(on: Bus, *words: str) -> None:
    for word in words:
        await publish(on, case_event("desk", 1, "commented"), word.encode(), message_id=word)


def words(messages: Sequence[Incoming]) -> list[str]:
    return [message.data.decode() for message in messages]


async def settled(on: Bus, durable: str = "tester") -> bool:
    try:
        info = await on.js.consumer_info(CASES_STREAM, durable)
    except NotFoundError:
        return False
    heard_anything = info.delivered is not None and info.delivered.stream_seq > 0
    return bool(heard_anything and info.num_pending == 0 and info.num_ack_pending == 0)


class Listener:
    """A handler that acknowledges everything, except where a test says otherwise."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    @property
    def heard(self) -> list[str]:
        return [word for batch in self.batches for word in batch]

    async def __call__(self, messages: Sequence[Incoming]) -> None:
        self.batches.append(words(messages))
        for message in messages:
            await message.ack()


def listen(on: Bus, handle: Callable[[Sequence[Incoming]], Awaitable[None]], **options: object) -> Awaitable[None]:
    arguments: dict[str, object] = {"durable": "tester", "filter_subject": ALL_CASE_EVENTS, **options}
    return consume(on, stream=CASES_STREAM, handle=handle, **arguments)  # type: ignore[arg-type]


async def test_streams_are_made_once_however_many_make_them(server: Server, nats: Bus) -> None:
    other = await connect(server.settings, "other")
    await asyncio.gather(*(ensure_topology(each) for each in (nats, other, nats, other)))
    cases = (await nats.js.stream_info(CASES_STREAM)).config
    assert cases.subjects == [ALL_CASE_EVENTS, "replay.v1.>"]
    assert cases.duplicate_window == 600
    assert cases.max_age == 0
    assert cases.allow_direct
    assert {info.config.name for info in await nats.js.streams_info()} == {"CASES", "DEAD", "ADVISORIES"}
    await other.close()


async def test_a_message_id_is_kept_once(nats: Bus) -> None:
    assert not (await publish(nats, case_event("desk", 1, "opened"), b"x", message_id="a:1")).duplicate
    assert (await publish(nats, case_event("desk", 1, "opened"), b"x", message_id="a:1")).duplicate


async def test_messages_come_in_order_in_batches_and_a_durable_remembers_its_place(nats: Bus) -> None:
    await say(nats, *(f"w{n}" for n in range(100)))
    first, second = Listener(), Listener()
    async with running(listen(nats, first, batch=40)):
        await until(lambda: len(first.heard) == 100)
        await until(lambda: settled(nats))
    assert first.heard == [f"w{n}" for n in range(100)]
    assert max(map(len, first.batches)) == 40
    await say(nats, "later")
    async with running(listen(nats, second)):
        await until(lambda: second.heard == ["later"])


async def test_a_quiet_consumer_hears_at_once(nats: Bus) -> None:
    """nats.py issue 986: a forgotten pull request must not swallow the next message."""
    listener = Listener()
    async with running(listen(nats, listener)):
        await say(nats, "first")
        await until(lambda: listener.heard == ["first"])
        for n in range(20):
            async with asyncio.timeout(1):
                await say(nats, f"w{n}")
                await until(lambda n=n: listener.heard[-1] == f"w{n}")  # type: ignore[misc, arg-type]


async def test_what_a_message_says_of_itself(nats: Bus) -> None:
    seen: list[Incoming] = []

    async def keep(messages: Sequence[Incoming]) -> None:
        seen.extend(messages)

    await publish(nats, case_event("desk", 7, "noted"), b"x", headers={"traceparent": TRACEPARENT})
    await say(nats, "second")
    async with running(listen(nats, keep)):
        await until(lambda: len(seen) == 2)
    assert seen[0].subject == "cases.v1.desk.7.noted"
    assert seen[0].traceparent == TRACEPARENT
    assert (seen[0].stream_seq, seen[0].deliveries, seen[0].pending) == (1, 1, 1)
    assert seen[1].pending == 0


async def test_nothing_is_lost_when_the_server_is_killed_and_comes_back(server: Server, nats: Bus) -> None:
    """nats.py issue 504: a pull consumer must ask again after a restart."""
    listener = Listener()
    publisher = await connect(server.settings, "publisher")

    async def insist(word: str) -> None:
        while True:
            try:
                return await say(publisher, word)
            except Exception:
                await asyncio.sleep(0.05)

    async def publish_all() -> None:
        for n in range(400):
            await insist(f"w{n}")

    async with running(listen(nats, listener, ack_wait=2)), running(publish_all()) as publishing:
        for heard in (50, 200):
            await until(lambda heard=heard: len(listener.heard) >= heard, 40)  # type: ignore[misc]
            server.kill()
            server.start()
        await until(publishing.done, 60)
        await until(lambda: set(listener.heard) == {f"w{n}" for n in range(400)}, 60)
        await until(lambda: settled(nats))
    await publisher.close()


async def test_a_connection_lost_while_a_batch_gathers_costs_no_message(nats: Bus) -> None:
    config = ConsumerConfig(durable_name="gatherer", ack_policy=AckPolicy.EXPLICIT, filter_subject=ALL_CASE_EVENTS)
    await nats.js.add_consumer(CASES_STREAM, config)
    pull = Pull(nats, stream=CASES_STREAM, durable="gatherer", batch=2)
    await pull.open()
    async with running(pull.gather(60)) as gathering:
        await say(nats, "first")
        await until(pull.held)
        for _ in range(10):  # so that it waits for the second one now
            await asyncio.sleep(0)
        pull.forget_request()
        await say(nats, "second")
        await until(gathering.done)
        assert sorted(message.data for message in gathering.result()) == [b"first", b"second"]
    await pull.close()


async def test_a_quiet_consumer_hears_again_after_a_restart(server: Server, nats: Bus) -> None:
    listener = Listener()
    async with running(listen(nats, listener)):
        await say(nats, "before")
        await until(lambda: listener.heard == ["before"])
        server.kill()
        await until(lambda: not nats.nc.is_connected)
        server.start()
        await until(lambda: nats.nc.is_connected)
        await say(nats, "after")
        async with asyncio.timeout(5):
            await until(lambda: listener.heard[-1] == "after")


async def test_a_consumer_that_was_deleted_is_made_again(nats: Bus) -> None:
    listener = Listener()
    async with running(listen(nats, listener)):
        await say(nats, "before")
        await until(lambda: listener.heard == ["before"])
        await nats.js.delete_consumer(CASES_STREAM, "tester")
        await say(nats, "after")
        await until(lambda: listener.heard[-1] == "after")


async def test_a_server_that_lost_its_store_gets_its_streams_back(nats: Bus) -> None:
    listener = Listener()
    async with running(listen(nats, listener)):
        await say(nats, "before")
        await until(lambda: listener.heard == ["before"])
        await nats.js.delete_stream(CASES_STREAM)
        await until(lambda: _stream_exists(nats))
        await say(nats, "after")
        await until(lambda: listener.heard[-1] == "after")


async def _stream_exists(on: Bus) -> bool:
    return CASES_STREAM in {info.config.name for info in await on.js.streams_info()}


async def test_a_message_being_worked_on_is_not_given_to_another(nats: Bus) -> None:
    deliveries: list[int] = []

    async def slow(messages: Sequence[Incoming]) -> None:
        deliveries.extend(message.deliveries for message in messages)
        await asyncio.sleep(2.5)
        for message in messages:
            await message.ack()

    await say(nats, "long")
    async with running(listen(nats, slow, ack_wait=1)), running(listen(nats, slow, ack_wait=1)):
        await until(lambda: bool(deliveries))
        await until(lambda: settled(nats))
    assert deliveries == [1]


async def test_one_bad_message_becomes_a_dead_letter_and_its_neighbours_get_through(nats: Bus) -> None:
    listener = Listener()

    async def pick(messages: Sequence[Incoming]) -> None:
        if "bad" in words(messages):
            raise ValueError("can't read this")
        await listener(messages)

    await say(nats, "a", "bad", "b")
    async with running(listen(nats, pick, max_deliver=3, backoff=(0.1,))):
        await until(lambda: settled(nats))
    assert sorted(listener.heard) == ["a", "b"]
    [letter] = await list_dead(nats)
    assert letter.reason == "ValueError: can't read this"
    assert (letter.consumer, letter.subject, letter.stream_seq, letter.deliveries) == (
        "tester",
        "cases.v1.desk.1.commented",
        2,
        3,
    )
    assert letter.original == b"bad"
    assert letter.headers["Nats-Msg-Id"] == "bad"


async def test_an_outage_is_waited_out_and_costs_no_deliveries(nats: Bus) -> None:
    listener = Listener()
    attempts = 0

    async def down_at_first(messages: Sequence[Incoming]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise ConnectionRefusedError("the database is down")
        assert all(message.deliveries == 1 for message in messages)
        await listener(messages)

    await say(nats, "a", "b")
    async with running(listen(nats, down_at_first, max_deliver=2, wait_out=(OSError,))):
        await until(lambda: settled(nats))
    assert listener.heard == ["a", "b"]
    assert await list_dead(nats) == []


async def test_a_rejected_message_is_one_dead_letter_at_once(nats: Bus) -> None:
    async def refuse(messages: Sequence[Incoming]) -> None:
        for message in messages:
            await message.reject("not JSON")

    await publish(nats, case_event("desk", 1, "opened"), b"\xff\xfe", headers={"traceparent": TRACEPARENT})
    async with running(listen(nats, refuse)), running(collect_dead_letters(nats)):
        await until(lambda: settled(nats))
        await until(lambda: _advisories_handled(nats))
    [letter] = await list_dead(nats)
    assert letter.reason == "not JSON"
    assert letter.original == b"\xff\xfe"
    assert letter.headers == {"traceparent": TRACEPARENT}


async def _advisories_handled(on: Bus) -> bool:
    info = await on.js.stream_info("ADVISORIES")
    delivered = (await on.js.consumer_info("ADVISORIES", "dead-letters")).delivered
    return info.state.messages == 0 and delivered is not None and delivered.consumer_seq > 0


async def test_what_killed_its_process_each_time_is_found_later(nats: Bus) -> None:
    """Nobody said a word about it, and the collector was down while it happened."""
    await say(nats, "deadly")
    config = {"max_deliver": 2, "ack_wait": 0.2, "backoff": (0.2,)}
    for _ in range(2):
        taken = asyncio.Event()

        async def take(messages: Sequence[Incoming], taken: asyncio.Event = taken) -> None:
            taken.set()
            for message in messages:
                message.settled = True  # as if the process had ended here: it says nothing to the server

        async with running(listen(nats, take, **config)):
            await asyncio.wait_for(taken.wait(), 5)
    await until(lambda: _advised(nats))
    async with running(collect_dead_letters(nats)):
        await until(lambda: _advisories_handled(nats))
    [letter] = await list_dead(nats)
    assert letter.original == b"deadly"
    assert letter.consumer == "tester"
    assert letter.deliveries == 2
    assert "never settled" in letter.reason


async def _advised(on: Bus) -> bool:
    return (await on.js.stream_info("ADVISORIES")).state.messages > 0


async def test_a_replayed_letter_goes_to_the_consumer_that_gave_up_and_leaves_the_list(nats: Bus) -> None:
    working, listener, bystander = False, Listener(), Listener()
    subjects: list[str] = []

    async def broken_at_first(messages: Sequence[Incoming]) -> None:
        for message in messages:
            subjects.append(message.subject)
            if not working:
                await message.reject("broken")
                return
        await listener(messages)

    await say(nats, "again")
    async with running(listen(nats, broken_at_first)), running(listen(nats, bystander, durable="bystander")):
        await until(lambda: settled(nats))
        [letter] = await list_dead(nats)
        working = True
        await replay_dead(nats, letter.seq)
        await until(lambda: listener.heard == ["again"])
        await until(lambda: settled(nats, "bystander"))
    assert bystander.heard == ["again"]
    assert subjects == ["cases.v1.desk.1.commented"] * 2
    assert await list_dead(nats) == []
    with pytest.raises(DeadLetterNotFoundError):
        await replay_dead(nats, letter.seq)


async def test_the_newest_dead_letters_come_first(nats: Bus) -> None:
    async def refuse(messages: Sequence[Incoming]) -> None:
        for message in messages:
            await message.reject("no")

    await say(nats, "a", "b", "c")
    async with running(listen(nats, refuse)):
        await until(lambda: settled(nats))
    assert [letter.original for letter in await list_dead(nats, 2)] == [b"c", b"b"]


async def test_a_server_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "FIRST_CONNECT_SECONDS", 0.5)
    settings = Settings(nats_url=f"nats://user:hidden@127.0.0.1:{free_port()}")
    with pytest.raises(BusUnavailableError, match="CASEBOUND_NATS_URL") as caught:
        await connect(settings, "test")
    assert "hidden" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
