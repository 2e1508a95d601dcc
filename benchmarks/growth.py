"""What more open cases cost, each with its workflow: ``python -m benchmarks.growth [--most 100000] [--due 10000]``.

Cases are copies of one that was opened over HTTP, written by SQL; their workflows are started as the API starts one for
a recorded case. Comments go to cases drawn at random, so that most find their workflow out of the worker's cache. Then
the stack is started again, and at last many resolved cases close by themselves in the same minute.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import nats
import psutil
from rich.console import Console
from sqlalchemy import text
from temporalio.client import Client

from services.workflows.stagger import waiting_behind
from shared.contracts.subjects import CASES_STREAM
from shared.contracts.workflow import CaseRun, workflow_id
from shared.db.cases import load_run
from shared.db.engine import Database
from shared.temporal import connect
from shared.temporal.cases import start_case
from tests.client import Connections, LeanConnection
from tests.desks import ADA, BOB, StackDesk, make_desk
from tests.facts import told
from tests.stack import PARTS, RunningStack, stack_directory, start_stack
from tests.waiting import until

SIZES, DUE = (1_000, 10_000, 100_000), 10_000
COMMENTS, STARTERS, STARTED_TOGETHER = 200, 16, 512
SLOWEST = 30
"""Workflows started a second at the least, so that all wait for the burst before it comes."""
OPEN, RESOLVED = 1, 2
"""Numbers of the cases that the others are copies of."""
TAKEN_UP = 4
"""Events of a workflow that has begun to wait: started; its first task scheduled, begun, done."""

GOALS: Final = {
    "comment p50, most by fewest open cases, ratio": ("<=", 1.5),
    "comment p50, while cases close, ratio": ("<=", 2.0),
}
"""Noise on a shared machine is up to a half of a latency; what grows with a hundred times the cases grows by more."""

_COPIES = text(
    """
    WITH pattern AS (
        SELECT c.* FROM "case" c JOIN desk d ON d.id = c.desk_id WHERE d.slug = :desk AND c.number = :pattern
    ), copy AS (
        INSERT INTO "case" (id, desk_id, number, policy, policy_version, state, description, seq, status, subject,
            product, type, severity, impact, account, reporter, contact, cc, assignee, created_at, updated_at)
        SELECT gen_random_uuid(), desk_id, n, policy, policy_version,
            CASE WHEN :due = '' THEN state ELSE jsonb_set(state, '{window,ends_at}', to_jsonb(CAST(:due AS text))) END,
            description, seq, status, subject,
            product, type, severity, impact, account, reporter, contact, cc, assignee, created_at, updated_at
        FROM pattern, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n RETURNING id
    )
    INSERT INTO case_event (case_id, seq, kind, at, actor, actor_email, command_id, command, part, data, snapshot,
        published_at)
    SELECT copy.id, seq, kind, at, actor, actor_email, command_id, command, part, data, snapshot, now()
    FROM copy, case_event WHERE case_id = (SELECT id FROM pattern)
    """
)
_IDS = text(
    'SELECT c.number, c.id FROM "case" c JOIN desk d ON d.id = c.desk_id '
    "WHERE d.slug = :desk AND c.number BETWEEN :first AND :last"
)
_OPEN_STILL = text(
    'SELECT count(*) FROM "case" c JOIN desk d ON d.id = c.desk_id '
    "WHERE d.slug = :desk AND c.number BETWEEN :first AND :last AND c.status <> 'closed'"
)
_SIZES = text(
    'SELECT pg_total_relation_size(\'"case"\')::float / (SELECT count(*) FROM "case") AS by_case, '
    "pg_total_relation_size('case_event')::float / (SELECT count(*) FROM case_event) AS by_event"
)


@dataclass
class Growing:
    """A stack and one desk on it, whose cases become more."""

    stack: RunningStack
    desk: StackDesk
    line: LeanConnection
    database: Database
    copied: int = 0
    """Events written by SQL."""

    async def patterns(self) -> None:
        """Open the two cases of which the others are copies, and resolve the second."""
        async with Connections(self.stack.api, 2).kept() as connections:
            bob, ada = (self.desk.caller(connections, who) for who in (BOB, ADA))
            for number in (OPEN, RESOLVED):
                assert (await bob.open(subject="hello", description="hello"))["number"] == number
            await ada.act(RESOLVED, "resolve", resolution_type="provided", root_cause="A filter", summary="Done.")

    async def copy(self, pattern: int, first: int, last: int, due: datetime | None = None) -> None:
        """Write cases ``first`` to ``last`` like the one numbered ``pattern``, and start their workflows."""
        numbers = {"desk": self.desk.slug, "first": first, "last": last}
        async with self.database.transaction() as connection:
            ends = due.isoformat() if due else ""
            written = await connection.execute(_COPIES, {**numbers, "pattern": pattern, "due": ends})
            self.copied += written.rowcount
            ids = {row.number: row.id for row in await connection.execute(_IDS, numbers)}
        async with self.database.read() as session:
            run = await load_run(session, ids[first])
        if run is None or run.state is None:
            raise RuntimeError("the copies are not there")
        per_second = self.stack.settings.window_ends_per_second
        delays = (waiting_behind(others, per_second) if due else 0.0 for others in range(len(ids)))
        await self._start(
            [
                replace(run, number=number, case_id=str(case), alarm_delay=delay)
                for (number, case), delay in zip(sorted(ids.items()), delays, strict=True)
            ]
        )

    async def _start(self, runs: Sequence[CaseRun]) -> None:
        """Some at a time: what is started faster than a worker takes it up waits in a queue on disk."""
        client = await connect(self.stack.settings)
        for first in range(0, len(runs), STARTED_TOGETHER):
            some = runs[first : first + STARTED_TOGETHER]
            left = iter(some)

            async def starter(left: Iterator[CaseRun] = left) -> None:
                for run in left:
                    await start_case(client, run)

            await asyncio.gather(*(starter() for _ in range(STARTERS)))
            await until(partial(_are_at_rest, client, some[-STARTERS:]), 60, "the workflows to be taken up")

    async def comment(self, number: int) -> float:
        """Milliseconds until a comment on a case is taken; one that is not in time is sent again with its key."""
        start, key = time.perf_counter(), uuid.uuid4().hex
        path = f"/api/v1/desks/{self.desk.slug}/cases/{number}/comments"
        status = 503
        while status == 503:
            status, answer = await self.line.post(path, {"body": "hello", "command_id": key})
        if status != 201:
            raise RuntimeError(f"{status} {answer}")
        return (time.perf_counter() - start) * 1000

    def memory(self) -> dict[str, float]:
        """Resident MB of each process, its children included."""
        found = {}
        for part in PARTS:
            process = psutil.Process(self.stack.pid(part))
            each = (process, *process.children(recursive=True))
            found[part] = sum(one.memory_info().rss for one in each) / 1e6
        return found


async def _are_at_rest(client: Client, runs: Sequence[CaseRun]) -> bool:
    """Whether a worker has taken each up once."""
    workflows = (client.get_workflow_handle(workflow_id(run.desk, run.number)) for run in runs)
    return all([(await workflow.describe()).history_length >= TAKEN_UP for workflow in workflows])


@asynccontextmanager
async def _growing(stack: RunningStack, desk: StackDesk | None = None) -> AsyncIterator[Growing]:
    desk = desk or await make_desk(stack)
    async with Connections(stack.api, 1).kept() as connections:
        token = desk.caller(connections, BOB).token
    line, database = await LeanConnection.to(stack.api, token), Database(stack.settings.database_url)
    yield Growing(stack, desk, line, database)
    await line.close()
    await database.close()


async def measure(sizes: Sequence[int] = SIZES, due: int = DUE) -> dict[str, float]:
    """Latencies, memory and bytes by the number of open cases; the start with all of them; the burst of timers."""
    with stack_directory() as directory:
        stack = await asyncio.to_thread(start_stack, directory)
        try:
            async with _growing(stack) as growing:
                await growing.patterns()
                figures = await _by_size(growing, sizes)
                desk = growing.desk
            await asyncio.to_thread(stack.stop)
            start = time.perf_counter()
            stack = await asyncio.to_thread(start_stack, directory)
            figures[f"start with {sizes[-1]:,} open cases, s"] = time.perf_counter() - start
            async with _growing(stack, replace(desk, stack=stack)) as growing:
                figures["first comment after that start, ms"] = await growing.comment(RESOLVED + 1)
                figures |= await _burst(growing, sizes[-1], due)
        finally:
            await asyncio.to_thread(stack.stop)
    return figures


async def _by_size(growing: Growing, sizes: Sequence[int]) -> dict[str, float]:
    figures, memory, drawn = {}, {}, random.Random(1)
    empty = _stored(growing.stack.data_dir)
    for before, size in zip((RESOLVED, *sizes), sizes, strict=False):
        start = time.perf_counter()
        await growing.copy(OPEN, before + 1, size)
        figures[f"workflows started/s, up to {size:,}"] = (size - before) / (time.perf_counter() - start)
        done = await asyncio.to_thread(growing.stack.casebound, "reindex", timeout=600)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        taken = [await growing.comment(drawn.randint(RESOLVED + 1, size)) for _ in range(COMMENTS)]
        await told(growing.stack.settings, growing.desk.slug, 600, untold=growing.copied)
        figures[f"comment p50 ms, {size:,} open cases"] = statistics.median(taken)
        figures[f"comment p95 ms, {size:,} open cases"] = statistics.quantiles(taken, n=20)[-1]
        memory[size] = growing.memory()
        Console(stderr=True).log(f"{size:,} open cases: a comment takes {statistics.median(taken):.0f} ms")
        figures |= {f"MB of {part}, {size:,} open cases": used for part, used in memory[size].items()}
    least, most = sizes[0], sizes[-1]
    by_size = [figures[f"comment p50 ms, {size:,} open cases"] for size in (least, most)]
    figures["comment p50, most by fewest open cases, ratio"] = by_size[1] / by_size[0]
    slope = {part: (memory[most][part] - memory[least][part]) * 1e6 / (most - least) for part in PARTS}
    figures |= {f"bytes of memory by open case, {part}": value for part, value in slope.items()}
    now = _stored(growing.stack.data_dir)
    figures |= {f"bytes on disk by open case, {part}": (now[part] - empty[part]) / most for part in now}
    async with growing.database.read() as session:
        row = (await session.execute(_SIZES)).one()
    figures |= {"bytes of Postgres by case row": row.by_case, "bytes of Postgres by event row": row.by_event}
    connection = await nats.connect(growing.stack.settings.nats_url)
    state = (await connection.jetstream().stream_info(CASES_STREAM)).state
    await connection.close()
    return figures | {"bytes of the stream by event": state.bytes / state.messages}


def _stored(directory: Path) -> dict[str, float]:
    """Bytes on disk by what keeps them."""
    places = {"temporal": "temporal", "postgres": "postgres", "index": "search", "stream": "nats"}
    return {
        name: float(sum(file.stat().st_size for file in (directory / place).rglob("*") if file.is_file()))
        for name, place in places.items()
    }


async def _burst(growing: Growing, last: int, count: int) -> dict[str, float]:
    """Comments while so many cases close by themselves, beside comments shortly before."""
    first, end = last + 1, last + count
    due = datetime.now(UTC) + timedelta(seconds=60 + count / SLOWEST)
    await growing.copy(RESOLVED, first, end, due)

    async def closed() -> bool:
        async with growing.database.reading() as connection:
            numbers = {"desk": growing.desk.slug, "first": first, "last": end}
            return not await connection.scalar(_OPEN_STILL, numbers)

    quiet: list[float] = []
    while datetime.now(UTC) < due - timedelta(seconds=1):
        quiet.append(await growing.comment(random.randint(RESOLVED + 1, last)))
    busy: list[float] = []
    start, waiting = time.perf_counter(), asyncio.create_task(until(closed, 60 + count / 5, "all to be closed"))
    while not waiting.done():
        busy.append(await growing.comment(random.randint(RESOLVED + 1, last)))
    await waiting
    took = time.perf_counter() - start
    name = f"while {count:,} cases close"
    return {
        "comment p50 ms, before": statistics.median(quiet),
        f"comment p50 ms, {name}": statistics.median(busy),
        "comment p50, while cases close, ratio": statistics.median(busy) / statistics.median(quiet),
        f"comment p95 ms, {name}": statistics.quantiles(busy, n=20)[-1],
        f"closed/s, {name}": count / took,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--due", type=int, default=DUE)
    options = parser.parse_args()
    if options.most <= SIZES[0]:
        parser.error(f"--most must be above {SIZES[0]}, with which it is compared")
    sizes = [size for size in SIZES if size < options.most] + [options.most]
    for name, value in asyncio.run(measure(sizes, options.due)).items():
        Console().print(f"{name:60} {value:14,.2f}")


if __name__ == "__main__":
    main()
