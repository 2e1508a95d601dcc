"""Reading cases for the workflow: a case's run from what is recorded."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import STATES
from shared.contracts.workflow import SEEN_LIMIT, Applied, CaseRun
from shared.db.models import Case, CaseEvent, Desk
from shared.domain.policy import Policy

POLICIES: TypeAdapter[Policy] = TypeAdapter(Policy)


@lru_cache(1_000)
def policy_of(written: str) -> Policy:
    """A policy by its text in JSON, which thousands of cases share."""
    return POLICIES.validate_json(written)


_SEALED = Case.state["sealed"].as_boolean().is_(True)
_WINDOW_ENDS_AT = sa.cast(Case.state[("window", "ends_at")].astext, sa.DateTime(timezone=True))
DUE_AT: sa.ColumnElement[datetime | None] = sa.case((_SEALED, None), else_=_WINDOW_ENDS_AT)
"""When the window of a case ends that runs: what ``shared.domain.evolution.next_deadline`` says, as SQL."""


async def load_run(session: AsyncSession, case_id: uuid.UUID) -> CaseRun | None:
    """The input with which a case's workflow goes on from what is recorded; None if no such case is."""
    row = (
        await session.execute(select(Case, Desk.slug).join(Desk, Desk.id == Case.desk_id).where(Case.id == case_id))
    ).one_or_none()
    if row is None:
        return None
    case, desk = row
    latest = await session.execute(
        select(CaseEvent.command_id, CaseEvent.seq, CaseEvent.at)
        .where(CaseEvent.case_id == case_id, CaseEvent.part == 0)
        .order_by(CaseEvent.seq.desc())
        .limit(SEEN_LIMIT)
    )
    return CaseRun(
        case_id=str(case_id),
        desk=desk,
        number=case.number,
        policy=POLICIES.validate_python(case.policy),
        policy_version=case.policy_version,
        state=STATES.validate_python(case.state),
        seen={row.command_id: Applied(seq=row.seq, at=row.at) for row in reversed(latest.all())},
        clock_offset=case.clock_offset.total_seconds(),
    )
