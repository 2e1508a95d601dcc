"""The door: every command of this process goes through here, one update in flight per case, the rest in the next.

Temporal takes few updates of one workflow at a time, and each costs a workflow task. So what arrives for a case while
an update is under way waits, and goes together in the next one: a quiet case pays nothing, a busy one stays fast.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Sized
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from shared.contracts.workflow import (
    EXECUTE,
    CaseRun,
    ExecuteAnswer,
    ExecuteRequest,
    Outcome,
    Recorded,
    command_to_wire,
    workflow_id,
)
from shared.db.cases import load_run
from shared.db.engine import Database
from shared.domain.case import CaseState
from shared.domain.commands import Command, Open
from shared.telemetry import SpanKind, current_traceparent, get_logger, span
from shared.telemetry.metrics import door_queue_depth
from shared.temporal.cases import case_start

COMMANDS_PER_UPDATE = 100
BYTES_PER_UPDATE = 400_000
"""Temporal warns of payloads over 512 KB and refuses those over 2 MB."""
LULL_SECONDS, GATHERED_SECONDS = 0.005, 0.1
"""On a case that several people have just sent commands to, more are about to come: they are waited for until none has
come for a moment, at most so long. An update costs about the same for many commands as for one."""
FEW_CASES = 4
"""While commands for no more cases are under way here, word is asked for of what is recorded. Among many it would cost
them more than it brings."""
RETRY_FIRST, RETRY_MOST = 0.05, 1.0
_PASSING = frozenset(
    {
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.ABORTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.NOT_FOUND,
    }
)
"""Where no workflow is found one is started; what is not found then is the namespace, which Temporal may forget for a
moment."""

_TROUBLES = (RPCError, RuntimeError, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateFailedError)
_NEVER_CONNECTED = "Failed client connect"
"""How the library says, with a RuntimeError, that its first connection did not come about."""
_NOT_SET_UP = "no mapping defined for search attribute"
"""How Temporal says, with an invalid argument, that the worker has not yet told it by what cases are found."""

_log = get_logger(__name__)


class CaseUnavailable(Exception):  # noqa: N818 (a state of affairs, named so where it is answered)
    """The case's workflow did not answer in time. The command may still be carried out; repeating it is safe."""


class NoSuchCase(Exception):  # noqa: N818
    """Neither Temporal nor Postgres knows the case."""


@dataclass(frozen=True, slots=True)
class CaseAddress:
    """Which case a command is for."""

    desk: str
    number: int
    case_id: uuid.UUID


@dataclass(slots=True)
class _Waiting:
    wire: dict[str, Any]
    size: int
    traceparent: str | None
    answered: asyncio.Future[Outcome]

    def answer(self, outcome: Outcome) -> None:
        if not self.answered.done():
            self.answered.set_result(outcome)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a new case's workflow starts with, and what Temporal is told of the case with it."""

    run: CaseRun
    state: CaseState | None


@dataclass(slots=True)
class _Queue:
    """Commands for one case, and what its workflow starts with if one of them opens it."""

    address: CaseAddress
    opening: _Opening | None
    waiting: deque[_Waiting] = field(default_factory=deque)
    sent: list[_Waiting] = field(default_factory=list)


class Door:
    """Sends commands to the workflows of their cases.

    Args:
        client: connected to Temporal with our data converter.
        database: for the recorded state of cases whose workflow does not run; with the services' rights, as a run goes
            on from events too that the caller does not see.
        timeout: seconds after which a command's caller is told to try again.

    ``told_on`` is the subject of NATS on which this process gets word of what is recorded, while it does.
    """

    def __init__(self, client: Client, database: Database, timeout: float) -> None:
        self._client = client
        self._database = database
        self._timeout = timeout
        self.told_on: str | None = None
        self._queues: dict[str, _Queue] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    async def execute(self, address: CaseAddress, command: Command) -> Outcome:
        """Carry out a command on a case that exists.

        Returns:
            The outcome, once it is recorded.

        Raises:
            CaseUnavailable: no answer in time.
            NoSuchCase: there is nothing to carry it out on.
        """
        return await self._enter(address, None, command)

    async def open(self, run: CaseRun, command: Open, foreseen: CaseState | None) -> Outcome:
        """Open a case: start its workflow, or find it started by an earlier try of the same command.

        Args:
            run: what the workflow starts with.
            command: that opens the case.
            foreseen: the case as that will leave it (``as_opened``): what Temporal is told of it from the start.

        Raises:
            CaseUnavailable: no answer in time.
        """
        address = CaseAddress(desk=run.desk, number=run.number, case_id=uuid.UUID(run.case_id))
        return await self._enter(address, _Opening(run, foreseen), command)

    def hear(self, recorded: Recorded) -> None:
        """Answer who waits for a command that is recorded; its update goes on until the workflow knows it too."""
        queue = self._queues.get(recorded.case)
        for entry in queue.sent if queue else ():
            command_id = entry.wire["command_id"]
            if applied := recorded.applied.get(command_id):
                entry.answer(Outcome(command_id=command_id, accepted=True, seq=applied.seq, at=applied.at))

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _enter(self, address: CaseAddress, opening: _Opening | None, command: Command) -> Outcome:
        traceparent = current_traceparent()
        wire = command_to_wire(command, traceparent)
        entry = _Waiting(wire, len(orjson.dumps(wire)), traceparent, asyncio.get_running_loop().create_future())
        key = workflow_id(address.desk, address.number)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(address, opening)
            pump = asyncio.create_task(self._pump(key, queue))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)
        queue.waiting.append(entry)
        with door_queue_depth.track_inprogress():
            try:
                return await asyncio.wait_for(asyncio.shield(entry.answered), self._timeout)
            except TimeoutError:
                raise CaseUnavailable from None

    async def _pump(self, key: str, queue: _Queue) -> None:
        while queue.waiting:
            await _gathered(queue.waiting)
            batch = queue.sent = _next_batch(queue.waiting)
            try:
                outcomes = await self._send(key, queue, batch)
            except Exception as error:  # whatever it is, the callers must be told
                for entry in batch:
                    if not entry.answered.done():
                        entry.answered.set_exception(error)
                        entry.answered.exception()
            else:
                for entry, outcome in zip(batch, outcomes, strict=True):
                    entry.answer(outcome)
        del self._queues[key]

    async def _send(self, key: str, queue: _Queue, batch: list[_Waiting]) -> list[Outcome]:
        """Send one batch, again and again through passing troubles; command ids make that safe."""
        told_on = self.told_on if len(self._queues) <= FEW_CASES else None
        request = ExecuteRequest(commands=[entry.wire for entry in batch], told_on=told_on)
        traces = [entry.traceparent for entry in batch if entry.traceparent]
        deadline = time.monotonic() + self._timeout
        pause = RETRY_FIRST
        with span("door", kind=SpanKind.CLIENT, parent=traces[0] if traces else None, links=traces[1:]):
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise CaseUnavailable
                try:
                    async with asyncio.timeout(left):
                        return (await self._update(key, queue, request)).outcomes
                except TimeoutError:
                    raise CaseUnavailable from None
                except _TROUBLES as error:
                    if not _is_passing(error):
                        raise
                    _log.info("the case's workflow is busy; trying again", workflow=key, error=str(error))
                await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(pause * 2, RETRY_MOST)

    async def _update(self, key: str, queue: _Queue, request: ExecuteRequest) -> ExecuteAnswer:
        if queue.opening is not None and any(wire["name"] == "open" for wire in request.commands):
            return await self._start_with(queue.opening.run, queue.opening.state, request)
        try:
            handle = self._client.get_workflow_handle(key)
            answer: ExecuteAnswer = await handle.execute_update(EXECUTE, request, result_type=ExecuteAnswer)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        else:
            return answer
        run = await self._recorded(queue.address)
        return await self._start_with(run, run.state, request)

    async def _recorded(self, address: CaseAddress) -> CaseRun:
        """What a case's workflow goes on from when none runs: it had completed, or Temporal lost it."""
        async with self._database.read() as session:
            run = await load_run(session, address.case_id)
        if run is None:
            raise NoSuchCase
        return run

    async def _start_with(self, run: CaseRun, state: CaseState | None, request: ExecuteRequest) -> ExecuteAnswer:
        start = case_start(run, state)
        try:
            answer: ExecuteAnswer = await self._client.execute_update_with_start_workflow(
                EXECUTE, request, start_workflow_operation=start, result_type=ExecuteAnswer
            )
        except _TROUBLES:
            await _heard(start)
            raise
        return answer


async def _heard(start: WithStartWorkflowOperation[Any, Any]) -> None:
    """The library tells what went wrong to the start as well, and Python reports what nobody has asked for there."""
    with suppress(Exception):
        async with asyncio.timeout(0):
            await start.workflow_handle()


async def _gathered(waiting: Sized) -> None:
    """Let those who are about to come catch up; one who is alone is not kept waiting."""
    deadline = time.monotonic() + GATHERED_SECONDS
    before = 1
    while before < len(waiting) < COMMANDS_PER_UPDATE and time.monotonic() < deadline:
        before = len(waiting)
        await asyncio.sleep(LULL_SECONDS)


def _next_batch(waiting: deque[_Waiting]) -> list[_Waiting]:
    batch = [waiting.popleft()]
    size = batch[0].size
    while waiting and len(batch) < COMMANDS_PER_UPDATE and size + waiting[0].size <= BYTES_PER_UPDATE:
        batch.append(waiting.popleft())
        size += batch[-1].size
    return batch


def _is_passing(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, RPCError):
        return error.status in _PASSING or _NOT_SET_UP in str(error)
    if isinstance(error, RuntimeError):
        return _NEVER_CONNECTED in str(error)
    if isinstance(error, WorkflowUpdateFailedError):
        # The run ended or continued as new between accepting the update and answering it.
        return isinstance(error.cause, ApplicationError) and error.cause.type == "AcceptedUpdateCompletedWorkflow"
    return True
