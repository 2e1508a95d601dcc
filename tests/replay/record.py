"""Records the histories that the replay tests hold the workflow to: ``python -m tests.replay.record``.

Run it when the workflow has learnt something new, and keep the old histories: every case that is open when a new
version is installed is replayed by it.
"""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from temporalio.client import WorkflowHistory

from services.local.data_dir import DataDir
from services.local.up import running_servers
from tests.conftest import Quiet
from tests.replay import HISTORIES, RULES_VERSION
from tests.replay.scenarios import SCENARIOS
from tests.stack import stack_directory
from tests.world import CaseInTest, open_world


async def _record() -> None:
    with stack_directory() as directory:
        async with (
            running_servers(DataDir(directory), Quiet()) as settings,
            open_world(settings, encrypted=False) as world,
        ):
            for scenario in SCENARIOS:
                case = await scenario(world)
                for number, history in enumerate(await _runs(case), start=1):
                    _write(HISTORIES / f"{scenario.__name__}-{RULES_VERSION}-run{number}.json.gz", history)


async def _runs(case: CaseInTest) -> list[WorkflowHistory]:
    """The first and the last two runs of the case's workflow."""
    found = [
        await case.world.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        async for run in case.world.client.list_workflows(f"WorkflowId = '{case.handle.id}'")
    ]
    found.reverse()
    return found[:1] + found[1:][-2:]


def _write(path: Path, history: WorkflowHistory) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(_record())
