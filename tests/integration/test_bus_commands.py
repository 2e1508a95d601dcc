"""Commands over NATS: carried out, answered and refused as over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
import pytest_asyncio
from nats.aio.client import Client

from services.api import bus_commands
from services.api.bus_commands import ROUTES
from shared.contracts.workflow import SIGNALS
from shared.settings import Settings
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, serving, working
from tests.desks import ADA, BOB
from tests.integration.nats_server import Server

USERS = [
    {"user": "casebound", "password": "secret"},
    {
        "user": "monitoring",
        "password": "secret",
        "permissions": {"publish": ["commands.v1.>"], "subscribe": ["_INBOX_monitoring.>"]},
    },
]


@dataclass
class Answered:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


async def ask(
    nc: Client,
    desk: ApiDesk,
    who: str | None,
    number: int | str,
    command: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] = {},
    patience: float = 20,
) -> Answered:
    """Send a command and wait for its answer; ``body`` may be bytes, to be sent as they are."""
    own = desk.person(who).headers if who else {}
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    subject = f"commands.v1.{desk.slug}.{number}.{command}"
    answer = await nc.request(subject, data, timeout=patience, headers={**own, **headers} or None)
    assert answer.headers
    return Answered(int(answer.headers["Casebound-Status"]), json.loads(answer.data), answer.headers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    async with working(servers), serving(servers) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nc(world: ApiWorld) -> AsyncIterator[Client]:
    """A connection, once commands are taken: the API connects to NATS while it already answers over HTTP."""
    client = await nats.connect(world.settings.nats_url)
    await _patiently(client, await world.desk(), "first")
    yield client
    await client.close()


async def kinds(desk: ApiDesk, number: int) -> list[str]:
    return [event["kind"] for event in (await desk.ada.get(f"/cases/{number}/events")).json()["items"]]


def test_there_is_a_command_for_every_signal_and_for_opening() -> None:
    assert set(ROUTES) >= {*SIGNALS, "open", "follow_up"}


async def test_the_life_of_a_case(nc: Client, desk: ApiDesk) -> None:
    opened = await ask(nc, desk, BOB, "new", "open", NEW_CASE)
    assert (opened.status, opened.body["status"]) == (201, "new")
    number = opened.body["number"]
    uploaded = await desk.bob.ask("POST", "/attachments", files={"file": ("error.txt", b"Error 1217")})
    file = uploaded.json()
    for who, command, body, status in (
        (ADA, "assign", {"assignee": ADA}, 200),
        (ADA, "comment", {"body": "Which one?", "await_reply": True}, 201),
        (BOB, "comment", {"body": "All of them."}, 201),
        (BOB, "edit", {"internal_reference": "B-7"}, 200),
        (BOB, "escalate", {"comment": "Today, please."}, 200),
        (BOB, "request-close", {}, 200),
        (ADA, "resolve", {"resolution_type": "provided", "summary": "Number range."}, 200),
        (BOB, "reject", {"reason": "Still fails."}, 200),
        (ADA, "resolve", {"resolution_type": "provided", "summary": "All ranges."}, 200),
        (BOB, "accept", {}, 200),
        (BOB, "survey", {"q1": 5, "q2": "Good."}, 200),
        (BOB, "reopen", {"reason": "Again."}, 200),
        (BOB, "attach", {"attachments": [file["id"]]}, 200),
        (BOB, "remove_attachment", {"attachment": file["id"]}, 200),
    ):
        answer = await ask(nc, desk, who, f"CON-{number}", command, body)
        assert answer.status == status, (command, answer)
    assert answer.body == (await desk.bob.get(f"/cases/{number}")).json()
    assert answer.headers["Content-Type"] == "application/json"


async def test_a_command_sent_over_nats_and_again_over_http_is_carried_out_once(nc: Client, desk: ApiDesk) -> None:
    first = await ask(nc, desk, BOB, "new", "open", {**NEW_CASE, "command_id": "both"})
    again = await desk.bob.post("/cases", NEW_CASE, key="both")
    assert (again.status_code, again.json()) == (first.status, first.body)
    number = first.body["number"]
    said = {"body": "Only once.", "command_id": "c-1"}
    answers = [
        await ask(nc, desk, BOB, f"CON-{number}", "comment", said),
        await ask(nc, desk, BOB, number, "comment", {"body": "Only once."}, headers={"Idempotency-Key": "c-1"}),
    ]
    over_http = await desk.bob.post(f"/cases/{number}/comments", said)
    assert [answer.body for answer in answers] == [over_http.json()] * 2
    assert await kinds(desk, number) == ["opened", "commented"]
    other = await ask(nc, desk, BOB, number, "comment", {"body": "Something else.", "command_id": "c-1"})
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_two_different_ids_of_one_command_are_refused(desk: ApiDesk) -> None:
    answer = await desk.bob.post("/cases", {**NEW_CASE, "command_id": "one"}, key="two")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "command_id"
    blank = await desk.bob.post("/cases", {**NEW_CASE, "command_id": ""})
    assert (blank.status_code, blank.json()["errors"][0]["field"]) == (422, "command_id")


async def test_refusals_are_those_of_http(nc: Client, desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    await desk.bob.did(number, "escalate", comment="Now")
    for who, command, path, body in (
        (BOB, "escalate", "escalate", {"comment": "Really"}),
        (BOB, "accept", "accept", {}),
        (BOB, "resolve", "resolve", {"resolution_type": "provided", "summary": "x"}),
        (ADA, "assign", "assign", {"assignee": BOB}),
        (ADA, "comment", "comments", {"body": ""}),
        (ADA, "comment", "comments", {"body": "x", "colour": "red"}),
    ):
        over_nats = await ask(nc, desk, who, number, command, body)
        over_http = await desk.person(who).post(f"/cases/{number}/{path}", body)
        assert over_nats.status == over_http.status_code >= 400
        assert over_nats.body == over_http.json()
        assert over_nats.headers["Content-Type"] == over_http.headers["Content-Type"] == "application/problem+json"
    assert await kinds(desk, number) == ["opened", "escalated"]


@pytest.mark.parametrize(
    ("who", "number", "command", "body", "status", "code"),
    [
        (None, "1", "comment", {"body": "x"}, 401, "unauthenticated"),
        ("erin@other.example", "1", "comment", {"body": "x"}, 404, "not_found"),
        (BOB, "999", "comment", {"body": "x"}, 404, "not_found"),
        (BOB, "new", "comment", {"body": "x"}, 404, "not_found"),
        (BOB, "OTH-1", "comment", {"body": "x"}, 404, "not_found"),
        (BOB, "1", "explode", {}, 422, "unknown_command"),
        (BOB, "1", "remove_attachment", {}, 422, "invalid_request"),
        (BOB, "1", "comment", b"{not json", 422, "invalid_request"),
        (BOB, "1", "comment", b"", 422, "invalid_request"),
        (BOB, "1", "comment", b"[1]", 422, "invalid_request"),
        ("reporting", "1", "comment", {"body": "x"}, 403, "forbidden"),
    ],
)
async def test_what_cannot_be_carried_out_is_answered_with_a_problem(
    nc: Client, desk: ApiDesk, who: str | None, number: str, command: str, body: Any, status: int, code: str
) -> None:
    await desk.bob.opened()
    answer = await ask(nc, desk, who, number, command, body)
    assert (answer.status, answer.body["status"], answer.body["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_foreign_desk_and_a_forged_token(nc: Client, world: ApiWorld, desk: ApiDesk) -> None:
    unknown = await ask(nc, ApiDesk(world, "no-such-desk"), BOB, "1", "comment", {"body": "x"})
    assert (unknown.status, unknown.body["code"]) == (404, "not_found")
    forged = await ask(nc, desk, None, "1", "comment", {"body": "x"}, headers={"Authorization": "Bearer forged"})
    assert (forged.status, forged.body["code"]) == (401, "unauthenticated")


async def test_a_command_without_a_reply_subject_is_carried_out(nc: Client, desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    subject = f"commands.v1.{desk.slug}.{number}.comment"
    await nc.publish(subject, b'{"body": "Fire and forget."}', headers=desk.bob.headers)
    async with asyncio.timeout(10):
        while await kinds(desk, number) != ["opened", "commented"]:
            await asyncio.sleep(0.05)


async def test_api_processes_share_commands_and_stop_without_losing_an_answer(
    nc: Client, servers: Settings, desk: ApiDesk
) -> None:
    number = (await desk.bob.opened())["number"]

    async def say(index: int) -> Answered:
        return await ask(nc, desk, BOB, number, "comment", {"body": f"{index}", "command_id": f"s{index}"})

    async with serving(servers):
        first = [asyncio.create_task(say(index)) for index in range(60)]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    answers = await asyncio.gather(*first)
    assert [answer.status for answer in answers] == [201] * 60
    assert len(await kinds(desk, number)) == 61


async def test_commands_go_on_after_nats_has_been_away(servers: Settings, data_dir: Path) -> None:
    """Sent by a service whose user may do nothing else on NATS."""
    server = Server(data_dir, authorization={"users": USERS})
    server.start()
    own_nats = {"nats_url": f"nats://casebound:secret@127.0.0.1:{server.port}"}
    service = f"nats://monitoring:secret@127.0.0.1:{server.port}"
    try:
        async with serving(servers.model_copy(update=own_nats)) as world:
            desk = await world.desk()
            nc = await nats.connect(
                service, inbox_prefix=b"_INBOX_monitoring", reconnect_time_wait=0.1, max_reconnect_attempts=-1
            )
            try:
                assert (await _patiently(nc, desk, "before")).status == 201
                server.kill()
                server.start()
                again = await _patiently(nc, desk, "after")
            finally:
                await nc.close()
        assert again.status == 201
        assert again.body["number"] == 2
    finally:
        server.kill()


async def test_more_than_can_wait_is_answered_503(nc: Client, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_commands, "AT_ONCE", 1)
    monkeypatch.setattr(bus_commands, "MOST_WAITING", 2)
    number = (await desk.bob.opened())["number"]
    bodies = [{"body": f"{index}"} for index in range(30)]
    answers = await asyncio.gather(*(ask(nc, desk, BOB, number, "comment", body) for body in bodies))
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {201, 503}
    refused = answers[statuses.index(503)]
    assert refused.body["code"] == "unavailable"
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    assert (await kinds(desk, number)).count("commented") == statuses.count(201)


async def test_what_is_too_large(nc: Client, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = (await desk.bob.opened())["number"]
    long = await ask(nc, desk, BOB, number, "comment", {"body": "x" * 900_000})
    assert (long.status, long.body["errors"][0]["field"]) == (422, "body")
    with pytest.raises(nats.errors.MaxPayloadError):
        await ask(nc, desk, BOB, number, "comment", {"body": "x" * 1_100_000})
    monkeypatch.setattr(bus_commands, "_ROOM_FOR_HEADERS", nc.max_payload)
    headers = desk.bob.headers
    answer = await nc.request(f"commands.v1.{desk.slug}.{number}.comment", b'{"body": "x"}', 15, headers=headers)
    assert answer.headers
    assert (answer.headers["Casebound-Status"], answer.data) == ("201", b"")


async def _patiently(nc: Client, desk: ApiDesk, command_id: str) -> Answered:
    """Send an opening until it is answered, as a well-behaved program does."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask(nc, desk, BOB, "new", "open", {**NEW_CASE, "command_id": command_id}, patience=2)
            except nats.errors.Error:
                await asyncio.sleep(0.1)
