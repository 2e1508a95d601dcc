"""The tour of the documentation, as a reader would run it."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

from services.local.demo import apply_demo_desks
from tests.stack import RunningStack

TOUR = Path(__file__).parents[2] / "docs" / "tour.sh"


async def test_the_tour_completes(stack: RunningStack, tmp_path: Path) -> None:
    await asyncio.to_thread(apply_demo_desks, stack.settings)
    command = tmp_path / "casebound"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m services.cli "$@"\n')
    command.chmod(0o755)
    done = await asyncio.to_thread(
        subprocess.run,
        [TOUR],
        cwd=TOUR.parents[1],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CASEBOUND_DATA_DIR": str(stack.data_dir)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("tour complete: ")
