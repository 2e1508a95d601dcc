"""Reading which files a case has, as far as the caller may see them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, select, true

from services.api.answers import rfc3339
from services.api.authorisation import may
from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.problems import Problem, not_found
from shared.db.models import Attachment
from shared.db.viewed import Sight
from shared.domain.decision import allowed_actions
from shared.domain.lifecycle import Action

_file = Attachment.__table__.c
_FILES = select(
    _file.id,
    _file.filename,
    _file.size,
    _file.content_type,
    _file.sha256,
    _file.kind,
    _file.uploaded_by,
    _file.created_at,
    _file.seq,
    _file.internal,
    _file.removed_at,
)

AttachedRow = Row[*tuple[Any, ...]]


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    """desk-rules standard 5: what belongs to a note is for staff."""
    return ~_file.internal if caller.is_customer else true()


async def files_of(session: Sight, caller: Caller, record: CaseRecord) -> list[dict[str, Any]]:
    """The case's files, in the order in which they came, as they go out: each with whether the caller may remove it."""
    query = _FILES.where(_file.case_id == record.id, _file.removed_at.is_(None), _shown_to(caller))
    rows = await session.execute(query.order_by(_file.seq, _file.created_at, _file.id))
    return [_file_out(row) | {"removable": removable(caller, record, row.uploaded_by)} for row in rows]


def removable(caller: Caller, record: CaseRecord, uploaded_by: str) -> bool:
    """Whether the caller may remove a file of the case now: by the table of rights, and by the lifecycle."""
    possible = allowed_actions(record.state, record.policy, caller.kind, record.now)
    allowed = any(row.action is Action.REMOVE_ATTACHMENT for row in possible)
    return allowed and may(caller, Action.REMOVE_ATTACHMENT, record.state, uploaded_by)


async def files_by_id(
    session: Sight, caller: Caller, record: CaseRecord, ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Those of the files that the caller may see, by id; ``removed`` says of each whether it is gone."""
    wanted = [uuid.UUID(each) for each in ids]
    query = _FILES.where(_file.case_id == record.id, _file.id.in_(wanted), _shown_to(caller))
    rows = await session.execute(query)
    return {str(row.id): {**_file_out(row), "removed": row.removed_at is not None} for row in rows}


def _file_out(row: AttachedRow) -> dict[str, Any]:
    known = {name: value for name, value in row._asdict().items() if name != "removed_at"}
    return {**known, "id": str(row.id), "created_at": rfc3339(row.created_at)}


async def find_file(session: Sight, caller: Caller, record: CaseRecord, attachment: uuid.UUID) -> AttachedRow:
    """A file of the case.

    Raises:
        Problem: 404, the same whether it does not exist or is not for the caller's eyes; 410 if it was removed.
    """
    query = _FILES.where(_file.id == attachment, _file.case_id == record.id, _shown_to(caller))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise not_found(f"file {attachment} on this case")
    if row.removed_at is not None:
        raise Problem("attachment_removed", f"The file «{row.filename}» was removed from this case.")
    return row
