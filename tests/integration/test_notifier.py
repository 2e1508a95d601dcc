"""The notifier on real Postgres, NATS and SMTP."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import main, sender
from services.notifier.channels.mail import MAIL
from services.notifier.channels.port import Due
from services.notifier.sender import WORKERS, Sender
from shared.contracts.subjects import case_event
from shared.db.engine import Database
from shared.db.models import MailboxMessage
from shared.domain import commands as c
from shared.domain.policy import Policy
from shared.domain.profiles import STANDARD, TEAM_PORTAL
from shared.messaging import connect, ensure_topology, list_dead, publish, replay_dead
from shared.settings import Settings
from tests.integration.notifier_world import (
    TRACE,
    MailServer,
    World,
    make_desk,
    notifier,
    process,
    readiness,
    to_mailbox,
    to_server,
)
from tests.stack import free_port
from tests.waiting import until


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    handler = MailServer()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    handler.port = listening.sockets[0].getsockname()[1]
    yield handler
    listening.close()
    await listening.wait_closed()


@pytest.fixture
async def make_world(servers: Settings) -> AsyncIterator[Callable[[Policy], Awaitable[World]]]:
    database = Database(servers.database_url, pool_size=3)
    bus = await connect(servers, "test")
    await ensure_topology(bus)

    async def make(policy: Policy) -> World:
        slug = f"d{uuid.uuid4().hex[:8]}"
        await make_desk(database, slug)
        return World(servers, database, bus, slug, policy)

    yield make
    await bus.close()
    await database.close()


@pytest.fixture
async def world(make_world: Callable[[Policy], Awaitable[World]]) -> World:
    return await make_world(STANDARD)


async def test_each_recipient_gets_one_mail_however_often_the_event_comes(
    world: World, mail_server: MailServer
) -> None:
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(contact=world.address("carol"), cc=(world.address("dave"), world.address("bob")))
        await world.do(c.Comment(command_id="twice", actor=world.ada, body="Looking into it"), times=3)
        await world.all_done(5)
        await world.quiet()
    opened = [message for message in mail_server.taken if message["Message-ID"].startswith(f"<{world.case_id}.1.")]
    assert sorted(message["To"] for message in opened) == [world.address("carol"), world.address("dave")]
    assert mail_server.recipients() == sorted(
        [
            *(world.address(name) for name in ("carol", "dave")),
            *(world.address(name) for name in ("bob", "carol", "dave")),
        ]
    )
    assert len({message["Message-ID"] for message in mail_server.taken}) == 5
    [to_dave] = [m for m in mail_server.taken if m["To"] == world.address("dave") and m not in opened]
    assert to_dave["Subject"] == "[T-1] Invoices are empty"
    assert f"https://help.example/desks/{world.slug}/cases/1#event-2" in to_dave.as_string()
    body = to_dave.get_body(("plain",))
    assert body is not None
    assert "Ada wrote:" in body.get_content()
    assert "> Looking into it" in body.get_content()


async def test_a_reply_reaches_the_opener_and_every_admin_of_the_account(
    make_world: Callable[[Policy], Awaitable[World]], mail_server: MailServer
) -> None:
    """desk-rules T7."""
    world = await make_world(TEAM_PORTAL)
    async with notifier(to_server(world.settings, mail_server)):
        await world.open()
        await world.say("Please try again", await_reply=True)
        await world.all_done(3)
    replies = [m for m in mail_server.taken if m["Message-ID"].startswith(f"<{world.case_id}.2.")]
    assert sorted(m["To"] for m in replies) == [world.address("bob"), world.address("root")]
    assert all("Waiting for Customer" in m.as_string() for m in replies)


async def test_an_internal_note_is_mailed_to_nobody_outside(world: World, mail_server: MailServer) -> None:
    """desk-rules standard 5."""
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(contact=world.address("carol"))
        await world.do(c.Assign(command_id="assign", actor=world.ada, assignee=world.address("eve")))
        await world.say("SECRET-WORD", internal=True)
        await world.say("Hello")
        await world.all_done(8)
        await world.quiet()
    with_note = [m["To"] for m in mail_server.taken if "SECRET-WORD" in m.as_string()]
    assert with_note == [world.address("eve")]


async def test_a_server_that_is_busy_is_asked_again(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "RETRY_SECONDS", (0.2, 0.2, 0.2))
    mail_server.answers = {world.address("carol"): ["451 try later", "421 busy"]}
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(contact=world.address("carol"))
        await world.all_done(1)
    [delivery] = await world.deliveries()
    assert (delivery.status, delivery.attempts, delivery.error) == ("sent", 3, None)
    assert delivery.sent_at is not None
    assert mail_server.recipients() == [world.address("carol")]
    assert mail_server.attempts == [world.address("carol")] * 3


async def test_an_address_that_is_refused_fails_becomes_a_dead_letter_and_can_be_replayed(
    world: World, mail_server: MailServer
) -> None:
    mail_server.answers = {world.address("carol"): ["550 no such user"]}
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(contact=world.address("carol"), cc=(world.address("dave"),))
        await world.all_done(2)
        carol, dave = await world.deliveries()
        assert (carol.status, carol.attempts, dave.status) == ("failed", 1, "sent")
        assert "550 no such user" in (carol.error or "")
        [letter] = [letter for letter in await list_dead(world.bus) if world.address("carol") in (letter.data or "")]
        assert letter.consumer == "notifier"
        assert "550 no such user" in letter.reason

        mail_server.answers.clear()
        await replay_dead(world.bus, letter.seq)
        await until(lambda: _sent(world, "carol"))
    assert mail_server.recipients() == [world.address("carol"), world.address("dave")]


async def _sent(world: World, name: str) -> bool:
    return any(row.status == "sent" and row.recipient == world.address(name) for row in await world.deliveries())


async def test_giving_up_after_the_last_attempt_is_a_dead_letter_too(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "RETRY_SECONDS", (0.1,))
    mail_server.answers = {world.address("carol"): ["451 later"] * 5}
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(contact=world.address("carol"))
        await world.all_done(1)
    [delivery] = await world.deliveries()
    assert (delivery.status, delivery.attempts) == ("failed", 2)
    assert "given up after 2 attempts" in (delivery.error or "")
    assert any(world.address("carol") in (letter.data or "") for letter in await list_dead(world.bus))


async def test_a_mail_server_that_is_down_loses_nothing(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "RETRY_SECONDS", (0.2,) * 50)
    settings = to_server(world.settings, MailServer(port=1))
    async with notifier(settings):
        await world.open(contact=world.address("carol"))
        await until(lambda: _attempted(world))
    async with notifier(to_server(world.settings, mail_server)):
        await world.all_done(1)
    assert mail_server.recipients() == [world.address("carol")]


async def _attempted(world: World) -> bool:
    return any(row.attempts > 0 and row.status == "pending" and row.error for row in await world.deliveries())


async def test_several_notifiers_send_each_mail_once(world: World, mail_server: MailServer) -> None:
    settings = to_server(world.settings, mail_server)
    people = tuple(world.address(f"p{n:02}") for n in range(40))
    async with notifier(settings), notifier(settings):
        await world.open(cc=people)
        await world.all_done(40)
    assert mail_server.recipients() == sorted(people)


async def test_a_slow_mail_server_gets_several_mails_at_the_same_time(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a few new ones wake but one worker, and the others would not look by themselves."""
    monkeypatch.setattr(sender, "_LOOK_AGAIN_SECONDS", 3600.0)
    mail_server.together = WORKERS
    people = tuple(world.address(f"p{n:02}") for n in range(WORKERS))
    async with notifier(to_server(world.settings, mail_server)):
        await world.open(cc=people)
        await world.all_done(WORKERS)
    assert mail_server.recipients() == sorted(people)


async def test_in_development_mail_lands_in_the_mailbox_once(world: World) -> None:
    async with notifier(to_mailbox(world.settings)):
        await world.open(contact=world.address("carol"))
        await world.do(c.Comment(command_id="twice", actor=world.ada, body="Hello"), times=2)
        await world.all_done(3)
        await world.quiet()
    async with world.database.read() as session:
        rows = await session.scalars(
            select(MailboxMessage).where(MailboxMessage.message_id.contains(str(world.case_id)))
        )
        mails = sorted(rows, key=lambda row: row.id)
    assert sorted(row.to[0] for row in mails) == sorted(world.address(name) for name in ("carol", "carol", "bob"))
    assert {row.subject for row in mails} == {"[T-1] Invoices are empty"}
    assert {row.cc == [] for row in mails} == {True}
    assert all(row.in_reply_to and row.html and row.text for row in mails)


async def test_without_a_mail_server_deliveries_wait_and_readiness_says_why(world: World) -> None:
    port = free_port()
    settings = world.settings.model_copy(update={"smtp_url": None, "development": False, "metrics_port": port})
    async with notifier(settings):
        await world.open(contact=world.address("carol"))
        await until(lambda: _count(world, 1))
        await world.quiet()
        code, text = await readiness(port)
        assert code == 503
        assert "set CASEBOUND_SMTP_URL; 1 deliveries wait" in text
    [delivery] = await world.deliveries()
    assert (delivery.status, delivery.attempts) == ("pending", 0)
    async with notifier(to_mailbox(world.settings)):
        await world.all_done(1)


async def _count(world: World, count: int) -> bool:
    return len(await world.deliveries()) == count


async def test_what_is_no_event_is_a_dead_letter_and_holds_nobody_up(world: World) -> None:
    async with notifier(to_mailbox(world.settings)):
        await publish(world.bus, case_event(world.slug, 1, "opened"), b"not json")
        await world.open(contact=world.address("carol"))
        await world.all_done(1)
        await world.quiet()
    [letter] = [letter for letter in await list_dead(world.bus) if letter.subject == f"cases.v1.{world.slug}.1.opened"]
    assert letter.original == b"not json"
    assert "not the event of a case" in letter.reason


async def test_an_old_event_is_told_to_those_of_its_time(world: World) -> None:
    """An event that comes again after the stream was lost must not reach people copied since."""
    await world.open(contact=world.address("carol"))
    await world.do(
        c.Edit(command_id="cc", actor=world.actor("bob"), changes={"cc": (world.address("late"),)}),
    )
    async with notifier(to_mailbox(world.settings)):
        await world.all_done(3)
        await world.quiet()
    told = [(row.seq, row.recipient) for row in await world.deliveries()]
    assert told == [(1, world.address("carol")), (2, world.address("carol")), (2, world.address("late"))]


async def test_the_end_of_the_window_stands_in_the_mail(world: World) -> None:
    async with notifier(to_mailbox(world.settings)):
        await world.open()
        await world.do(c.Resolve(command_id="r", actor=world.ada, resolution_type="provided", summary="Fixed"))
        await world.all_done(1)
    async with world.database.read() as session:
        text = await session.scalar(
            select(MailboxMessage.text).where(MailboxMessage.message_id.contains(str(world.case_id)))
        )
    assert text is not None
    assert "It closes by itself on " in text
    assert "(Europe/London) if nothing more is said." in text


async def test_the_process_tells_in_the_trace_of_the_command_and_stops_when_asked(world: World, tmp_path: Path) -> None:
    port, spans = free_port(), tmp_path / "spans.sqlite"

    async def ready() -> bool:
        return (await readiness(port))[0] == 200

    async with process(world.settings, port, spans) as running:
        await until(ready, 30)
        await world.open(contact=world.address("carol"))
        await world.all_done(1)
        running.terminate()
        assert await asyncio.wait_for(running.wait(), 10) == 0
    with closing(sqlite3.connect(spans)) as store:
        found = dict(store.execute("SELECT name, span_id FROM span WHERE trace_id = ?", (TRACE,)).fetchall())
        parent = store.execute("SELECT parent_id FROM span WHERE name = 'mail send'").fetchone()
    assert parent == (found["notify"],)


async def test_it_stops_when_the_mail_server_says_goodbye_at_that_very_moment(world: World) -> None:
    """``asyncio.wait_for``, which the SMTP client waits with, swallows such a cancellation before Python 3.12."""

    class Goodbye:
        """A channel that hears the last answer just when the sender is told to stop."""

        name = MAIL

        async def deliver(self, connection: AsyncConnection, due: Due) -> str:
            raise AssertionError("there is nothing to deliver")

        async def rest(self) -> None:
            sending.cancel()
            answer = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(answer.set_result, "221 Bye")
            await asyncio.wait_for(answer, 10)

    sending = asyncio.create_task(Sender(world.database, world.bus, lambda: [Goodbye()], retry_seconds=()).run())
    await asyncio.wait((sending,), timeout=10)
    assert sending.cancelled()


async def test_a_process_that_is_killed_while_sending_loses_no_mail(
    world: World, mail_server: MailServer, tmp_path: Path
) -> None:
    people = [world.address(f"p{n:02}") for n in range(12)]
    settings = to_server(world.settings, mail_server)
    mail_server.takes = 3
    async with process(settings, free_port(), tmp_path / "a.sqlite"):
        await world.open(cc=tuple(people))
        await until(mail_server.is_stuck, 30)
    mail_server.takes = 1000
    async with process(settings, free_port(), tmp_path / "b.sqlite"):
        await world.all_done(len(people))
    assert sorted(set(mail_server.recipients())) == people
    assert len({message["Message-ID"] for message in mail_server.taken}) == len(people)
