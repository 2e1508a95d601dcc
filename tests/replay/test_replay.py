"""Recorded histories replay with today's code: what every open case goes through when a new version is installed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from services.workflows.case_workflow import CaseWorkflow
from shared.contracts.workflow import CASE_WORKFLOW, CaseRun
from tests.replay import HISTORIES
from tests.replay.scenarios import SCENARIOS
from tests.world import sandboxed

RECORDED = sorted(HISTORIES.glob("*.json.gz"))


@workflow.defn(name=CASE_WORKFLOW, sandboxed=False)
class ImpatientCaseWorkflow(CaseWorkflow):
    """Incompatible: sets a timer that the recorded histories don't know."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        super().__init__(run)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        await workflow.sleep(1)
        await super().run(run)


def replayer(kind: type[object]) -> Replayer:
    return Replayer(workflows=[kind], workflow_runner=sandboxed(), data_converter=pydantic_data_converter)


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("replayed", gzip.decompress(path.read_bytes()).decode())


def test_every_scenario_has_been_recorded() -> None:
    assert {path.name.split("-")[0] for path in RECORDED} == {scenario.__name__ for scenario in SCENARIOS}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_recorded_history_replays(path: Path) -> None:
    await replayer(CaseWorkflow).replay_workflow(history(path))


async def test_an_incompatible_change_is_noticed() -> None:
    """The guard itself: on the same history, a workflow that does one thing more fails."""
    with pytest.raises(NondeterminismError):
        await replayer(ImpatientCaseWorkflow).replay_workflow(history(RECORDED[0]))
