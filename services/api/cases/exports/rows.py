"""The columns of an export, and its rows as the record has them at the moment of writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, DateTime, Integer, Row, any_, bindparam, func, select

from services.api.callers import Caller, DeskView
from services.api.visibility import SEEN, seen_by
from shared.db.models import Case
from shared.db.viewed import Sight
from shared.domain.case import Status
from shared.domain.policy import Urgency

Cell = str | int | datetime | None
"""A time is local to the desk and without a zone, as spreadsheets have it."""

_row, _state = Case.__table__.c, Case.__table__.c.state
_MOMENTS = {"created_at": "Created", "updated_at": "Updated", "resolved_at": "Resolved", "closed_at": "Closed"}
_BATCH = select(
    *(_row.number, _row.subject, _row.status, _row.product, _row.type, _row.severity, _row.impact, _row.account),
    *(_row.reporter, _row.contact, _row.assignee, _row.created_at, _row.updated_at),
    func.jsonb_extract_path_text(_row.policy, "labels", _row.status).label("status_label"),
    _state["environment"].astext.label("environment"),
    _state["internal_reference"].astext.label("internal_reference"),
    _state["resolved_at"].astext.cast(DateTime(timezone=True)).label("resolved_at"),
    _state["closed_at"].astext.cast(DateTime(timezone=True)).label("closed_at"),
    _state[("resolution", "resolution_type")].astext.label("resolution_type"),
    _state[("resolution", "summary")].astext.label("resolution_summary"),
).where(_row.desk_id == bindparam("desk"), _row.number == any_(bindparam("numbers", type_=ARRAY(Integer))), SEEN)


def columns(desk: DeskView) -> Mapping[str, str]:
    """Names of the columns with their headings; times say in which zone they are."""
    urgency = desk.policy.urgency
    return {
        "number": "Number",
        "key": "Case",
        "subject": "Subject",
        "status_label": "Status",
        "product": "Product",
        "type": "Type",
        **({} if urgency is Urgency.NONE else {urgency.value: urgency.value.capitalize()}),
        "account": "Account",
        "reporter": "Reporter",
        "contact": "Contact",
        "environment": "Environment",
        "assignee": "Assignee",
        "internal_reference": "Internal reference",
        **{name: f"{title} ({desk.timezone})" for name, title in _MOMENTS.items()},
        "resolution_type": "Resolution type",
        "resolution_summary": "Resolution summary",
    }


async def read_rows(session: Sight, caller: Caller, numbers: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Those of the cases that the caller may see now, in the order of ``numbers``."""
    wanted = {"desk": caller.desk.id, "numbers": list(numbers)}
    rows = {row.number: row for row in await session.execute(_BATCH, wanted | seen_by(caller.viewer))}
    return [rows[number] for number in numbers if number in rows]


def cells_of(desk: DeskView) -> Callable[[Row[*tuple[Any, ...]]], list[Cell]]:
    """What makes of a row its values in the order of ``columns``; to be made once for many rows."""
    names, zone = tuple(columns(desk)), ZoneInfo(desk.timezone)

    def cells(row: Row[*tuple[Any, ...]]) -> list[Cell]:
        label = row.status_label or desk.policy.label(Status(row.status))
        values = {**row._mapping, "key": desk.case_key(row.number), "status_label": label}
        return [_local(values[name], zone) for name in names]

    return cells


def _local(value: Cell, zone: ZoneInfo) -> Cell:
    return value.astimezone(zone).replace(tzinfo=None) if isinstance(value, datetime) else value
