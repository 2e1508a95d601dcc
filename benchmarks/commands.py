"""Durable commands over HTTP next to the bare engine: the same servers, the same callers, in turn.

Ours is the whole product as `casebound up` runs it, relay, search and notifier included: a comment is answered when it
is recorded. Bare is ``bare.py``, its callers being clients of Temporal. Between them stand ``thin.py``, bare over HTTP,
and ``least.py``, the least that leaves behind what a comment of ours does. After each round the followers finish
before the next begins, so that nobody pays for another.
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
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import psutil
from temporalio.client import Client

from benchmarks import least, thin
from benchmarks.bare import QUEUE, Bare, BareOpening
from benchmarks.pairs import pairs_as_figures
from shared.temporal import connect
from shared.tokens import issue
from tests.client import TOKEN_TTL, Connections, Json, LeanConnection
from tests.desks import BOB, StackDesk, make_desk
from tests.facts import told
from tests.stack import PARTS, RunningStack, free_port, stack_directory, start_stack

CALLERS, CASES, ROUNDS, PER_ROUND, ALONE, OPENINGS = 16, 40, 5, 320, 60, 160
BREATH: Final = 0.02
"""Seconds that one caller leaves between comments, where they do not follow upon each other without a pause."""
OPENING: Final = ("bare", "least", "ours")
"""Who opens cases: thin has none."""

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
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)
    """Milliseconds of processor time for a command, by what it is and then by process, what follows included."""


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
            await _post(lines[caller], f"/cases/{number % CASES}/comments", {"body": "hello"})

        yield Side(comment, comment, {**_servers(stack), "worker": worker, "api": api}, _nothing_follows)
        for line in lines:
            await line.close()
        for handle in handles:
            await handle.terminate()


@asynccontextmanager
async def _least(stack: RunningStack, desk: StackDesk, token: str) -> AsyncIterator[Side]:
    port, numbers = free_port(), await _opened(stack, desk)
    with (
        _running("benchmarks.least", "worker", stack.data_dir) as worker,
        _running("benchmarks.least", "api", stack.data_dir, port, desk.slug, BOB) as api,
    ):
        handles = await least.start(stack.settings, desk.slug, numbers)
        lines = [await LeanConnection.to(f"http://127.0.0.1:{port}", token) for _ in range(CALLERS)]

        async def comment(number: int, caller: int) -> None:
            await _post(lines[caller], f"/cases/{numbers[number % CASES]}/comments", {"body": "hello"})

        async def opening(_: int, caller: int) -> None:
            await _post(lines[caller], "/cases", {"subject": "hello", "description": "hello"})

        ours = {"relay" if part == "worker" else part: stack.pid(part) for part in PARTS if part != "api"}
        yield Side(comment, opening, ours | {"worker": worker, "api": api}, partial(_told, stack, desk))
        for line in lines:
            await line.close()
        for handle in handles:
            await handle.terminate()


async def _opened(stack: RunningStack, desk: StackDesk) -> list[int]:
    """Numbers of CASES new cases."""
    async with Connections(stack.api, 1).kept() as connections:
        bob = desk.caller(connections, BOB)
        return [(await bob.open(subject="hello", description="hello"))["number"] for _ in range(CASES)]


async def _post(line: LeanConnection, path: str, body: Json) -> None:
    status, answer = await line.post(path, body)
    if status != 201:
        raise RuntimeError(f"{status} {answer}")


async def _told(stack: RunningStack, desk: StackDesk) -> None:
    await told(stack.settings, desk.slug, 60)


@asynccontextmanager
async def _ours(stack: RunningStack, desk: StackDesk, token: str) -> AsyncIterator[Side]:
    numbers = await _opened(stack, desk)
    lines = [await LeanConnection.to(stack.api, token) for _ in range(CALLERS)]
    cases = f"/api/v1/desks/{desk.slug}/cases"

    async def comment(number: int, caller: int) -> None:
        await _post(lines[caller], f"{cases}/{numbers[number % CASES]}/comments", {"body": "hello"})

    async def opening(_: int, caller: int) -> None:
        await _post(lines[caller], cases, {"subject": "hello", "description": "hello"})

    yield Side(comment, opening, {part: stack.pid(part) for part in PARTS}, partial(_told, stack, desk))
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


async def _round(side: Side, what: str, command: Command, count: int) -> float:
    """The rate of a round; notes what such a command costs each process, the least of all rounds."""
    before = spent(side.processes)
    rate = await _rate(command, count)
    await side.rest()
    costs = side.cpu.setdefault(what, {})
    for name, seconds in spent(side.processes).items():
        cost = (seconds - before[name]) * 1000 / count
        costs[name] = min(cost, costs.get(name, cost))
    return rate


async def _comments(side: Side) -> float:
    return await _round(side, "a comment", side.comment, PER_ROUND)


async def _openings(side: Side) -> float:
    return await _round(side, "an opening", side.open, OPENINGS)


async def _latency(side: Side, breath: float = 0) -> float:
    """Median milliseconds of a comment, one caller who waits so many seconds before each."""
    taken = []
    for number in range(ALONE):
        await asyncio.sleep(breath)
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
            with suppress(psutil.NoSuchProcess):  # a connection's, or one that Postgres cleaned up with
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
    async with (
        _ours(stack, desk, token) as ours,
        _bare(stack) as bare,
        _thin(stack, token) as thin_side,
        _least(stack, desk, token) as least_side,
    ):
        sides = {"bare": bare, "thin": thin_side, "least": least_side, "ours": ours}
        for side in sides.values():
            await _comments(side)
        rounds = [{name: await _comments(side) for name, side in sides.items()} for _ in range(ROUNDS)]
        alone = [{name: await _latency(side) for name, side in sides.items()} for _ in range(ROUNDS)]
        unhurried = [{name: await _latency(side, BREATH) for name, side in sides.items()} for _ in range(ROUNDS)]
        openings = [{name: await _openings(sides[name]) for name in OPENING} for _ in range(ROUNDS)]
    figures = _beside_bare("comments/s, 16 callers", rounds)
    figures |= _beside_bare("openings/s, 16 callers", openings)
    figures |= _beside_bare("comment p50 ms, 1 caller", alone)
    figures |= _beside_bare("comment p50 ms, 1 unhurried caller", unhurried)
    for name, side in sides.items():
        for what, costs in side.cpu.items():
            figures |= {f"CPU ms {what}, {name}, {part}": cost for part, cost in costs.items()}
            figures[f"CPU ms {what}, {name}, all"] = sum(costs.values())
    return figures


def _beside_bare(name: str, rounds: list[dict[str, float]]) -> dict[str, float]:
    """Ours and bare, their ratio, and what the others reach beside bare."""
    figures = pairs_as_figures(name, "bare", [(each["bare"], each["ours"]) for each in rounds])
    for side in (side for side in rounds[0] if side not in {"bare", "ours"}):
        figures[f"{name}, {side}"] = statistics.median(each[side] for each in rounds)
        figures[f"{name}, {side} by bare"] = statistics.median(each[side] / each["bare"] for each in rounds)
    return figures


if __name__ == "__main__":
    for name, figure in asyncio.run(measure()).items():
        print(f"{name:<50}{figure:10.2f}")
