"""Durable commands over HTTP next to the bare engine: the same servers, the same callers, in turn.

Ours is the whole product as `casebound up` runs it, relay, search and notifier included: a comment is answered when it
is recorded. Bare is ``bare.py``, its callers being clients of Temporal. After each round of ours the followers finish
before bare begins, so that neither pays for the other.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import psutil
from temporalio.client import Client

from benchmarks.bare import QUEUE, Bare, BareOpening
from benchmarks.pairs import pairs_as_figures
from tests.client import Connections, Json, LeanConnection
from tests.desks import BOB, make_desk
from tests.facts import told
from tests.stack import PARTS, RunningStack, stack_directory, start_stack

CALLERS, CASES, ROUNDS, PER_ROUND, ALONE, OPENINGS = 16, 40, 5, 320, 60, 160

Command = Callable[[int, int], Awaitable[None]]
"""Carry out a command as a caller: its number, and the caller's."""


@dataclass
class Side:
    """What is measured, in turn with another.

    Args:
        comment: on one of the cases.
        open: a case.
        processes: by name.
        rest: waits until all is done that follows from commands.
    """

    comment: Command
    open: Command
    processes: Mapping[str, int]
    rest: Callable[[], Awaitable[None]]
    cpu: dict[str, float] = field(default_factory=dict)
    """Milliseconds of processor time for a comment, by process, what follows included."""


@contextmanager
def _bare_worker(stack: RunningStack) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.bare", str(stack.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("the bare worker did not start")
            yield process.pid
        finally:
            process.terminate()


@asynccontextmanager
async def _bare(stack: RunningStack) -> AsyncIterator[Side]:
    settings = stack.settings
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    with _bare_worker(stack) as worker:
        handles = [
            await client.start_workflow(Bare.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE) for _ in range(CASES)
        ]

        async def comment(number: int, _: int) -> None:
            await handles[number % CASES].execute_update(Bare.note, "hello")

        async def opening(_: int, __: int) -> None:
            await client.execute_workflow(BareOpening.run, "hello", id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)

        async def rest() -> None:
            """Nothing follows."""

        servers = {part: stack.pid(part) for part in ("temporal", "postgres")}
        yield Side(comment, opening, {**servers, "worker": worker}, rest)
        for handle in handles:
            await handle.terminate()


@asynccontextmanager
async def _ours(stack: RunningStack) -> AsyncIterator[Side]:
    desk = await make_desk(stack)
    async with Connections(stack.api, 1).kept() as connections:
        bob = desk.caller(connections, BOB)
        numbers = [(await bob.open(subject="hello", description="hello"))["number"] for _ in range(CASES)]
    lines = [await LeanConnection.to(stack.api, bob.token) for _ in range(CALLERS)]
    cases = f"/api/v1/desks/{desk.slug}/cases"

    async def post(caller: int, path: str, body: Json) -> None:
        status, answer = await lines[caller].post(path, body)
        if status != 201:
            raise RuntimeError(f"{status} {answer}")

    async def comment(number: int, caller: int) -> None:
        await post(caller, f"{cases}/{numbers[number % CASES]}/comments", {"body": "hello"})

    async def opening(_: int, caller: int) -> None:
        await post(caller, cases, {"subject": "hello", "description": "hello"})

    async def rest() -> None:
        await told(stack.settings, desk.slug, 60)

    yield Side(comment, opening, {part: stack.pid(part) for part in PARTS}, rest)
    for line in lines:
        await line.close()


async def _rate(command: Command, count: int) -> float:
    """Commands a second, by CALLERS at once."""
    numbers = iter(range(count))

    async def caller(which: int) -> None:
        for number in numbers:
            await command(number, which)

    start = time.perf_counter()
    await asyncio.gather(*(caller(which) for which in range(CALLERS)))
    return count / (time.perf_counter() - start)


async def _comments(side: Side) -> float:
    """The rate of a round of comments; notes what they cost each process."""
    before = spent(side.processes)
    rate = await _rate(side.comment, PER_ROUND)
    await side.rest()
    for name, seconds in spent(side.processes).items():
        cost = (seconds - before[name]) * 1000 / PER_ROUND
        side.cpu[name] = min(cost, side.cpu.get(name, cost))
    return rate


async def _openings(side: Side) -> float:
    rate = await _rate(side.open, OPENINGS)
    await side.rest()
    return rate


async def _latency(side: Side) -> float:
    """Median milliseconds of a comment, one caller."""
    taken = []
    for number in range(ALONE):
        start = time.perf_counter()
        await side.comment(number, 0)
        taken.append((time.perf_counter() - start) * 1000)
    await side.rest()
    return statistics.median(taken)


def spent(processes: Mapping[str, int]) -> dict[str, float]:
    """Seconds of processor time so far, children included."""
    spent = {}
    for name, pid in processes.items():
        process, seconds = psutil.Process(pid), 0.0
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            seconds += times.user + times.system
        spent[name] = seconds
    spent["caller"] = sum(os.times()[:2])
    return spent


async def measure() -> dict[str, float]:
    """Rates, latencies and costs of both, medians of paired rounds, and their ratios."""
    with stack_directory() as directory:
        stack = await asyncio.to_thread(start_stack, directory)
        try:
            async with _ours(stack) as ours, _bare(stack) as bare:
                for side in (bare, ours):
                    await _comments(side)
                comments = [(await _comments(bare), await _comments(ours)) for _ in range(ROUNDS)]
                openings = [(await _openings(bare), await _openings(ours)) for _ in range(ROUNDS)]
                alone = [(await _latency(bare), await _latency(ours)) for _ in range(3)]
        finally:
            await asyncio.to_thread(stack.stop)
    figures = pairs_as_figures("comments/s, 16 callers", "bare", comments) | pairs_as_figures(
        "openings/s, 16 callers", "bare", openings
    )
    figures |= pairs_as_figures("comment p50 ms, 1 caller", "bare", alone)
    for whose, side in (("bare", bare), ("ours", ours)):
        figures |= {f"CPU ms a comment, {whose}, {name}": cost for name, cost in side.cpu.items()}
        figures[f"CPU ms a comment, {whose}, all"] = sum(side.cpu.values())
    return figures
