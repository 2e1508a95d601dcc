"""The columns of an export, and its rows as the record has them at the moment of writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, Integer, Select, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

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


def _local(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.timezone(bindparam("zone", type_=Text), cast(moment, DateTime(timezone=True)))


_pinned_label = func.jsonb_extract_path_text(_row.policy, "labels", _row.status)
_VALUES: Mapping[str, ColumnElement[Any]] = {
    "key": func.concat(bindparam("key", type_=Text), "-", _row.number),
    "status_label": func.coalesce(_pinned_label, bindparam("labels", type_=JSONB)[_row.status].astext),
    "environment": _state["environment"].astext,
    "internal_reference": _state["internal_reference"].astext,
    "created_at": _local(_row.created_at),
    "updated_at": _local(_row.updated_at),
    "resolved_at": _local(_state["resolved_at"].astext),
    "closed_at": _local(_state["closed_at"].astext),
    "resolution_type": _state[("resolution", "resolution_type")].astext,
    "resolution_summary": _state[("resolution", "summary")].astext,
}
"""Of columns that are not what the row has under their name."""
_WANTED = (_row.desk_id == bindparam("desk"), _row.number == any_(bindparam("numbers", type_=ARRAY(Integer))), SEEN)


class Rows:
    """The rows of a desk's export.

    Args:
        desk: whose columns, and whose time zone.
    """

    def __init__(self, desk: DeskView) -> None:
        labels = {status.value: desk.policy.label(status) for status in Status}
        self._desk = {"desk": desk.id, "key": desk.key, "zone": desk.timezone, "labels": labels}
        values = ((_VALUES[name] if name in _VALUES else _row[name]).label(name) for name in columns(desk))
        self._query: Select[*tuple[Any, ...]] = select(*values).where(*_WANTED)

    async def read(self, session: Sight, caller: Caller, numbers: Sequence[int]) -> Sequence[Sequence[Cell]]:
        """Those of the cases that the caller may see now, in the order of ``numbers``; in that of ``columns``, each."""
        wanted = self._desk | {"numbers": list(numbers)} | seen_by(caller.viewer)
        rows = {row[0]: row for row in await session.execute(self._query, wanted)}
        return [rows[number] for number in numbers if number in rows]
