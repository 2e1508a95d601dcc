"""The worker service: runs case workflows, records what they decide, and relays it to NATS."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import uvloop
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from services.workflows.case_workflow import CaseWorkflow
from services.workflows.housekeeping import CHORES, keep_house
from services.workflows.old_files import chores_with_files
from services.workflows.overdue_cases import chore_with_workflows
from services.workflows.record import Recorder
from services.workflows.relay import Relay, Waker
from services.workflows.word import Word
from shared.contracts.workflow import TASK_QUEUE
from shared.db.engine import Database
from shared.messaging import Bus
from shared.messaging import connect as connect_to_nats
from shared.objects import open_store
from shared.processes import set_by_signal, spare_the_collector
from shared.settings import Settings
from shared.telemetry import get_logger, serve_health, setup
from shared.temporal import connect, ensure_search_attributes

CONNECT_RETRY = 1.0
SHUTDOWN_GRACE = timedelta(seconds=10)

_log = get_logger(__name__)


def make_worker(client: Client, recorder: Recorder, runner: WorkflowRunner | None = None) -> Worker:
    """The Temporal worker for cases.

    Args:
        client: connected with our data converter.
        recorder: records what the workflows decide.
        runner: tests run workflows in Temporal's sandbox, which refuses what would differ at replay; in production
            that would cost more than everything else about a command (docs/decisions/0001).
    """
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[CaseWorkflow],
        activities=[recorder.record],
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
        max_concurrent_local_activities=50,
        max_cached_workflows=2_000,
    )


def run(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT."""
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    telemetry = setup("worker", settings)
    stopped = set_by_signal()
    database = Database(settings.database_url, pool_size=20)
    try:
        client = await _connected(settings, stopped)
        if client is not None:
            await _work(settings, client, database, stopped)
    finally:
        await database.close()
        telemetry.shutdown()


async def _connected(settings: Settings, stopped: asyncio.Event) -> Client | None:
    """Wait for Temporal, however long it takes; None if the service is to stop before."""
    while not stopped.is_set():
        try:
            client = await connect(settings)
            await ensure_search_attributes(client)
        except (RuntimeError, RPCError) as error:
            _log.warning("Temporal does not answer; trying again", address=settings.temporal_address, error=str(error))
            await asyncio.sleep(CONNECT_RETRY)
        else:
            return client
    return None


async def _work(settings: Settings, client: Client, database: Database, stopped: asyncio.Event) -> None:
    waker, word = Waker(settings.database_url), Word()
    recorder = Recorder(database, committed=waker, told=word.send, ends_per_second=settings.window_ends_per_second)
    async with (
        serve_health(settings.metrics_port, _always_ready, host=settings.metrics_host),
        make_worker(client, recorder),
        asyncio.TaskGroup() as tasks,
    ):
        chores = (*CHORES, *chores_with_files(open_store(settings)), chore_with_workflows(client))
        side_work = (waker.run(), _relay(settings, word), keep_house(database, chores))
        side_tasks = [tasks.create_task(each) for each in side_work]
        spare_the_collector()
        _log.info("ready")
        await stopped.wait()
        for task in side_tasks:
            task.cancel()


async def _relay(settings: Settings, word: Word) -> None:
    """Relay, and send word, as soon as NATS can be reached; cases are worked on without it."""
    bus: Bus | None = None
    while bus is None:
        try:
            bus = await connect_to_nats(settings, "relay")
        except ConnectionError as error:
            _log.warning("the relay waits for NATS", error=str(error))
    word.bus = bus
    try:
        await Relay(settings.database_url, bus).run()
    finally:
        await bus.close()


async def _always_ready() -> bool:
    return True
