"""The columns of an export, and its rows as the record has them at the moment of writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.api.callers import Caller, DeskView
from services.api.visibility import SEEN, seen_by
from shared.db.models import Case
from shared.db.viewed import Sight
from shared.domain.case import Status
from shared.domain.policy import Urgency

Cell = str | int | datetime | None
"""A time is local to the desk and without a zone, as spreadsheets have it."""
Moment = Callable[[ColumnElement[Any]], ColumnElement[Any]]
"""What Postgres makes of a local time."""

_CASE = Case.__table__
# What is large is kept in a place of its own, and would be fetched from there for each of its fields.
_STATE = (
    func.jsonb_to_record(_CASE.c.state)
    .table_valued(
        column("environment", Text()),
        column("internal_reference", Text()),
        column("resolved_at", DateTime(timezone=True)),
        column("closed_at", DateTime(timezone=True)),
        column("resolution", JSONB()),
    )
    .render_derived("of_state", with_types=True)
)
_row, _state = _CASE.c, _STATE.c
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


def _values(moment: Moment) -> Mapping[str, ColumnElement[Any]]:
    """Of columns that are not what the row has under their name."""
    pinned, desks = func.jsonb_extract_path_text(_row.policy, "labels", _row.status), bindparam("labels", type_=JSONB)

    def local(time: ColumnElement[Any]) -> ColumnElement[Any]:
        return moment(func.timezone(bindparam("zone", type_=Text), time))

    return {
        "key": func.concat(bindparam("key", type_=Text), "-", _row.number),
        "status_label": func.coalesce(pinned, desks[_row.status].astext),
        "environment": _state.environment,
        "internal_reference": _state.internal_reference,
        "created_at": local(_row.created_at),
        "updated_at": local(_row.updated_at),
        "resolved_at": local(_state.resolved_at),
        "closed_at": local(_state.closed_at),
        "resolution_type": _state.resolution["resolution_type"].astext,
        "resolution_summary": _state.resolution["summary"].astext,
    }


_WANTED = (_row.desk_id == bindparam("desk"), _row.number == any_(bindparam("numbers", type_=ARRAY(Integer))), SEEN)


class Rows:
    """The rows of a desk's export.

    Args:
        desk: whose columns, and whose time zone.
        moment: how the file takes times.
    """

    def __init__(self, desk: DeskView, moment: Moment) -> None:
        labels = {status.value: desk.policy.label(status) for status in Status}
        self._desk = {"desk": desk.id, "key": desk.key, "zone": desk.timezone, "labels": labels}
        values = _values(moment)
        wanted = ((values[name] if name in values else _row[name]).label(name) for name in columns(desk))
        self._query: Select[*tuple[Any, ...]] = select(*wanted).join_from(_CASE, _STATE, true()).where(*_WANTED)

    async def read(self, session: Sight, caller: Caller, numbers: Sequence[int]) -> Sequence[Sequence[Cell]]:
        """Those of the cases that the caller may see now, in the order of ``numbers``; in that of ``columns``, each."""
        wanted = self._desk | {"numbers": list(numbers)} | seen_by(caller.viewer)
        rows = {row[0]: row for row in await session.execute(self._query, wanted)}
        return [rows[number] for number in numbers if number in rows]
