"""``python -m benchmarks.peer [--cases 5000]``: the comparison alone, or a smaller one."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from benchmarks.__main__ import show
from benchmarks.peer import comparison


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=comparison.__doc__)
    parser.add_argument("--cases", type=int, default=comparison.CASES)
    parser.add_argument("--environment", type=Path, default=comparison.ENVIRONMENT, help="where the peer is installed")
    options = parser.parse_args()
    show({"peer": asyncio.run(comparison.measure(options.cases, options.environment))})


if __name__ == "__main__":
    main()
