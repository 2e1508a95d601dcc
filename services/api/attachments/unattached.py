"""Files that have been uploaded and belong to no case yet: how many are kept for one person on one desk."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, insert, or_, select, text

from services.api.attachments.pace import UPLOAD_SECONDS
from services.api.callers import Caller
from services.api.problems import Problem
from shared.db.models import Attachment
from shared.db.viewed import ViewedDatabase
from shared.settings import Settings

_ONE_AT_A_TIME: Final = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('uploads of ' || CAST(:who AS text), :desk))"
)
_ARRIVING: Final = timedelta(seconds=2 * UPLOAD_SECONDS)
"""What has not come by then never will: its process was killed, and housekeeping will remove what is left of it."""
_UNKNOWN: Final = {"filename": "", "content_type": "", "sha256": "", "kind": "file"}


@dataclass(frozen=True, slots=True)
class Room:
    """How much is kept for one person on one desk."""

    files: int
    bytes: int


def room_for(settings: Settings, caller: Caller) -> Room:
    """By the settings; one file of the size that the desk takes can always be uploaded."""
    most = max(settings.unattached_bytes_max, caller.desk.policy.attachment_max_bytes)
    return Room(settings.unattached_files_max, most)


async def announce(database: ViewedDatabase, caller: Caller, room: Room, attachment: uuid.UUID, at_most: int) -> None:
    """Note that a file is about to come, if there is room for it; until it has come its size is what it may have.

    Args:
        database: where to note it.
        caller: whose it is.
        room: for all that the caller has uploaded and not attached.
        attachment: the file's id.
        at_most: bytes that it may have.

    Raises:
        Problem: 409, if it would be too many or too much.
    """
    who = caller.email or caller.name
    unattached = (Attachment.desk_id == caller.desk.id, Attachment.uploaded_by == who, Attachment.case_id.is_(None))
    comes = or_(Attachment.stored_at.is_not(None), Attachment.created_at > func.now() - _ARRIVING)
    lives = (*unattached, comes, Attachment.removed_at.is_(None))
    counted = select(func.count(), func.coalesce(func.sum(Attachment.size), 0)).where(*lives)
    row = {"id": attachment, "desk_id": caller.desk.id, "uploaded_by": who, "size": at_most, **_UNKNOWN}
    async with database.transaction_as(caller.eyes) as connection:
        await connection.execute(_ONE_AT_A_TIME, {"who": who, "desk": caller.desk.id})
        files, size = (await connection.execute(counted)).one()
        if files >= room.files or size + at_most > room.bytes:
            raise _too_many(files, int(size), room)
        await connection.execute(insert(Attachment).values(row))


def _too_many(files: int, size: int, room: Room) -> Problem:
    detail = (
        f"On this desk you have {files} uploaded files ({_megabytes(size)}) that belong to no case; no more than "
        f"{room.files} files and {_megabytes(room.bytes)} are kept for you. Add them to cases first, or wait: what no "
        "command has named after a day is removed."
    )
    more = {"files": files, "bytes": size, "max_files": room.files, "max_bytes": room.bytes}
    return Problem("too_many_unattached_files", detail, more=more)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.4g} MB"
