"""Traces through the real Temporal server, with the workflow sandbox and without."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from shared import telemetry
from shared.telemetry.span_store import StoredSpan
from shared.telemetry.temporal import CommandTracing
from tests.integration.telemetry.kit import read_spans, trace_id_of

SANDBOX = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())


@activity.defn
async def record(traceparents: list[str]) -> None:
    for traceparent in traceparents:
        with telemetry.span("record", parent=traceparent):
            pass


@workflow.defn
class Recorder:
    def __init__(self) -> None:
        self._pending: list[str] = []
        self._recorded = 0

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.wait_condition(lambda: len(self._pending) > self._recorded)
            batch = self._pending[self._recorded :]
            await workflow.execute_local_activity(record, batch, start_to_close_timeout=timedelta(seconds=5))
            self._recorded += len(batch)

    @workflow.update
    async def execute(self, traceparent: str) -> int:
        self._pending.append(traceparent)
        seq = len(self._pending)
        await workflow.wait_condition(lambda: self._recorded >= seq)
        return seq

    @workflow.signal
    async def comment(self, traceparent: str) -> None:
        self._pending.append(traceparent)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    binary = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(binary)) as environment:
        yield environment


def _shape(spans: list[StoredSpan]) -> dict[str, str | None]:
    """Each span's name with its parent's."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id or "") for span in spans}


@pytest.mark.parametrize("runner", [SANDBOX, UnsandboxedWorkflowRunner()], ids=["sandbox", "bare"])
async def test_each_command_is_a_trace_of_its_own_with_real_durations(
    server: WorkflowEnvironment, runner: WorkflowRunner, traced: telemetry.Telemetry, store: Path
) -> None:
    target = server.client.service_client.config.target_host
    client = await Client.connect(target, interceptors=[CommandTracing()])
    name = f"recorder-{type(runner).__name__}"
    commands = {}
    async with Worker(
        client,
        task_queue=name,
        workflows=[Recorder],
        activities=[record],
        workflow_runner=runner,
        max_cached_workflows=0,
    ):
        start = WithStartWorkflowOperation(
            Recorder.run, id=name, task_queue=name, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        with telemetry.span("open") as span:
            commands["open"] = traceparent = telemetry.traceparent_of(span) or ""
            await client.execute_update_with_start_workflow(
                Recorder.execute, traceparent, start_workflow_operation=start
            )
        handle = client.get_workflow_handle_for(Recorder.run, name)
        with telemetry.span("signal") as span:
            commands["signal"] = traceparent = telemetry.traceparent_of(span) or ""
            await handle.signal(Recorder.comment, traceparent)
        with telemetry.span("update") as span:
            commands["update"] = traceparent = telemetry.traceparent_of(span) or ""
            await handle.execute_update(Recorder.execute, traceparent)
    traced.flush()
    before = {command: read_spans(store, trace_id_of(traceparent)) for command, traceparent in commands.items()}
    assert {command: _shape(spans) for command, spans in before.items()} == {
        "open": {
            "open": None,
            "workflow execute": "open",
            "record": "open",
        },
        "signal": {
            "signal": None,
            "workflow comment": "signal",
            "record": "signal",
        },
        "update": {
            "update": None,
            "workflow execute": "update",
            "record": "update",
        },
    }
    assert all(len(spans) == 3 for spans in before.values())
    for command in ("open", "update"):
        outer, handler, recorded = (
            next(span for span in before[command] if span.name == name)
            for name in (command, "workflow execute", "record")
        )
        assert outer.start_ns <= handler.start_ns <= recorded.start_ns <= recorded.end_ns
        assert handler.end_ns - handler.start_ns > 0

    history = await handle.fetch_history()
    await Replayer(workflows=[Recorder], workflow_runner=runner, interceptors=[CommandTracing()]).replay_workflow(
        history
    )
    await handle.terminate()
    traced.flush()
    for command, traceparent in commands.items():
        assert read_spans(store, trace_id_of(traceparent)) == before[command], "a replay makes no spans"
