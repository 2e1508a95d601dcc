"""One durable workflow per case: takes commands, lets the machine decide, has it recorded, minds the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from shared.contracts.events import STATES
    from shared.contracts.workflow import (
        CASE_QUERY,
        CASE_WORKFLOW,
        EXECUTE,
        RECORD,
        SEEN_LIMIT,
        SIGNALS,
        UNRECORDABLE,
        Applied,
        CaseRun,
        ExecuteAnswer,
        ExecuteRequest,
        Outcome,
        ParsedCommand,
        RecordAnswer,
        RecordRequest,
        parse_command,
    )
    from shared.domain.case import SYSTEM, CaseState
    from shared.domain.commands import Command, RecordRejection
    from shared.domain.decision import decide, overdue
    from shared.domain.events import Event
    from shared.domain.evolution import evolve, is_over, next_deadline, with_window_end
    from shared.domain.refusals import Refusal, RefusalCode
    from shared.temporal.cases import changed_search_attributes, known_to_temporal, searchable

UPDATES_PER_RUN = 1_000
"""Temporal allows 2,000 updates in a run; a new run is cheap, and leaves room for those on their way."""
BATCH_LIMIT = 200
"""Commands decided and recorded together."""
RECEIVED_KEPT = 500
"""Characters of a malformed signal kept for its sender to recognise it."""


@dataclass(eq=False)
class _Entry:
    """A command on its way: parsed or refused, and in the end its outcome."""

    command_id: str
    parsed: ParsedCommand | Refusal
    outcome: Outcome | None = None
    rejected_signal: RecordRejection | None = None
    told_on: str | None = None

    def accept(self, applied: Applied) -> None:
        self.outcome = Outcome(command_id=self.command_id, accepted=True, seq=applied.seq, at=applied.at)

    def refuse_files(self, refused: Mapping[str, str]) -> None:
        """Let it be decided as malformed if it is one of these commands, whose files the record does not take."""
        if detail := refused.get(self.command_id):
            self.parsed = Refusal(code=RefusalCode.MALFORMED, detail=detail, fields=("attachments",))

    def refuse(self, refusal: Refusal) -> None:
        ended = refusal.window_ended_at
        self.outcome = Outcome(
            command_id=self.command_id,
            accepted=False,
            code=refusal.code.value,
            detail=refusal.detail,
            fields=refusal.fields,
            window_ended_at=ended.isoformat() if ended else None,
        )


@dataclass
class _Draft:
    """What a batch of commands leads to, until it is recorded: only then it is true and answered."""

    state: CaseState | None
    events: list[Event]
    traceparents: dict[str, str]
    told_on: list[str]
    applied: dict[str, Applied]
    refused: dict[_Entry, Refusal]
    at: datetime
    alarm_delay: float


@workflow.defn(name=CASE_WORKFLOW)
class CaseWorkflow:
    """Carries one case from its opening until nothing can happen to it any more.

    Its state is one serialisable object, the input of every run. What is in it is recorded: commands wait in the
    inbox, are decided as a batch, recorded in one transaction, and only then change the state and are answered.
    """

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        self._case = run
        self._inbox: list[_Entry] = []
        self._updates = 0
        self._asked = False
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None

    @workflow.run
    async def run(self, run: CaseRun) -> None:  # noqa: ARG002 (taken by __init__, before any handler runs)
        while True:
            self._set_alarm()
            await workflow.wait_condition(lambda: bool(self._inbox) or self._window_over() or self._may_leave())
            if self._inbox or self._window_over():
                batch, self._inbox = self._inbox[:BATCH_LIMIT], self._inbox[BATCH_LIMIT:]
                await self._carry_out(batch)
            elif self._is_over():
                return
            else:
                workflow.continue_as_new(self._case)

    # ------------------------------------------------------------------------------------------ the doors

    @workflow.update(name=EXECUTE)
    async def execute(self, request: ExecuteRequest) -> ExecuteAnswer:
        """Decide commands in order; answered once they are recorded or refused."""
        self._updates += 1
        self._asked = True
        entries = [self._entry(data, request.told_on) for data in request.commands]
        self._inbox.extend(entries)
        await workflow.wait_condition(lambda: all(entry.outcome is not None for entry in entries))
        return ExecuteAnswer(outcomes=[entry.outcome for entry in entries if entry.outcome is not None])

    @workflow.signal(dynamic=True)
    async def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """A command without an answer, by the signal's name; whatever comes in, the case lives on.

        Dynamic, because the library drops a signal whose arguments don't fit a declared handler, without a trace.
        """
        self._asked = True
        self._inbox.append(self._entry_of_signal(name, args))

    @workflow.query(name=CASE_QUERY)
    def case(self) -> dict[str, Any]:
        """The case as recorded."""
        state = self._case.state
        return {
            "case_id": self._case.case_id,
            "desk": self._case.desk,
            "number": self._case.number,
            "policy_version": self._case.policy_version,
            "state": STATES.dump_python(state, mode="json") if state else None,
        }

    def _entry(self, data: dict[str, Any], told_on: str | None) -> _Entry:
        return _Entry(command_id=str(data.get("command_id", ""))[:200], parsed=parse_command(data), told_on=told_on)

    def _entry_of_signal(self, name: str, args: Sequence[RawValue]) -> _Entry:
        try:
            data = workflow.payload_converter().from_payload(args[0].payload, dict) if len(args) == 1 else None
        except Exception:  # an exception in a signal handler would fail the workflow
            data = None
        if data is None:
            data = {}
            parsed: ParsedCommand | Refusal = Refusal(
                code=RefusalCode.MALFORMED, detail="A signal takes one argument, an object in JSON."
            )
        elif name in SIGNALS:
            parsed = parse_command({**data, "name": name})
        else:
            parsed = Refusal(code=RefusalCode.UNKNOWN_COMMAND, detail=f"There is no signal «{name[:50]}».")
        entry = _Entry(command_id=str(data.get("command_id", ""))[:200], parsed=parsed)
        received = args[0].payload.data[:RECEIVED_KEPT].decode(errors="replace").replace("\0", "") if args else ""
        entry.rejected_signal = RecordRejection(
            command_id=f"rejected-{workflow.uuid4()}",
            actor=parsed.command.actor if isinstance(parsed, ParsedCommand) else SYSTEM,
            command=name[:50],
            code="",
            detail="",
            received=received if isinstance(parsed, Refusal) else "",
        )
        return entry

    # ------------------------------------------------------------------------------------------ deciding and recording

    async def _carry_out(self, batch: list[_Entry]) -> None:
        draft = self._decide_all(batch)
        if draft.events:
            try:
                answer = await self._record(draft)
            except FailureError:
                await self._find_the_unrecordable(batch)
                return
            if answer.ahead:
                self._case.state = answer.ahead.state
                self._case.seen.update(answer.ahead.applied)
                await self._carry_out(batch)
                return
            if answer.refused:
                for entry in batch:
                    entry.refuse_files(answer.refused)
                await self._carry_out(batch)
                return
            for end in answer.window_ends:
                if draft.state is not None:
                    draft.state = with_window_end(draft.state, end.seq, datetime.fromisoformat(end.ends_at))
                    draft.alarm_delay = end.alarm_delay
        self._commit(draft, batch)

    def _decide_all(self, batch: list[_Entry]) -> _Draft:
        draft = _Draft(
            state=self._case.state,
            events=[],
            traceparents={},
            told_on=sorted({entry.told_on for entry in batch if entry.told_on}),
            applied={},
            refused={},
            at=self._now(),
            alarm_delay=self._case.alarm_delay,
        )
        self._decide_what_is_due(draft)
        for entry in batch:
            refusal = self._decide_one(entry, draft)
            if refusal is not None:
                draft.refused[entry] = refusal
        return draft

    def _decide_one(self, entry: _Entry, draft: _Draft) -> Refusal | None:
        if isinstance(entry.parsed, Refusal):
            refusal: Refusal | None = entry.parsed
        else:
            command_id = entry.parsed.command.command_id
            if command_id in self._case.seen or command_id in draft.applied:
                return None
            if entry.parsed.traceparent:
                draft.traceparents[command_id] = entry.parsed.traceparent
            refusal = self._decide(entry.parsed.command, draft)
        if refusal is not None and entry.rejected_signal is not None:
            entry.rejected_signal = _with_reason(entry.rejected_signal, refusal)
            self._decide(entry.rejected_signal, draft)
        return refusal

    def _decide_what_is_due(self, draft: _Draft) -> None:
        if due := overdue(draft.state, draft.at):
            self._decide(due, draft)

    def _decide(self, command: Command, draft: _Draft) -> Refusal | None:
        decided = decide(draft.state, self._case.policy, command, draft.at)
        if isinstance(decided, Refusal):
            return decided
        for event in decided:
            draft.state = evolve(draft.state, event)
        draft.events.extend(decided)
        if draft.state is not None:
            seq = decided[0].seq if decided else draft.state.seq
            draft.applied[command.command_id] = Applied(seq=seq, at=draft.at)
        return None

    async def _record(self, draft: _Draft) -> RecordAnswer:
        request = RecordRequest(
            case_id=self._case.case_id,
            desk=self._case.desk,
            number=self._case.number,
            policy=self._case.policy if self._case.state is None else None,
            policy_version=self._case.policy_version,
            events=draft.events,
            traceparents=draft.traceparents,
            clock_offset=self._case.clock_offset,
            told_on=draft.told_on,
        )
        answer: RecordAnswer = await workflow.execute_local_activity(
            RECORD,
            request,
            result_type=RecordAnswer,
            start_to_close_timeout=timedelta(seconds=30),
            local_retry_threshold=timedelta(seconds=5),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=100),
                maximum_interval=timedelta(seconds=5),
                non_retryable_error_types=[UNRECORDABLE],
            ),
        )
        return answer

    async def _find_the_unrecordable(self, batch: list[_Entry]) -> None:
        """Something in the batch can't be stored: carry out each alone, so that it alone is refused."""
        if len(batch) > 1:
            for entry in batch:
                await self._carry_out([entry])
        for entry in batch if len(batch) == 1 else ():
            entry.refuse(Refusal(code=RefusalCode.MALFORMED, detail="This can't be recorded; nothing was changed."))

    def _commit(self, draft: _Draft, batch: list[_Entry]) -> None:
        before = self._case.state
        self._case.state = draft.state
        self._case.alarm_delay = draft.alarm_delay
        self._case.seen.update(draft.applied)
        for command_id in list(self._case.seen)[: max(0, len(self._case.seen) - SEEN_LIMIT)]:
            del self._case.seen[command_id]
        told = searchable(before) if before else known_to_temporal(workflow.info().typed_search_attributes)
        if draft.state is not None and told != searchable(draft.state):
            workflow.upsert_search_attributes(changed_search_attributes(draft.state))
        seen = self._case.seen | draft.applied
        for entry in batch:
            if entry in draft.refused:
                entry.refuse(draft.refused[entry])
            else:
                entry.accept(seen[entry.command_id])

    # ------------------------------------------------------------------------------------------ the clock, and leaving

    def _set_alarm(self) -> None:
        deadline = next_deadline(self._case.state)
        if deadline == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline
        delay = timedelta(seconds=self._case.alarm_delay)
        self._alarm = asyncio.create_task(self._sleep_until(deadline + delay)) if deadline else None

    async def _sleep_until(self, alarm: datetime) -> None:
        while (left := alarm - self._now()) > timedelta():
            await workflow.sleep(left)

    def _now(self) -> datetime:
        return workflow.now() + timedelta(seconds=self._case.clock_offset)

    def _window_over(self) -> bool:
        return overdue(self._case.state, self._now()) is not None

    def _is_over(self) -> bool:
        state = self._case.state
        return is_over(state) if state is not None else self._asked

    def _may_leave(self) -> bool:
        new_run = workflow.info().is_continue_as_new_suggested() or self._updates >= UPDATES_PER_RUN
        return (self._is_over() or new_run) and not self._inbox and workflow.all_handlers_finished()


def _with_reason(rejection: RecordRejection, refusal: Refusal) -> RecordRejection:
    return replace(rejection, code=refusal.code.value, detail=refusal.detail)
