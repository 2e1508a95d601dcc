"""`casebound up`: one directory, one stack, kept running, stopped in order, gone on with."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import stat
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from starlette.responses import PlainTextResponse
from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.client import WorkflowHandle

from services.local.checks import nats_version, postgres_version, temporal_version
from services.local.data_dir import DataDir
from services.local.errors import NotReadyError, UnreachableError
from services.local.ports import choose_ports
from services.local.service import Service
from shared.contracts.workflow import workflow_id
from shared.settings import STACK_ENV, STACK_JSON, load_settings
from shared.temporal import connect
from tests.client import Connections
from tests.desks import BOB, make_desk
from tests.http_server import answering, listening
from tests.stack import PARTS, RunningStack, casebound, start_stack, wait_for
from tests.waiting import until

RESTART_TIMEOUT = 30.0


def test_stack_json_says_where_everything_is(stack: RunningStack) -> None:
    found = stack.addresses
    assert set(found) == {"api", "temporal", "temporal_ui", "nats", "postgres", "mailbox", "pids"}
    assert set(found["pids"]) == set(PARTS)
    assert found["mailbox"] == f"{found['api']}/dev/mailbox"
    assert all(psutil.pid_exists(pid) for pid in found["pids"].values())
    assert _status(found["api"], "/readyz") == 200
    assert _status(found["temporal_ui"], "/") == 200


async def test_its_addresses_lead_to_the_real_servers(stack: RunningStack) -> None:
    found = stack.addresses
    assert (await postgres_version(found["postgres"])).startswith("18.")
    assert await nats_version(found["nats"])
    assert await temporal_version(found["temporal"], "default")


def test_everything_listens_on_loopback_alone(stack: RunningStack) -> None:
    for part, pid in stack.addresses["pids"].items():
        listening = [each for each in psutil.Process(pid).net_connections() if each.status == psutil.CONN_LISTEN]
        assert listening, part
        assert {each.laddr.ip for each in listening} == {"127.0.0.1"}, part


def test_files_with_keys_and_passwords_are_private(stack: RunningStack) -> None:
    for name in (STACK_ENV, STACK_JSON, "local.json"):
        assert stat.S_IMODE((stack.data_dir / name).stat().st_mode) == 0o600, name


async def test_the_database_role_is_no_superuser(stack: RunningStack) -> None:
    """Row level security would not bind one."""
    connection = await asyncpg.connect(stack.addresses["postgres"])
    try:
        role = await connection.fetchrow("select rolsuper, rolbypassrls from pg_roles where rolname = current_user")
    finally:
        await connection.close()
    assert role is not None
    assert tuple(role) == (False, False)


async def test_the_database_wants_the_password(stack: RunningStack) -> None:
    url = urlsplit(stack.addresses["postgres"])
    with pytest.raises(UnreachableError, match="password authentication failed"):
        await postgres_version(f"postgresql://casebound:wrong@127.0.0.1:{url.port}/casebound")


@pytest.mark.parametrize("part", PARTS)
async def test_what_is_killed_comes_back_at_the_same_address(stack: RunningStack, part: str) -> None:
    before = stack.addresses
    os.kill(before["pids"][part], signal.SIGKILL)
    await asyncio.to_thread(
        wait_for, lambda: stack.pid(part) != before["pids"][part], RESTART_TIMEOUT, f"{part} to come back"
    )
    after = stack.addresses
    assert {**after, "pids": None} == {**before, "pids": None}
    match part:
        case "postgres":
            assert await postgres_version(after["postgres"])
        case "nats":
            assert await nats_version(after["nats"])
        case "temporal":
            assert await temporal_version(after["temporal"], "default")
        case _:
            assert psutil.pid_exists(after["pids"][part])
    await asyncio.to_thread(
        wait_for, lambda: _status(after["api"], "/readyz") == 200, RESTART_TIMEOUT, "the API to be ready"
    )


async def test_what_a_killed_worker_had_in_hand_is_answered(stack: RunningStack) -> None:
    """Temporal gives it to another one after ten seconds; the callers had been sent away just then."""
    desk = await make_desk(stack)
    async with Connections(stack.api, 4).kept() as connections:
        bob = desk.caller(connections, BOB)
        cases = [await bob.open(subject="hello", description="hello") for _ in range(4)]
        worker = stack.pid("worker")
        os.kill(worker, signal.SIGSTOP)
        comments = [asyncio.create_task(bob.comment(case["number"], "still there?")) for case in cases]
        client = await connect(stack.settings)
        for case in cases:
            handle = client.get_workflow_handle(workflow_id(desk.slug, case["number"]))
            await until(partial(_is_in_hand, handle), what="the worker to have it in hand")
        os.kill(worker, signal.SIGKILL)
        assert [comment["kind"] for comment in await asyncio.gather(*comments)] == ["commented"] * 4


def test_a_second_stack_on_the_same_directory_is_refused(stack: RunningStack) -> None:
    done = stack.casebound("up", "--port", "0")
    assert done.returncode == 1
    assert f"already running in {stack.data_dir} (process {stack.process.pid})" in done.stdout
    assert stack.process.poll() is None
    assert _status(stack.api, "/readyz") == 200


def test_a_port_that_is_taken_is_named(stack: RunningStack, tmp_path: Path) -> None:
    port = str(urlsplit(stack.api).port)
    done = casebound("up", "--data-dir", str(tmp_path), "--port", port)
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stdout


def test_doctor_finds_nothing_wrong(stack: RunningStack) -> None:
    done = stack.casebound("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_say_when_there_is_no_stack(tmp_path: Path) -> None:
    done = casebound("migrate", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "start one with `casebound up`" in done.stderr
    assert "Traceback" not in done.stderr


async def test_it_stops_without_a_trace_and_goes_on_from_the_same_data(data_dir: Path) -> None:
    first = await asyncio.to_thread(start_stack, data_dir)
    before = first.addresses
    children = psutil.Process(first.process.pid).children(recursive=True)
    await _execute(before["postgres"], "create table kept (word text)", "insert into kept values ('still here')")
    await asyncio.to_thread(first.stop)
    assert [each for each in children if each.is_running()] == []

    # As after a restart of the machine that came before Postgres could stop: its number is somebody else's now.
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}/postgres\n")
    second = await asyncio.to_thread(start_stack, data_dir)
    try:
        assert {**second.addresses, "pids": None} == {**before, "pids": None}
        connection = await asyncpg.connect(second.addresses["postgres"])
        assert await connection.fetchval("select word from kept") == "still here"
        await connection.close()
    finally:
        await asyncio.to_thread(second.stop)


def test_children_end_with_a_killed_supervisor_and_the_next_start_copes(data_dir: Path) -> None:
    first = start_stack(data_dir)
    children = psutil.Process(first.process.pid).children(recursive=True)
    first.process.kill()
    first.process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []

    start_stack(data_dir).stop()


@pytest.mark.parametrize("value", ["smtp://me:p'w@host:25", 'say "hi" # not a comment', "back\\slash", " spaces "])
def test_settings_reach_services_as_they_were_given(data_dir: Path, value: str) -> None:
    DataDir(data_dir).write_env({"CASEBOUND_MAIL_FROM": value})
    assert load_settings(data_dir).mail_from == value


def test_ports_are_kept_while_free_and_never_given_twice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        held = taken.getsockname()[1]
        first = choose_ports(["a", "b", "c"], {"a": held})
        assert held not in first.values()
        assert len(set(first.values())) == 3
        assert choose_ports(["c", "b", "d"], first) == {"c": first["c"], "b": first["b"], "d": ANY}


@pytest.mark.parametrize(("name", "waits"), [("search", False), ("worker", True)])
async def test_an_index_that_takes_its_time_holds_up_nobody(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str, waits: bool
) -> None:
    """Of a large desk it takes minutes; it was ended after one, and began anew."""
    listener, url = listening()
    service = Service(name, DataDir(data_dir), int(urlsplit(url).port or 0), {})
    async with answering(PlainTextResponse("not ready: the index is being built\n", 503), listener, lifespan="off"):
        monkeypatch.setattr("services.local.service.INDEX_PATIENCE", 60.0)
        service.prepare()
        with pytest.raises(NotReadyError, match="the index is being built"):
            await service.probe()
        monkeypatch.setattr("services.local.service.INDEX_PATIENCE", 0.0)
        service.prepare()
        if waits:
            with pytest.raises(NotReadyError):
                await service.probe()
        else:
            assert "(not ready: the index is being built)" in await service.probe()


async def _is_in_hand(case: WorkflowHandle[Any, Any]) -> bool:
    task = (await case.describe()).raw_description.pending_workflow_task
    return task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def _status(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()
