"""Durable commands over HTTP next to the bare engine: the same servers, the same callers, in turn.

Ours is the whole product as `casebound up` runs it, relay, search and notifier included: a comment is answered when it
is recorded. Bare is ``bare.py``, its callers being clients of Temporal. Between them stands ``thin.py``: bare, over
HTTP, which shows what is left for rules, rights, read model and followers. After each round of ours the followers
finish before bare begins, so that neither pays for the other.
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
from typing import Final

import psutil
from temporalio.client import Client

from benchmarks import thin
from benchmarks.bare import QUEUE, Bare, BareOpening
from benchmarks.pairs import pairs_as_figures
from shared.temporal import connect
from shared.tokens import issue
from tests.client import TOKEN_TTL, Connections, Json, LeanConnection
from tests.desks import BOB, StackDesk, make_desk
from tests.facts import told
from tests.stack import PARTS, RunningStack, free_port, stack_directory, start_stack

CALLERS, CASES, ROUNDS, PER_ROUND, ALONE, OPENINGS = 16, 40, 5, 320, 60, 160

GOALS: Final = {
    "comments/s, 16 callers, ratio": (">=", 0.75),
    "openings/s, 16 callers, ratio": (">=", 0.75),
    "comment p50 ms, 1 caller, ratio": ("<=", 1.5),
}

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
def _running(module: str, *arguments: object) -> Iterator[int]:
    """A program, from when it says that it is ready; its process's id."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{module} did not start")
            yield process.pid
        finally:
            process.terminate()


async def _nothing_follows() -> None:
    """There is nothing to wait for."""


def _servers(stack: RunningStack) -> dict[str, int]:
    return {part: stack.pid(part) for part in ("temporal", "postgres")}


@asynccontextmanager
async def _bare(stack: RunningStack) -> AsyncIterator[Side]:
    settings = stack.settings
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    with _running("benchmarks.bare", stack.data_dir) as worker:
        handles = [
            await client.start_workflow(Bare.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE) for _ in range(CASES)
        ]

        async def comment(number: int, _: int) -> None:
            await handles[number % CASES].execute_update(Bare.note, "hello")

        async def opening(_: int, __: int) -> None:
            await client.execute_workflow(BareOpening.run, "hello", id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)

        yield Side(comment, opening, {**_servers(stack), "worker": worker}, _nothing_follows)
        for handle in handles:
            await handle.terminate()


@asynccontextmanager
async def _thin(stack: RunningStack, token: str) -> AsyncIterator[Side]:
    client, port = await connect(stack.settings), free_port()
    with (
        _running("benchmarks.thin", "worker", stack.data_dir) as worker,
        _running("benchmarks.thin", "api", stack.data_dir, port) as api,
    ):
        handles = [
            await client.start_workflow(Bare.run, id=thin.workflow_id(number), task_queue=thin.QUEUE)
            for number in range(CASES)
        ]
        lines = [await LeanConnection.to(f"http://127.0.0.1:{port}", token) for _ in range(CALLERS)]

        async def comment(number: int, caller: int) -> None:
            status, answer = await lines[caller].post(f"/cases/{number % CASES}/comments", {"body": "hello"})
            if status != 201:
                raise RuntimeError(f"{status} {answer}")

        yield Side(comment, comment, {**_servers(stack), "worker": worker, "api": api}, _nothing_follows)
        for line in lines:
            await line.close()
        for handle in handles:
            await handle.terminate()


@asynccontextmanager
async def _ours(stack: RunningStack, desk: StackDesk) -> AsyncIterator[Side]:
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
    """Rates, latencies and costs of all sides, medians of rounds next to each other, and their ratios."""
    with stack_directory() as directory:
        stack = await asyncio.to_thread(start_stack, directory)
        try:
            return await _measure(stack)
        finally:
            await asyncio.to_thread(stack.stop)


async def _measure(stack: RunningStack) -> dict[str, float]:
    desk = await make_desk(stack)
    token = issue(stack.settings, BOB, desk.slug, TOKEN_TTL)
    async with _ours(stack, desk) as ours, _bare(stack) as bare:
        async with _thin(stack, token) as thin_side:
            for side in (bare, thin_side, ours):
                await _comments(side)
            rounds = [[await _comments(side) for side in (bare, thin_side, ours)] for _ in range(ROUNDS)]
            alone = [[await _latency(side) for side in (bare, thin_side, ours)] for _ in range(3)]
        openings = [(await _openings(bare), await _openings(ours)) for _ in range(ROUNDS)]
    figures = pairs_as_figures("comments/s, 16 callers", "bare", [(first, last) for first, _, last in rounds])
    figures |= pairs_as_figures("openings/s, 16 callers", "bare", openings)
    figures |= pairs_as_figures("comment p50 ms, 1 caller", "bare", [(first, last) for first, _, last in alone])
    figures |= _of_thin("comments/s, 16 callers", rounds) | _of_thin("comment p50 ms, 1 caller", alone)
    for whose, side in (("bare", bare), ("thin", thin_side), ("ours", ours)):
        figures |= {f"CPU ms a comment, {whose}, {name}": cost for name, cost in side.cpu.items()}
        figures[f"CPU ms a comment, {whose}, all"] = sum(side.cpu.values())
    return figures


def _of_thin(name: str, rounds: list[list[float]]) -> dict[str, float]:
    """What the least that is possible over HTTP reaches, beside the bare engine."""
    return {
        f"{name}, thin": statistics.median(thin for _, thin, _ in rounds),
        f"{name}, thin by bare": statistics.median(thin / bare for bare, thin, _ in rounds),
    }


if __name__ == "__main__":
    for name, figure in asyncio.run(measure()).items():
        print(f"{name:<50}{figure:10.2f}")
