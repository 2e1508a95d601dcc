"""Webhooks from a command to a real HTTP receiver, and what the desk's leads see of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select, update
from starlette.responses import Response

from services.notifier.channels.webhook import WebhookChannel, parse_networks
from shared.db.models import Delivery, Webhook
from shared.messaging import connect, list_dead, replay_dead
from shared.settings import Settings
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, serving, working
from tests.desks import apply_to, desk_file
from tests.integration.notifier_world import notifier
from tests.receiver import Inbox, Receiver, receiving
from tests.waiting import until

RETRIES = [0.2, 0.2, 0.2]
KINDS = ("opened", "commented", "awaiting_customer")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    settings = servers.model_copy(
        update={
            "development": True,
            "metrics_port": None,
            "webhook_allowed_networks": "127.0.0.0/8",
            "webhook_retry_seconds": RETRIES,
        }
    )
    async with working(settings), serving(settings) as world, notifier(settings):
        yield world


def entry(inbox: Inbox, *events: str) -> dict[str, Any]:
    return {"url": inbox.url, "secret": inbox.secret, "events": list(events or ["case.*"])}


async def conversation(desk: ApiDesk) -> int:
    """A case opened, and a comment that asks the customer: three events of two commands."""
    number = int((await desk.bob.opened())["number"])
    await desk.ada.post(f"/cases/{number}/comments", {"body": "Which one?", "await_reply": True})
    return number


async def webhook_of(desk: ApiDesk, inbox: Inbox) -> dict[str, Any]:
    items = (await desk.leo.get("/webhooks")).json()["items"]
    found: dict[str, Any] = next(item for item in items if item["url"] == inbox.url)
    return found


async def log(desk: ApiDesk, inbox: Inbox, **query: Any) -> list[dict[str, Any]]:
    webhook = await webhook_of(desk, inbox)
    items: list[dict[str, Any]] = (await desk.leo.get(f"/webhooks/{webhook['id']}/deliveries", **query)).json()["items"]
    return items


async def settled(desk: ApiDesk, inbox: Inbox, count: int) -> list[dict[str, Any]]:
    """The deliveries once none is pending, newest first."""

    async def done() -> bool:
        items = await log(desk, inbox)
        return len(items) == count and all(item["status"] != "pending" for item in items)

    await until(done, 20)
    return await log(desk, inbox)


async def test_each_event_comes_once_in_order_signed(world: ApiWorld, receiver: Receiver) -> None:
    inbox, one_kind = receiver.inbox(), receiver.inbox()
    desk = await world.desk(webhooks=[entry(inbox), entry(one_kind, "case.awaiting_customer")])
    number = await conversation(desk)
    await inbox.until(3)
    await one_kind.until(1)
    assert (*inbox.kinds(),) == KINDS
    assert one_kind.kinds() == ["awaiting_customer"]
    opened = inbox.taken[0]
    assert opened["source"] == f"/desks/{desk.slug}/cases/{number}"
    assert opened["data"]["case"]["subject"] == NEW_CASE["subject"]
    assert inbox.ids == [event["id"] for event in inbox.taken]
    assert inbox.headers[0]["content-type"].startswith("application/cloudevents+json")
    assert inbox.headers[0]["traceparent"]
    newest, *_ = await settled(desk, inbox, 3)
    assert newest | {"id": 0, "created_at": "", "sent_at": "", "duration_ms": 0} == {
        "id": 0,
        "event_id": inbox.ids[-1],
        "event": "awaiting_customer",
        "case": number,
        "status": "sent",
        "attempts": 1,
        "response_status": 204,
        "duration_ms": 0,
        "error": None,
        "next_attempt_at": None,
        "created_at": "",
        "sent_at": "",
    }


async def test_what_is_internal_comes_only_if_it_is_asked_for(world: ApiWorld, receiver: Receiver) -> None:
    usual, everything, notes = receiver.inbox(), receiver.inbox(), receiver.inbox()
    desk = await world.desk(webhooks=[entry(usual), entry(everything, "*"), entry(notes, "case.noted")])
    number = (await desk.bob.opened())["number"]
    await desk.ada.post(f"/cases/{number}/comments", {"body": "Bob is new to this.", "internal": True})
    await desk.ada.post(f"/cases/{number}/comments", {"body": "Hello"})
    await asyncio.gather(usual.until(2), everything.until(3), notes.until(1))
    assert usual.kinds() == ["opened", "commented"]
    assert everything.kinds() == ["opened", "noted", "commented"]
    assert notes.kinds() == ["noted"]


async def test_a_receiver_that_fails_at_first_gets_each_event_in_the_end(world: ApiWorld, receiver: Receiver) -> None:
    failures = [Response("not now", 503), Response(status_code=302, headers={"Location": "/elsewhere"})]
    inbox = receiver.inbox(answers=failures)
    desk = await world.desk(webhooks=[entry(inbox)])
    await desk.bob.opened()
    await inbox.until(1)
    assert inbox.ids == [inbox.ids[0]] * 3
    (delivery,) = await settled(desk, inbox, 1)
    assert (delivery["status"], delivery["attempts"]) == ("sent", 3)
    assert receiver.calls["elsewhere"] == 0
    webhook = await webhook_of(desk, inbox)
    assert webhook["state"] == "active"
    assert webhook["last_failure_at"] < webhook["last_success_at"]


async def test_a_delivery_that_never_succeeds_is_dead_and_can_be_made_again(
    world: ApiWorld, receiver: Receiver
) -> None:
    inbox = receiver.inbox(answers=[Response("broken", 500)] * 2 * (len(RETRIES) + 1))
    desk = await world.desk(webhooks=[entry(inbox)])
    await desk.bob.opened()
    (dead,) = await settled(desk, inbox, 1)
    assert (dead["status"], dead["attempts"], dead["response_status"]) == ("failed", 4, 500)
    assert dead["error"] == "given up after 4 attempts; the last: answered 500: «broken»"
    webhook = await webhook_of(desk, inbox)
    assert (webhook["state"], webhook["last_error"]) == ("failing", "answered 500: «broken»")
    answer = await desk.leo.post(f"/webhooks/{webhook['id']}/deliveries/{dead['id']}/replay", key="again")
    assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (200, "pending", 0)
    (dead_again,) = await settled(desk, inbox, 1)
    assert dead_again["status"] == "failed"
    assert (await desk.leo.post(f"/webhooks/{webhook['id']}/deliveries/{dead['id']}/replay", key="again")).json() == (
        answer.json()
    )
    bus = await connect(world.settings, "test")
    letter = next(letter for letter in await list_dead(bus) if f'"{inbox.url}"' in (letter.data or ""))
    await replay_dead(bus, letter.seq)
    await bus.close()
    await inbox.until(1)
    assert (await settled(desk, inbox, 1))[0]["status"] == "sent"


async def test_a_slow_receiver_delays_neither_others_nor_mail(world: ApiWorld, receiver: Receiver) -> None:
    slow, quick = receiver.inbox(closed=True), receiver.inbox()
    desk = await world.desk(webhooks=[entry(slow), entry(quick)])
    number = await conversation(desk)
    await quick.until(3)

    async def mailed() -> bool:
        query = select(Delivery).where(Delivery.channel == "mail", Delivery.status == "sent")
        async with world.database.read() as session:
            sent = (await session.scalars(query)).all()
        return {row.seq for row in sent if str(row.case_id) in quick.ids[0]} == {2}

    await until(mailed)
    assert slow.arrived
    assert slow.taken == []
    assert (await webhook_of(desk, slow))["pending"] == 3
    slow.open.set()
    await slow.until(3)
    assert (*slow.kinds(),) == KINDS
    assert slow.most_at_once == 1
    pages: list[Sequence[Any]] = [await log(desk, slow, limit=2)]
    pages.append(await log(desk, slow, limit=2, before=pages[0][-1]["id"]))
    assert [item["event"] for page in pages for item in page] == [*reversed(KINDS)]
    assert {item["case"] for page in pages for item in page} == {number}


async def test_two_notifiers_tell_each_event_once_and_one_at_a_time(world: ApiWorld, receiver: Receiver) -> None:
    inbox = receiver.inbox()
    desk = await world.desk(webhooks=[entry(inbox, "case.opened")])
    async with notifier(world.settings):
        await asyncio.gather(*(desk.bob.opened() for _ in range(12)))
        await settled(desk, inbox, 12)
    assert len(inbox.ids) == len(set(inbox.ids)) == 12
    assert inbox.most_at_once == 1


async def test_what_a_notifier_left_behind_is_told_by_another(world: ApiWorld, receiver: Receiver) -> None:
    """One that was killed while it sent has left the webhook marked as busy."""
    inbox = receiver.inbox()
    desk = await world.desk(webhooks=[entry(inbox)])
    async with world.database.write() as session:
        busy = update(Webhook).where(Webhook.url == inbox.url).values(busy_until=func.now() + timedelta(seconds=2))
        until_when = (await session.execute(busy.returning(Webhook.busy_until))).scalar_one()
    await desk.bob.opened()
    (delivery,) = await settled(desk, inbox, 1)
    assert until_when
    assert datetime.fromisoformat(delivery["sent_at"]) > until_when


async def test_a_receiver_that_is_gone_is_told_nothing_until_a_test_arrives(
    world: ApiWorld, receiver: Receiver
) -> None:
    inbox = receiver.inbox(answers=[Response(status_code=410), Response(status_code=410)])
    desk = await world.desk(webhooks=[entry(inbox)])
    await desk.bob.opened()
    (delivery,) = await settled(desk, inbox, 1)
    assert (delivery["status"], delivery["response_status"]) == ("cancelled", 410)
    webhook = await webhook_of(desk, inbox)
    assert webhook["state"] == "disabled"
    for delivered, status, state in ((False, 410, "disabled"), (True, 204, "active")):
        result = (await desk.leo.post(f"/webhooks/{webhook['id']}/test")).json()
        assert (result["delivered"], result["response_status"]) == (delivered, status)
        assert (await webhook_of(desk, inbox))["state"] == state
    assert inbox.taken[-1]["type"] == "casebound.ping.v1"
    await desk.bob.opened()
    await inbox.until(2)
    assert inbox.kinds()[-1] == "opened"


async def test_a_webhook_that_is_taken_out_of_the_desk_file_is_told_nothing_more(
    world: ApiWorld, receiver: Receiver
) -> None:
    inbox = receiver.inbox(closed=True)
    content = desk_file(webhooks=[entry(inbox)])
    await apply_to(world.database, content)
    desk = ApiDesk(world, content["desk"])
    await conversation(desk)
    await until(lambda: _pending(desk, inbox, 3))
    del content["webhooks"]
    lines = await apply_to(world.database, content)
    assert lines == [f"- webhook {inbox.url}"]
    inbox.open.set()
    async with world.database.read() as session:
        rows = await session.scalars(select(Delivery).where(Delivery.recipient == inbox.url))
        assert {row.status for row in rows} == {"cancelled"}
    assert (await desk.leo.get("/webhooks")).json() == {"items": []}


async def _pending(desk: ApiDesk, inbox: Inbox, count: int) -> bool:
    return bool((await webhook_of(desk, inbox))["pending"] == count and inbox.arrived)


async def test_webhooks_are_for_leads_and_of_their_own_desk(world: ApiWorld, receiver: Receiver) -> None:
    inbox = receiver.inbox()
    desk, other = await world.desk(webhooks=[entry(inbox)]), await world.desk()
    webhook = await webhook_of(desk, inbox)
    assert "secret" not in str(webhook)
    assert inbox.secret not in (await desk.leo.get("/webhooks")).text
    for person in (desk.ada, desk.bob):
        assert (await person.get("/webhooks")).status_code == 403
        assert (await person.post(f"/webhooks/{webhook['id']}/test")).status_code == 403
    for path in (f"/webhooks/{webhook['id']}/deliveries", "/webhooks/999999/deliveries"):
        assert (await other.leo.get(path)).status_code == 404
    assert (await other.leo.post(f"/webhooks/{webhook['id']}/test")).status_code == 404
    assert (await desk.leo.post(f"/webhooks/{webhook['id']}/deliveries/999999/replay")).status_code == 404
    assert inbox.arrived == []


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}/x",
        "https://[::ffff:127.0.0.1]:{port}/x",
        "https://localhost:{port}/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://100.64.0.1/x",
        "https://0.0.0.0:{port}/x",
        "http://93.184.215.14/x",
    ],
)
async def test_addresses_that_are_not_public_are_refused(receiver: Receiver, url: str) -> None:
    before = sum(receiver.calls.values())
    channel = WebhookChannel(parse_networks("10.9.0.0/16"))
    attempt = await channel.post(url.format(port=receiver.port), receiver.inbox().secret, "m", b"{}")
    await channel.close()
    assert attempt.status is None
    assert "CASEBOUND_WEBHOOK_ALLOWED_NETWORKS" in (attempt.error or "")
    assert sum(receiver.calls.values()) == before


def test_networks_are_read() -> None:
    assert [str(network) for network in parse_networks(" 10.1.0.0/16, ::1/128,")] == ["10.1.0.0/16", "::1/128"]
    with pytest.raises(ValueError, match=r"CASEBOUND_WEBHOOK_ALLOWED_NETWORKS: .*localhost"):
        parse_networks("localhost")


async def test_without_a_usable_secret_nothing_is_sent(receiver: Receiver) -> None:
    inbox = receiver.inbox()
    channel = WebhookChannel(parse_networks("127.0.0.0/8"))
    attempt = await channel.post(inbox.url, "whsec_…", "m", b"{}")
    await channel.close()
    assert (attempt.status, inbox.arrived) == (None, [])
    assert attempt.error == "nothing can be signed with the webhook's secret; put it right in the desk file"
