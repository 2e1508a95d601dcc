"""Housekeeping of windows: a case whose window has ended long ago lacks its workflow, and gets it back.

That happens if Temporal loses its data, or goes back to a copy of it; or is killed, and the API with it, between a
record and what the workflow makes of it. Whoever acts on such a case finds it working, as the API starts a missing
workflow and one that is behind takes over what is recorded; but a window that ends in silence needs that too
(desk-rules Windows).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import func, select
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from services.workflows.housekeeping import ROWS_AT_ONCE, Chore
from shared.contracts.workflow import CASE_QUERY, CaseRun
from shared.db.cases import DUE_AT, load_run
from shared.db.engine import Database
from shared.db.models import WINDOW_RUNS, Case
from shared.telemetry import get_logger
from shared.temporal.cases import start_case

PATIENCE: Final = timedelta(hours=1)
"""Where thousands end at once some are seen to later (``stagger.py``). A workflow that is not behind is left alone."""
_ANSWER_SECONDS: Final = timedelta(seconds=20)
_log = get_logger(__name__)
_NEVER: Final = uuid.UUID(int=0)


def chore_with_workflows(client: Client) -> Chore:
    """What is to be done about cases whose workflows that Temporal has lost."""
    return Chore(name="overdue cases", do=partial(overdue_cases, client=client))


async def overdue_cases(database: Database, client: Client, patience: timedelta = PATIENCE) -> int:
    """Start the workflows of cases whose window has ended, where none runs or one that is behind the record.

    Args:
        database: where the cases are.
        client: of Temporal.
        patience: how long ago the window has ended at least, by the case's own clock.

    Returns:
        How many cases were overdue.
    """
    found = 0
    async for some in _overdue(database, patience):
        for case_id in some:
            async with database.read() as session:
                run = await load_run(session, case_id)
            if run is not None:
                await _look_after(client, run)
        found += len(some)
    return found


async def _look_after(client: Client, run: CaseRun) -> None:
    workflow = await start_case(client, run)
    try:
        known = (await workflow.query(CASE_QUERY, rpc_timeout=_ANSWER_SECONDS))["state"]
    except (RPCError, WorkflowQueryFailedError) as error:
        _log.warning("an overdue case does not say what it knows", workflow=workflow.id, error=str(error))
        return
    if run.state is not None and (known is None or known["seq"] < run.state.seq):
        await workflow.terminate("behind what is recorded")
        await start_case(client, run)


async def _overdue(database: Database, patience: timedelta) -> AsyncIterator[Sequence[uuid.UUID]]:
    ended = DUE_AT + patience < func.now() + Case.clock_offset
    last = _NEVER
    while True:
        query = select(Case.id).where(WINDOW_RUNS, ended, Case.id > last).order_by(Case.id).limit(ROWS_AT_ONCE)
        async with database.reading() as connection:
            some = (await connection.scalars(query)).all()
        if not some:
            return
        yield some
        last = some[-1]
