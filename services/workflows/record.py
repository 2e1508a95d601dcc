"""The one activity of a case: what was decided becomes what happened, in one transaction."""

from __future__ import annotations

import math
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime

import asyncpg
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.workflows.attachments import FilesRefusedError, find_files, keep_files
from services.workflows.rows import Happened, write_change, write_new
from services.workflows.stagger import seconds_to_wait
from shared.contracts.events import STATES
from shared.contracts.workflow import RECORD, UNRECORDABLE, Ahead, Applied, RecordAnswer, RecordRequest, WindowEnd
from shared.db.cases import POLICIES
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent, Desk
from shared.domain import events as e
from shared.domain.case import CaseState
from shared.domain.commands import FollowUp
from shared.domain.decision import decide
from shared.domain.evolution import evolve
from shared.domain.refusals import Refusal
from shared.holiday_lists import build_calendar
from shared.telemetry import current_traceparent, span

_DATA_EXCEPTION = "22"
"""Class of the SQLSTATEs that say that a value can't be stored."""
_STATE = select(Case.state).where(Case.id == bindparam("case_id"))
_STATES_REMEMBERED = 2_000


async def nobody_told(request: RecordRequest) -> None:
    """Those who wait get the workflow's own answer."""


class _RecordIsAheadError(Exception):
    """The record is not where the workflow thought it was."""


class Recorder:
    """Writes events and read model.

    Args:
        database: where to.
        committed: called after each commit, to wake the relay.
        told: called with what was committed, to tell those who wait for it.
        ends_per_second: of windows that end in the same minute, how many are seen to in a second.
    """

    def __init__(
        self,
        database: Database,
        committed: Callable[[], None],
        told: Callable[[RecordRequest], Awaitable[None]] = nobody_told,
        *,
        ends_per_second: float = math.inf,
    ) -> None:
        self._database = database
        self._committed = committed
        self._told = told
        self._ends_per_second = ends_per_second
        self._lately = OrderedDict[uuid.UUID, CaseState]()
        """How cases were when recorded here last. Whether one still is so, the statement that writes finds out."""

    @activity.defn(name=RECORD)
    async def record(self, request: RecordRequest) -> RecordAnswer:
        """Record a batch of events once, however often it is asked.

        Returns:
            The ends of the windows that the events started; or, with nothing written, what the record holds if that
            is not what the workflow thought: after an answer that got lost, or after Temporal lost its latest history.
            Or, with nothing written either, which of the commands name files that they may not.

        Raises:
            ApplicationError: of type ``Unrecordable`` if trying again would not help.
        """
        case_id, before = uuid.UUID(request.case_id), request.events[0].seq - 1
        known = self._lately.pop(case_id, None)
        one = all(map(_is_one_statement, request.events))
        try:
            with _spans(request.traceparents) as traces:
                async with self._database.statement() if one else self._database.transaction() as connection:
                    state = known if known and known.seq == before else await _state_after(connection, case_id, before)
                    answer, after = await self._write(connection, request, state, traces)
        except (_RecordIsAheadError, IntegrityError):
            async with self._database.transaction() as connection:
                return RecordAnswer(ahead=await _ahead(connection, case_id, request.events))
        except FilesRefusedError as error:
            return RecordAnswer(refused=error.refused)
        except Exception as error:
            if not lies_in_what_is_recorded(error):
                raise
            raise ApplicationError(repr(error), type=UNRECORDABLE, non_retryable=True) from error
        await self._told(request)
        self._committed()
        self._lately[case_id] = after
        if len(self._lately) > _STATES_REMEMBERED:
            self._lately.popitem(last=False)
        return answer

    async def _write(
        self, connection: AsyncConnection, request: RecordRequest, state: CaseState | None, traces: dict[str, str]
    ) -> tuple[RecordAnswer, CaseState]:
        """Write what follows on that state; returns the state after it too."""
        case_id = uuid.UUID(request.case_id)
        if (state.seq if state else 0) != request.events[0].seq - 1:
            raise _RecordIsAheadError
        files = await find_files(connection, case_id, request.desk, request.events)
        events = [await _with_window_end(connection, request.desk, event) for event in request.events]
        ends = [await self._window_end(connection, event.seq, end) for event in events if (end := _window_end(event))]
        happened = Happened(events=events, snapshots=_snapshots(state, events), traces=traces, files=files.told)
        if state is None:
            await write_new(connection, case_id, request, happened)
        elif not await write_change(connection, case_id, happened):
            raise _RecordIsAheadError
        await keep_files(connection, case_id, files)
        await _link_followed_case(connection, request, events[0])
        return RecordAnswer(window_ends=ends), happened.snapshots[-1]

    async def _window_end(self, connection: AsyncConnection, seq: int, end: datetime) -> WindowEnd:
        delay = await seconds_to_wait(connection, end, self._ends_per_second)
        return WindowEnd(seq=seq, ends_at=end.isoformat(), alarm_delay=delay)


def lies_in_what_is_recorded(error: Exception) -> bool:
    """Whether trying again would not help; troubles of the database or of its schema end by themselves.

    Args:
        error: as SQLAlchemy wraps it, or as the driver raised it, which it does when it can't connect.
    """
    driver = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(driver, asyncpg.PostgresError):
        return isinstance(error, DBAPIError) and (driver.sqlstate or "").startswith(_DATA_EXCEPTION)
    if isinstance(driver, asyncpg.InterfaceError):
        return isinstance(driver, ValueError)
    return not isinstance(driver, OSError | TimeoutError | PoolTimeoutError | DBAPIError | None)


@contextmanager
def _spans(parents: dict[str, str]) -> Iterator[dict[str, str]]:
    """A span for each command, in the command's own trace: a batch serves several. Yields their trace contexts."""
    traces: dict[str, str] = {}
    with ExitStack() as stack:
        for command_id, parent in parents.items():
            stack.enter_context(span("record", parent=parent, command_id=command_id))
            traces[command_id] = current_traceparent() or parent
        yield traces


async def _state_after(connection: AsyncConnection, case_id: uuid.UUID, seq: int) -> CaseState | None:
    """The case as recorded. One that is to be opened is not looked for: were it there, it could not be written."""
    return await _state(connection, case_id) if seq else None


async def _state(connection: AsyncConnection, case_id: uuid.UUID) -> CaseState | None:
    stored = await connection.scalar(_STATE, {"case_id": case_id})
    return STATES.validate_python(stored) if stored is not None else None


def _is_one_statement(event: e.Event) -> bool:
    """Whether nothing but the case itself is written for an event: no files, no case that it follows."""
    return not e.files_of(event) and not (isinstance(event, e.Opened) and event.follow_up_of is not None)


def _snapshots(state: CaseState | None, events: Sequence[e.Event]) -> list[CaseState]:
    snapshots = []
    for event in events:
        state = evolve(state, event)
        snapshots.append(state)
    return snapshots


async def _ahead(connection: AsyncConnection, case_id: uuid.UUID, events: Sequence[e.Event]) -> Ahead:
    state = await _state(connection, case_id)
    applied = await connection.execute(
        select(CaseEvent.command_id, CaseEvent.seq, CaseEvent.at).where(
            CaseEvent.case_id == case_id,
            CaseEvent.command_id.in_({event.command_id for event in events}),
            CaseEvent.part == 0,
        )
    )
    ahead = Ahead(state=state, applied={row.command_id: Applied(seq=row.seq, at=row.at) for row in applied})
    if not ahead.applied and (state.seq if state else 0) == events[0].seq - 1:
        raise ApplicationError("the record refuses these events", type=UNRECORDABLE, non_retryable=True)
    return ahead


# ------------------------------------------------------------------------------------------ windows


async def _with_window_end(connection: AsyncConnection, desk: str, event: e.Event) -> e.Event:
    """The event with the end of the window it starts: computed once, here, and never again (desk-rules Windows)."""
    if isinstance(event, e.Resolved) and event.auto_close_after is not None:
        return replace(event, auto_close_at=await _end(connection, desk, event.at, event.auto_close_after))
    if isinstance(event, e.Closed) and event.reopen_within is not None:
        return replace(event, reopen_until=await _end(connection, desk, event.at, event.reopen_within))
    return event


async def _end(connection: AsyncConnection, desk: str, start: datetime, business_days: int) -> datetime:
    row = (await connection.execute(select(Desk.timezone, Desk.workdays, Desk.holidays).where(Desk.slug == desk))).one()
    return build_calendar(row.timezone, row.workdays, row.holidays, start).window_end(start, business_days)


def _window_end(event: e.Event) -> datetime | None:
    match event:
        case e.Resolved():
            return event.auto_close_at
        case e.Closed():
            return event.reopen_until
        case _:
            return None


# ------------------------------------------------------------------------------------------ follow-ups


async def _link_followed_case(connection: AsyncConnection, request: RecordRequest, opened: e.Event) -> None:
    """desk-rules H11: the new case is linked to the one it follows, and back, in the same transaction.

    A case that can be followed up is sealed, so no workflow of its own writes to it any more.
    """
    if not isinstance(opened, e.Opened) or opened.follow_up_of is None:
        return
    desk_id = select(Desk.id).where(Desk.slug == request.desk).scalar_subquery()
    found = await connection.execute(
        select(Case.id, Case.state, Case.policy)
        .where(Case.desk_id == desk_id, Case.number == opened.follow_up_of)
        .with_for_update()
    )
    followed = found.one_or_none()
    if followed is None:
        return
    state = STATES.validate_python(followed.state)
    command = FollowUp(command_id=f"{opened.command_id}-follows", actor=opened.actor, number=request.number)
    decided = decide(state, POLICIES.validate_python(followed.policy), command, opened.at)
    if isinstance(decided, Refusal):
        return
    await write_change(connection, followed.id, Happened(events=decided, snapshots=_snapshots(state, decided)))
