"""A desk with a million cases, asked over HTTP as its staff ask; ``python -m benchmarks.million [--cases 50000]``.

Requests arrive on schedule, fifty a second, whether those before have been answered or not; what is measured is the
time from the scheduled moment to the answer. Every list counts its total and all its facets exactly. Kinds of requests
take turns, and beside them pages of Postgres' files are read from the disk itself: what nobody has in memory takes that
long whoever asks for it. The index is built anew while lists are asked, and everything is exported once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import mmap
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx
import psutil
import tantivy

from benchmarks.commands import spent
from services.local.crowd.people import LEAD, desk_file
from services.local.crowd.words import HALF, Texts
from services.search.facet_values import FacetValues
from services.search.tantivy_moment import Moment
from services.search.tantivy_schema import register_analyzer, schema
from shared.contracts.search import SearchQuery, Viewer
from shared.tokens import issue
from tests.client import TOKEN_TTL, LeanConnection
from tests.stack import PARTS, RunningStack, stack_directory, start_stack
from tests.waiting import until

CASES: Final = 1_000_000
DESK: Final = "crowd"
PER_SECOND, SECONDS, ROUNDS, CONNECTIONS = 50, 10, 3, 32
TYPISTS: Final = 10
"""Fifty strokes a second are those of ten people: nobody types more than five."""
COSTLY: Final = ("api", "search", "postgres")
"""What answering takes the processor time of."""
READERS: Final = ("search", "postgres")
"""What answering may wait for the disk of: for what the system no longer has in memory."""
QUIET_SECONDS, QUIET_BYTES, SETTLED_SECONDS = 5.0, 10_000_000, 900
PAGE: Final = 8192
"""Bytes that Postgres reads at once."""
ALONE: Final = 400
"""Strokes that the engine finds by itself."""
WARM: Final = 50
"""Requests of each kind that are not counted."""
LIST_GOAL, HALF_GOAL = ("<=", 50), ("<=", 100)
LISTS: Final = ("list, page 1", "list, page 400", "list, filtered", "search, keystrokes", "one case")
HALVES: Final = ("search, half of all", "search, half of all, by relevance")
GOALS: Final = {
    **{f"{name}, p99 ms": LIST_GOAL for name in LISTS},
    **{f"{name}, p99 ms": HALF_GOAL for name in HALVES},
    **{f"{name}, not exact": ("<=", 0) for name in (*LISTS, *HALVES)},
    "rebuild, cases/s": (">=", 10_000),
    "export, rows/s": (">=", 20_000),
}

Ask = Callable[[str], Awaitable[bool]]
"""Get what a path below the desk's cases names; tells whether search answered, so that totals and facets are exact."""


@asynccontextmanager
async def _asking(stack: RunningStack) -> AsyncIterator[Ask]:
    token = issue(stack.settings, LEAD, DESK, TOKEN_TTL)
    lines = [await LeanConnection.to(stack.api, token) for _ in range(CONNECTIONS)]
    free: asyncio.Queue[LeanConnection] = asyncio.Queue()  # in turn: one that is idle for seconds the API closes
    for line in lines:
        free.put_nowait(line)

    async def ask(path: str) -> bool:
        line = await free.get()
        status, answer = await line.get(f"/api/v1/desks/{DESK}/cases{path}")
        free.put_nowait(line)
        if status not in {200, 503}:
            raise RuntimeError(f"{path}: {status} {answer}")
        return status == 200 and not answer.get("stale")

    yield ask
    for line in lines:
        await line.close()


async def _on_schedule(ask: Ask, paths: Sequence[str], per_second: float) -> list[tuple[float, bool]]:
    """Of each request the milliseconds from its scheduled moment to its answer, and whether that is exact."""
    start = time.perf_counter()

    async def one(place: int, path: str) -> tuple[float, bool]:
        due = start + place / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        exact = await ask(path)
        return (time.perf_counter() - due) * 1000, exact

    return list(await asyncio.gather(*(one(place, path) for place, path in enumerate(paths))))


def _kinds(cases: int) -> dict[str, Iterator[str]]:
    """The paths of each kind of request, without end."""
    chance, desk = random.Random(3), desk_file(DESK)
    orders = itertools.cycle(("-updated_at", "severity", "-created_at", "subject"))
    statuses = itertools.cycle((["closed"], ["new", "open"], ["awaiting_customer", "resolved", "escalated"]))
    choices = (
        [*(("status", status) for status in chosen), ("severity", chance.choice(desk.severities)), ("sort", order)]
        for chosen, order in zip(statuses, orders, strict=False)
    )
    return {
        "list, page 1": itertools.repeat(""),
        "list, page 400": itertools.repeat(f"?page={min(400, cases // 25)}"),
        "list, filtered": (f"?{urlencode(chosen)}" for chosen in choices),
        "search, keystrokes": (f"?{urlencode({'q': typed})}" for typed in _typed_by_many()),
        "one case": (f"/{chance.randint(1, cases)}" for _ in itertools.count()),
        "search, half of all": (f"?{urlencode({'q': word})}" for word in itertools.cycle(HALF)),
        "search, half of all, by relevance": (f"?q={word}&sort=relevance" for word in itertools.cycle(HALF)),
    }


def _typed_by_many() -> Iterator[str]:
    """What TYPISTS have in their fields, one stroke of each in turn."""
    return itertools.chain.from_iterable(zip(*(_typed(random.Random(seed)) for seed in range(TYPISTS)), strict=True))


def _typed(chance: random.Random) -> Iterator[str]:
    """What stands in the field after each stroke, from the second letter of one or two words on."""
    texts = Texts()
    while True:
        words = texts.line(chance, chance.randint(1, 2)).lower()
        yield from (words[:end].strip() for end in range(2, len(words) + 1))


async def _latencies(stack: RunningStack, name: str, paths: Iterator[str], count: int) -> dict[str, float]:
    """Those of one kind of request, and what one costs."""
    async with _asking(stack) as ask:
        await _on_schedule(ask, list(itertools.islice(paths, WARM)), PER_SECOND)
        with _costs(stack, name, "CPU ms", 1e3 / count) as costs:
            answers = await _on_schedule(ask, list(itertools.islice(paths, count)), PER_SECOND)
    return _figures(name, answers) | costs


@contextmanager
def _costs(
    stack: RunningStack, name: str, unit: str, each: float, parts: Sequence[str] = COSTLY
) -> Iterator[dict[str, float]]:
    """What is spent while the block runs, and read from the disk; known when it ends.

    Args:
        stack: whose processes.
        name: of what they do.
        unit: of the processor time.
        each: by what its seconds are multiplied.
        parts: whose processor time.
    """
    processes = {part: stack.pid(part) for part in PARTS}
    figures: dict[str, float] = {}
    before, had_read = spent(processes), _read_from_disk(processes)
    yield figures
    after, has_read = spent(processes), _read_from_disk(processes)
    figures |= {f"{name}, {unit}, {part}": (after[part] - before[part]) * each for part in parts}
    figures |= {f"{name}, MB from disk, {part}": has_read[part] - had_read[part] for part in READERS}


def _read_from_disk(processes: dict[str, int]) -> dict[str, float]:
    """MB that nothing had in memory, by part, its children included."""
    found = {}
    for part in READERS:
        process, found[part] = psutil.Process(processes[part]), 0.0
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found[part] += each.io_counters().read_bytes / 1e6
    return found


async def _round(stack: RunningStack, kinds: dict[str, Iterator[str]], page: Ask, count: int) -> dict[str, float]:
    """So many requests of each kind, and so many pages from the disk."""
    figures = _times("disk, one page", await _on_schedule(page, [""] * count, PER_SECOND))
    for name, paths in kinds.items():
        figures |= await _latencies(stack, name, paths, count)
    return figures


def _pages(directory: Path) -> Ask:
    """Read a page of Postgres' tables and indexes, drawn at random, past what the system has in memory."""
    chance, memory = random.Random(4), mmap.mmap(-1, PAGE)
    files = [(file, file.stat().st_size // PAGE) for file in directory.glob("postgres/**/base/*/[0-9]*")]
    sizes = [size for _, size in files]

    def read(file: Path, page: int) -> bool:
        opened = os.open(file, os.O_RDONLY | os.O_DIRECT)
        try:
            return os.preadv(opened, [memory], page * PAGE) == PAGE
        finally:
            os.close(opened)

    async def ask(_: str) -> bool:
        [(file, size)] = chance.choices(files, sizes)
        return await asyncio.to_thread(read, file, chance.randrange(size))

    return ask


def _engine_alone(indexes: Path, strokes: Sequence[str]) -> dict[str, float]:
    """What the engine by itself takes to find a stroke's page and to count its facets: the index is read beside the
    service, which rests, and no stroke is asked for twice."""
    fields = schema()
    index = tantivy.Index(fields, str(indexes / (indexes / "current").read_text().strip()))
    register_analyzer(index)
    searcher = index.searcher()
    moment = Moment(fields, searcher, FacetValues(fields, searcher))
    pages, facets = [], []
    for stroke in dict.fromkeys(strokes):
        query = SearchQuery(desk=DESK, viewer=Viewer(staff=True), q=stroke, sort="-updated_at")
        start = time.perf_counter()
        moment.page(query)
        found = time.perf_counter()
        moment.facets(query)
        pages.append((found - start) * 1000)
        facets.append((time.perf_counter() - found) * 1000)
    both = [page + counts for page, counts in zip(pages, facets, strict=True)]
    return {
        "search, keystrokes, the engine alone, mean ms": statistics.mean(both),
        "search, keystrokes, the engine alone, p99 ms": statistics.quantiles(both, n=100)[98],
        "search, keystrokes, the engine alone, mean ms of the page": statistics.mean(pages),
        "search, keystrokes, the engine alone, mean ms of the facets": statistics.mean(facets),
    }


def _of_rounds(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Medians, as a machine that stands still for a moment says nothing about us; of what must not be, the most."""
    figures = {}
    for name in rounds[0]:
        values = [each[name] for each in rounds]
        figures[name] = max(values) if name.endswith("not exact") else statistics.median(values)
        if name.endswith("p99 ms"):
            figures[f"{name}, worst round"] = max(values)
    return figures


async def _nothing_is_written() -> bool:
    """Whether the disk rests: a desk that has its million cases has had them for longer than a minute."""
    before = psutil.disk_io_counters()
    await asyncio.sleep(QUIET_SECONDS)
    after = psutil.disk_io_counters()
    return not (before and after) or after.write_bytes - before.write_bytes < QUIET_BYTES


async def _exported(stack: RunningStack, cases: int) -> dict[str, float]:
    """Rows a second of everything as CSV, and what a row costs."""
    headers = {"Authorization": f"Bearer {issue(stack.settings, LEAD, DESK, TOKEN_TTL)}"}
    rows, start = -1, time.perf_counter()
    with _costs(stack, "export", "CPU us a row", 1e6 / cases) as costs:
        async with (
            httpx.AsyncClient(base_url=stack.api, timeout=60, trust_env=False) as http,
            http.stream("GET", f"/api/v1/desks/{DESK}/cases/export", headers=headers) as answer,
        ):
            async for piece in answer.aiter_raw():
                rows += piece.count(b"\n")
        took = time.perf_counter() - start
    if rows != cases:
        raise RuntimeError(f"{rows} of {cases} cases were exported")
    return {"export, rows/s": cases / took, **costs}


async def _rebuilt(stack: RunningStack, ask: Ask, cases: int) -> dict[str, float]:
    """How fast the index is built anew, what that costs, and what a list takes meanwhile."""
    start = time.perf_counter()
    with _costs(stack, "rebuild", "CPU us a case", 1e6 / cases, READERS) as costs:
        building = asyncio.create_task(_run(stack, "reindex"))
        meanwhile: list[tuple[float, bool]] = []
        while not building.done():
            meanwhile += await _on_schedule(ask, [""] * 10, 10)
        await building
        took = time.perf_counter() - start
    return {"rebuild, cases/s": cases / took, **costs, **_figures("list during a rebuild", meanwhile)}


async def _run(stack: RunningStack, *command: str) -> None:
    done = await asyncio.to_thread(stack.casebound, *command, timeout=7200)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _figures(name: str, answers: Sequence[tuple[float, bool]]) -> dict[str, float]:
    return _times(name, answers) | {f"{name}, not exact": sum(not exact for _, exact in answers)}


def _times(name: str, answers: Sequence[tuple[float, bool]]) -> dict[str, float]:
    milliseconds = [taken for taken, _ in answers]
    return {
        f"{name}, p50 ms": statistics.median(milliseconds),
        f"{name}, p99 ms": statistics.quantiles(milliseconds, n=100)[98],
    }


async def measure(cases: int = CASES, seconds: int = SECONDS) -> dict[str, float]:
    """Latencies by kind of request, and rates of making, indexing and exporting so many cases."""
    figures: dict[str, float] = {"cases": cases}
    with stack_directory() as directory:
        stack = await asyncio.to_thread(start_stack, directory)
        try:
            start = time.perf_counter()
            await _run(stack, "demo", "--cases", str(cases), "--desk", DESK)
            figures["generated and indexed, cases/s"] = cases / (time.perf_counter() - start)
            await until(_nothing_is_written, SETTLED_SECONDS, "the disk to have taken what was generated")
            kinds, page = _kinds(cases), _pages(directory)
            figures |= _of_rounds([await _round(stack, kinds, page, PER_SECOND * seconds) for _ in range(ROUNDS)])
            strokes = list(itertools.islice(_typed_by_many(), ALONE))
            figures |= await asyncio.to_thread(_engine_alone, stack.settings.index_dir, strokes)
            figures |= await _exported(stack, cases)
            async with _asking(stack) as ask:
                figures |= await _rebuilt(stack, ask, cases)
        finally:
            await asyncio.to_thread(stack.stop)
    return figures


def main() -> None:
    """Measure, and print beside what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each kind of request, in each round")
    options = parser.parse_args()
    for name, figure in asyncio.run(measure(options.cases, options.seconds)).items():
        print(f"{name:<56}{figure:>12,.1f}  {' '.join(map(str, GOALS.get(name, ())))}")


if __name__ == "__main__":
    main()
