"""The least that a comment of ours, or an opening, can cost in this stack: a program, its worker or its HTTP service.

``thin.py`` with what these leave behind: a comment's case is looked up through the caller's eyes, a new case's number
is taken, case and event are written by one statement, as ours are, the trace is kept from the request on, and the relay
is woken, so that search and notifier follow. All by hand, for one kind of comment and copies of one case: no rules, no
rights, no second request with a key, and none of the libraries that carry those. What ours costs beyond that is what
the product and its libraries do.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import orjson
import uvicorn
import uvloop
from fastapi import FastAPI, Header
from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from services.api.cases.schemas import NewCase
from services.api.comments.schemas import NewComment
from services.workflows.relay import Waker
from shared.contracts.search import Viewer
from shared.db.roles import Role
from shared.db.viewed import Eyes, beginning
from shared.processes import set_by_signal, spare_the_collector
from shared.settings import Settings, load_settings
from shared.telemetry import SpanKind, current_traceparent, setup, span
from shared.telemetry.instrument import fastapi_telemetry
from shared.temporal import connect
from shared.temporal.cases import DESK, STATUS
from shared.tokens import verify

QUEUE = "least"
_FIND = 'SELECT id, seq, state FROM "case" WHERE desk_id = $1 AND number = $2'
_RECORDED = """
    SELECT c.id, c.number, c.state FROM "case" c JOIN desk d ON d.id = c.desk_id
    WHERE d.slug = $1 AND c.number = any($2::int[])
"""
_RECORD = """
    WITH written AS (
        UPDATE "case" SET seq = $2, updated_at = $3, state = $4 WHERE id = $1 AND seq = $2 - 1 RETURNING id
    )
    INSERT INTO case_event (case_id, seq, kind, at, actor, actor_email, command_id, command, part, data, snapshot,
        traceparent)
    SELECT id, $2, 'commented', $3, $5, $6, $7, 'comment', 0, $8, $4, $9 FROM written
"""
_TEMPLATE = 'SELECT id, state FROM "case" WHERE desk_id = $1 ORDER BY number LIMIT 1'
_NUMBER = "UPDATE desk_counter SET last_number = last_number + 1 WHERE desk_id = $1 RETURNING last_number"
_OPEN = """
    WITH opened AS (
        INSERT INTO "case" (id, desk_id, number, policy, policy_version, state, description, seq, status, subject,
            account, reporter, contact, cc, created_at, updated_at)
        SELECT $1, desk_id, $2, policy, policy_version, $4, description, 1, 'new', subject,
            account, reporter, contact, cc, $3, $3 FROM "case" WHERE id = $5 RETURNING id
    )
    INSERT INTO case_event (case_id, seq, kind, at, actor, actor_email, command_id, command, part, data, snapshot,
        traceparent)
    SELECT opened.id, 1, kind, $3, actor, actor_email, $6, command, 0, data, $4, $7 FROM opened, case_event
    WHERE case_id = $5 AND seq = 1
"""


def workflow_id(number: int) -> str:
    """Of the workflow of the case with that number."""
    return f"least-{number}"


@workflow.defn
class Least:
    """A case that is opened or was there before, and takes comments, until it is ended from outside."""

    @workflow.init
    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case

    @workflow.run
    async def run(self, _: dict[str, Any]) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def open(self, opening: dict[str, Any]) -> int:
        now = workflow.now().isoformat()
        state = {**self._case["state"], "created_at": now, "updated_at": now}
        recorded = {"id": self._case["id"], "number": self._case["number"], "state": state, "opening": opening}
        await workflow.execute_local_activity("insert_case", recorded, start_to_close_timeout=timedelta(seconds=10))
        self._case["state"] = state
        return 1

    @workflow.update
    async def comment(self, comment: dict[str, Any]) -> int:
        now = workflow.now().isoformat()
        state = {**self._case["state"], "seq": self._case["state"]["seq"] + 1, "updated_at": now}
        recorded = {"id": self._case["id"], "state": state, "comment": comment}
        await workflow.execute_local_activity("insert_comment", recorded, start_to_close_timeout=timedelta(seconds=10))
        self._case["state"] = state
        return int(state["seq"])


class _Record:
    def __init__(self, pool: asyncpg.Pool, committed: Waker) -> None:
        self._pool = pool
        self._committed = committed

    @activity.defn
    async def insert_comment(self, recorded: dict[str, Any]) -> None:
        state, comment = recorded["state"], recorded["comment"]
        await self._record(
            comment,
            _RECORD,
            uuid.UUID(recorded["id"]),
            state["seq"],
            datetime.fromisoformat(state["updated_at"]),
            orjson.dumps(state).decode(),
            orjson.dumps(comment["actor"]).decode(),
            comment["actor"]["email"],
            comment["command_id"],
            orjson.dumps({"body": comment["body"], "in_reply_to": None}).decode(),
        )

    @activity.defn
    async def insert_case(self, recorded: dict[str, Any]) -> None:
        state, opening = recorded["state"], recorded["opening"]
        await self._record(
            opening,
            _OPEN,
            uuid.UUID(recorded["id"]),
            recorded["number"],
            datetime.fromisoformat(state["created_at"]),
            orjson.dumps(state).decode(),
            uuid.UUID(opening["template"]),
            opening["command_id"],
        )

    async def _record(self, command: dict[str, Any], statement: str, *values: Any) -> None:
        """Execute the statement, whose last value is the trace, and wake the relay."""
        with span("record", parent=command["traceparent"]):
            written = await self._pool.execute(statement, *values, current_traceparent())
        if written != "INSERT 0 1":
            raise RuntimeError(written)
        self._committed()


async def _work(settings: Settings) -> None:
    telemetry = setup("least-worker", settings)
    stop, client, waker = set_by_signal(), await connect(settings), Waker(settings.database_url)
    pool = await asyncpg.create_pool(
        settings.database_url, min_size=10, max_size=10, server_settings=Role.SERVICE.settings
    )
    record = _Record(pool, waker)
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Least],
        activities=[record.insert_comment, record.insert_case],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    waking = asyncio.create_task(waker.run())
    async with worker:
        spare_the_collector()
        _ready()
        await stop.wait()
    waking.cancel()
    await pool.close()
    telemetry.shutdown()


@dataclass(frozen=True)
class _Desk:
    """As its customer sees it, and its first case, of which others are copies."""

    id: int
    slug: str
    begin: str
    template: str
    state: dict[str, Any]


def _app(settings: Settings, client: Client, pool: asyncpg.Pool, desk: _Desk) -> FastAPI:
    app = FastAPI(telemetry=fastapi_telemetry())

    @app.post("/cases/{number}/comments", status_code=201)
    async def comment(number: int, form: NewComment, authorization: Annotated[str, Header()]) -> dict[str, int]:
        claims = verify(settings, authorization.removeprefix("Bearer "))
        await _row(pool, desk.begin, _FIND, desk.id, number)
        actor = {"kind": "customer", "email": claims.subject, "name": claims.subject}
        said = {"command_id": uuid.uuid4().hex, "actor": actor, "body": form.body}
        case = client.get_workflow_handle(workflow_id(number))
        with span("door", kind=SpanKind.CLIENT):
            return {"seq": await case.execute_update(Least.comment, {**said, "traceparent": current_traceparent()})}

    @app.post("/cases", status_code=201)
    async def opening(form: NewCase, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        verify(settings, authorization.removeprefix("Bearer "))
        number = (await _row(pool, desk.begin, _NUMBER, desk.id))["last_number"]
        said = {"command_id": uuid.uuid4().hex, "template": desk.template, "subject": form.subject}
        start = WithStartWorkflowOperation(
            Least.run,
            {"id": str(uuid.uuid4()), "number": number, "state": desk.state},
            id=workflow_id(number),
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(DESK, desk.slug), SearchAttributePair(STATUS, "new")]
            ),
        )
        with span("door", kind=SpanKind.CLIENT):
            told = {**said, "traceparent": current_traceparent()}
            seq = await client.execute_update_with_start_workflow(Least.open, told, start_workflow_operation=start)
        return {"number": number, "seq": seq}

    return app


async def _row(pool: asyncpg.Pool, begin: str, statement: str, *values: Any) -> asyncpg.Record:
    async with pool.acquire() as connection:
        await connection.execute(begin)
        with span(statement.split(maxsplit=1)[0], kind=SpanKind.CLIENT):
            found = await connection.fetchrow(statement, *values)
        await connection.execute("COMMIT")
    if found is None:
        raise RuntimeError(f"nothing is found by {values}: {statement}")
    return found


async def _serve(settings: Settings, port: int, slug: str, email: str) -> None:
    telemetry = setup("least-api", settings)
    pool = await asyncpg.create_pool(settings.database_url, min_size=10, max_size=10)
    number = await pool.fetchval("SELECT id FROM desk WHERE slug = $1", slug)
    eyes = Eyes(desk=number, viewer=Viewer(staff=False, email=email), actor=f"customer:{email}", who=email)
    begin = beginning(eyes)
    case = await _row(pool, begin, _TEMPLATE, number)
    desk = _Desk(number, slug, begin, str(case["id"]), orjson.loads(case["state"]))
    config = uvicorn.Config(
        _app(settings, await connect(settings), pool, desk),
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
    )
    spare_the_collector()
    _ready()
    await uvicorn.Server(config).serve()
    await pool.close()
    telemetry.shutdown()


def _ready() -> None:
    print("ready", flush=True)
    logging.disable()  # into a pipe that nobody reads any more


async def start(settings: Settings, desk: str, numbers: Sequence[int]) -> list[WorkflowHandle[Any, Any]]:
    """Start workflows that go on with cases as they are recorded, to the last event.

    Args:
        settings: of a running stack.
        desk: slug of the desk.
        numbers: of its cases, whose own workflows are left with nothing to do.
    """
    client = await connect(settings)
    connection = await asyncpg.connect(settings.database_url, server_settings=Role.SERVICE.settings)
    try:
        rows = await connection.fetch(_RECORDED, desk, numbers)
    finally:
        await connection.close()
    return [
        await client.start_workflow(
            Least.run,
            {"id": str(row["id"]), "state": orjson.loads(row["state"])},
            id=workflow_id(row["number"]),
            task_queue=QUEUE,
        )
        for row in rows
    ]


def main() -> None:
    """``worker DIRECTORY`` or ``api DIRECTORY PORT DESK ADDRESS``, of a running stack."""
    part, directory, *more = sys.argv[1:]
    settings = load_settings(Path(directory))
    uvloop.run(_work(settings) if part == "worker" else _serve(settings, int(more[0]), more[1], more[2]))


if __name__ == "__main__":
    main()
