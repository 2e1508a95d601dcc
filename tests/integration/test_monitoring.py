"""A monitoring service beside the running product: three ways in, webhooks out; the examples of the documentation."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import pytest
import pytest_asyncio
import yaml
from sqlalchemy import select

from shared.contracts.workflow import workflow_id
from shared.db.engine import Database
from shared.db.models import Case, Delivery
from shared.db.models import Desk as ModelDesk
from shared.desks import apply_file
from shared.temporal import connect as connect_to_temporal
from tests.client import Caller, Connections, caller
from tests.desks import LEO, desk_file
from tests.integration.telemetry.kit import read_spans
from tests.stack import RunningStack
from tests.waiting import until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LINGERING = """
import runpy, sys, threading, time
from asyncio.selector_events import BaseSelectorEventLoop as Loop

wake = Loop._write_to_self

def linger(loop):
    wake(loop)
    while threading.current_thread() is not threading.main_thread():
        time.sleep(0.001)

Loop._write_to_self = linger
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script whose other threads, having woken the event loop, want the interpreter until the very end."""


@dataclass
class ReceiverProcess:
    """The example that receives webhooks, as a process."""

    process: subprocess.Popen[str]
    port: int
    secret: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.process.stdout
        while line := await asyncio.to_thread(self.process.stdout.readline):
            self.lines.append(json.loads(line))


@contextmanager
def receiver_process() -> Iterator[ReceiverProcess]:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    command = [sys.executable, str(EXAMPLES / "webhook_receiver.py"), "--port", "0", "--fail-first", "2"]
    with subprocess.Popen([*command, "--secret", secret], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline().removeprefix("listening on port "))
            yield ReceiverProcess(process, port, secret)
        finally:
            process.kill()


@dataclass
class Desk:
    """A desk that a monitoring service works on."""

    stack: RunningStack
    slug: str
    receiver: ReceiverProcess
    environment: dict[str, str]
    leo: Caller

    async def run(self, example: str, *arguments: str) -> str:
        """Run an example to its end; returns what it prints."""
        return await self.run_python(str(EXAMPLES / example), *arguments)

    async def run_python(self, *arguments: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def kinds(self, number: int) -> list[str]:
        return [event["kind"] for event in await self.leo.events(number)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    with receiver_process() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/cases"
        content = desk_file(webhooks=[{"url": url, "secret": receiver.secret, "events": ["case.*"]}])
        slug = content["desk"]
        file = tmp_path_factory.mktemp("desk") / "desk.yaml"
        file.write_text(yaml.safe_dump(content))
        await asyncio.to_thread(apply_file, stack.settings, file)
        token = await asyncio.to_thread(stack.casebound, "token", "monitoring", "--desk", slug)
        environment = {
            "CASEBOUND_API": stack.api,
            "CASEBOUND_DATA_DIR": str(stack.data_dir),
            "CASEBOUND_DESK": slug,
            "CASEBOUND_NATS_URL": stack.addresses["nats"],
            "CASEBOUND_TOKEN": token.stdout.splitlines()[-1],
        }
        async with Connections(stack.api, 1).kept() as connections:
            leo = caller(connections, stack.settings, slug, LEO)
            reading = asyncio.create_task(receiver.read())
            yield Desk(stack, slug, receiver, environment, leo)
            receiver.process.kill()
            await reading


async def test_each_way_in_carries_a_command_out_once_and_each_event_goes_out_once(desk: Desk) -> None:
    incident = f"incident-{uuid.uuid4().hex[:8]}"
    over_http = [await desk.run("monitoring_http.py", incident) for _ in range(2)]
    over_nats = [await desk.run("monitoring_nats.py", f"{incident}-b") for _ in range(2)]
    assert over_http[0] == over_http[1]
    assert over_nats[0] == over_nats[1]
    first, second = json.loads(over_http[0])["case"], json.loads(over_nats[0])["case"]
    assert first != second
    for _ in range(2):
        await desk.run("monitoring_signal.py", desk.slug, str(first), incident, "It is 97 % now.")
    await until(lambda: _has(desk, first, 3))
    assert await desk.kinds(first) == ["opened", "commented", "commented"]
    assert await desk.kinds(second) == ["opened", "commented"]
    assert (await desk.leo.events(first))[-1]["actor"]["name"] == "monitoring"

    await until(lambda: _told(desk, 5), 30)
    told = [(event["data"]["case"]["number"], event["type"].split(".")[2]) for event in desk.receiver.lines]
    assert sorted(told) == sorted(
        [*[(first, kind) for kind in await desk.kinds(first)], *[(second, "opened"), (second, "commented")]]
    )
    assert len({event["id"] for event in desk.receiver.lines}) == 5
    await until(lambda: _all_sent(desk))
    deliveries = await _deliveries(desk)
    assert len(deliveries) == 5
    assert sum(delivery["attempts"] for delivery in deliveries) == 7
    assert await _mailed(desk) == set(), "a service account's address can't receive mail"


async def test_a_signal_is_sent_by_a_process_that_ends_well_while_threads_of_temporals_client_linger(
    desk: Desk,
) -> None:
    number = int((await desk.leo.open(subject="Disk", description="Full.", account="acme"))["number"])
    example = str(EXAMPLES / "monitoring_signal.py")
    await desk.run_python("-c", LINGERING, example, desk.slug, str(number), "incident-lingers", "It is 97 % now.")
    await until(lambda: _has(desk, number, 2))
    assert await desk.kinds(number) == ["opened", "commented"]


async def test_a_refused_signal_is_seen_in_the_activity_and_the_case_lives_on(desk: Desk) -> None:
    number = int((await desk.leo.open(subject="Disk", description="Full.", account="acme"))["number"])
    temporal = await connect_to_temporal(desk.stack.settings)
    case = temporal.get_workflow_handle(workflow_id(desk.slug, number))
    actor = {"kind": "service", "name": "monitoring"}
    await case.signal("accept", {"command_id": "m-1", "actor": actor})
    await case.signal("comment", {"command_id": "m-2", "actor": actor, "text": "No such field"})
    await case.signal("comment", "97 %")
    await until(lambda: _has(desk, number, 4))
    rejected = (await desk.leo.events(number))[1:]
    assert [event["kind"] for event in rejected] == ["command_rejected"] * 3
    assert [event["rejected"] for event in rejected] == ["accept", "comment", "comment"]
    assert (await desk.leo.comment(number, "Thank you"))["kind"] == "commented"


async def test_a_command_over_nats_is_one_trace(desk: Desk) -> None:
    trace_id = secrets.token_hex(16)
    nc = await nats.connect(desk.environment["CASEBOUND_NATS_URL"])
    headers = {
        "Authorization": f"Bearer {desk.environment['CASEBOUND_TOKEN']}",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    body = {"subject": "Disk", "description": "Full.", "account": "acme"}
    answer = await nc.request(f"commands.v1.{desk.slug}.new.open", json.dumps(body).encode(), 15, headers=headers)
    await nc.close()
    assert answer.headers
    assert answer.headers["Casebound-Status"] == "201"
    assert answer.headers["traceparent"].split("-")[1] == trace_id
    wanted = {"command over NATS", "record", "relay publish", "webhook send"}

    async def complete() -> bool:
        spans = await asyncio.to_thread(read_spans, desk.stack.data_dir / "spans.db", trace_id)
        return wanted <= {span.name for span in spans}

    await until(complete, 30)


async def _has(desk: Desk, number: int, count: int) -> bool:
    return len(await desk.kinds(number)) >= count


async def _deliveries(desk: Desk) -> list[dict[str, Any]]:
    (webhook,) = (await desk.leo.send("GET", "/webhooks"))["items"]
    items: list[dict[str, Any]] = (await desk.leo.send("GET", f"/webhooks/{webhook['id']}/deliveries"))["items"]
    return items


async def _all_sent(desk: Desk) -> bool:
    return {delivery["status"] for delivery in await _deliveries(desk)} == {"sent"}


async def _mailed(desk: Desk) -> set[str]:
    """Addresses that were to get a mail about the desk's cases."""
    database = Database(desk.stack.settings.database_url, pool_size=1)
    query = (
        select(Delivery.recipient).join(Case, Case.id == Delivery.case_id).join(ModelDesk, ModelDesk.id == Case.desk_id)
    )
    async with database.read() as session:
        found = await session.scalars(query.where(ModelDesk.slug == desk.slug, Delivery.channel == "mail"))
        addresses = set(found)
    await database.close()
    return addresses


async def _told(desk: Desk, count: int) -> bool:
    return len(desk.receiver.lines) >= count
