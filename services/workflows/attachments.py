"""Files become part of a case with the event that names them, and leave it with the event that removes them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, UUID, Row, any_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.models import Base
from shared.domain import events as e
from shared.domain.case import ActorKind

_FILE, _DESK = Base.metadata.tables["attachment"], Base.metadata.tables["desk"]
_LOCK = (
    select(_FILE, _DESK.c.slug)
    .join(_DESK, _DESK.c.id == _FILE.c.desk_id)
    .where(_FILE.c.id == any_(bindparam("files", type_=ARRAY(UUID))))
    .order_by(_FILE.c.id)  # so that two cases that name the same files never wait for each other
    .with_for_update(of=_FILE)
)
_Removed = e.AttachmentRemoved | e.NoteAttachmentRemoved


class FilesRefusedError(Exception):
    """Commands name files that they may not.

    Args:
        refused: what is wrong and what to do, by command id.
    """

    def __init__(self, refused: Mapping[str, str]) -> None:
        super().__init__("; ".join(refused.values()))
        self.refused = dict(refused)


@dataclass(kw_only=True, slots=True)
class NamedFiles:
    """The files that some events name, locked until the transaction ends.

    Args:
        told: what an event tells of its files, by the event's number.
        added: the files that come, with the event that brings them.
        removed: the files that go.
    """

    told: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    added: list[tuple[e.Event, list[uuid.UUID]]] = field(default_factory=list)
    removed: list[uuid.UUID] = field(default_factory=list)


async def find_files(
    connection: AsyncConnection, case_id: uuid.UUID, desk: str, events: Sequence[e.Event]
) -> NamedFiles:
    """Look up and lock the files that events name.

    Args:
        connection: in the transaction that records the events.
        case_id: of the case.
        desk: slug of its desk.
        events: about to be recorded.

    Raises:
        FilesRefusedError: a file that is to be added was not uploaded by the actor, has not arrived or belongs to
            a case already; or one that is to be removed is not on this case.
    """
    files = NamedFiles()
    named = {uuid.UUID(file) for event in events for file in e.files_of(event)}
    if not named:
        return files
    rows = {row.id: row for row in await connection.execute(_LOCK, {"files": sorted(named)})}
    refused: dict[str, str] = {}
    used: set[uuid.UUID] = set()
    for event in events:
        wanted = list(dict.fromkeys(map(uuid.UUID, e.files_of(event))))
        for file in wanted:
            if wrong := _wrong(event, rows.get(file), case_id, desk, used):
                refused[event.command_id] = wrong.format(file)
            used.add(file)
        if wanted and event.command_id not in refused:
            files.told[event.seq] = [_told(rows[file]) for file in wanted]
            if isinstance(event, _Removed):
                files.removed += wanted
            else:
                files.added.append((event, wanted))
    if refused:
        raise FilesRefusedError(refused)
    return files


async def keep_files(connection: AsyncConnection, case_id: uuid.UUID, files: NamedFiles) -> None:
    """Write down which files have come to the case and which have gone."""
    for event, added in files.added:
        values = {"case_id": case_id, "seq": event.seq, "internal": event.kind in e.STAFF_ONLY}
        await connection.execute(update(_FILE).where(_FILE.c.id.in_(added)).values(values))
    if files.removed:
        gone = update(_FILE).where(_FILE.c.id.in_(files.removed))
        await connection.execute(gone.values(removed_at=func.now()))


def _wrong(event: e.Event, row: Row[Any] | None, case_id: uuid.UUID, desk: str, used: set[uuid.UUID]) -> str | None:
    """Why the event may not name this file, to be completed with its id; None if it may."""
    if isinstance(event, _Removed):
        hidden = row is not None and row.internal and event.actor.kind is ActorKind.CUSTOMER
        if row is None or hidden or row.case_id != case_id or row.removed_at is not None or row.id in used:
            return "There is no file {} on this case, or not any more."
        if row.internal != isinstance(event, e.NoteAttachmentRemoved):
            came, do = ("a note", "set internal") if row.internal else ("no note", "leave internal out")
            return f"The file {{}} came with {came}: {do}."
        return None
    uploader = event.actor.email or event.actor.name
    if (
        row is None
        or row.slug != desk
        or row.uploaded_by != uploader
        or row.stored_at is None
        or row.case_id is not None
        or row.id in used
    ):
        return "You have uploaded no file {} that is still free. Upload it again, and name it in one command."
    return None


def _told(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "filename": row.filename,
        "size": row.size,
        "content_type": row.content_type,
        "kind": row.kind,
    }
