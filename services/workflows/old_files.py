"""Housekeeping of files: what belongs to no case after a day goes, and what was removed leaves the store."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, delete, func, select

from services.workflows.housekeeping import ROWS_AT_ONCE, Chore
from shared.db.engine import Database
from shared.db.models import Attachment
from shared.objects import ObjectStore, ObjectStoreError
from shared.objects.attachments import delete_content, object_name
from shared.telemetry import get_logger

UNATTACHED_KEPT = timedelta(days=1)
"""How long an uploaded file waits for a command that names it (contract: HTTP)."""

_log = get_logger(__name__)


def chores_with_files(store: ObjectStore) -> Sequence[Chore]:
    """What is to be done about the files of that store."""
    return (
        Chore(name="unattached files", do=partial(unattached_files, store=store)),
        Chore(name="contents of removed files", do=partial(removed_files, store=store)),
    )


async def unattached_files(database: Database, store: ObjectStore, kept: timedelta = UNATTACHED_KEPT) -> int:
    """Files that no command has named, and what is left of uploads that broke off.

    Args:
        database: where they are known.
        store: where their contents are.
        kept: their age.
    """
    unattached = Attachment.case_id.is_(None)
    old = await _some(database, unattached & (Attachment.created_at < func.now() - kept))
    gone = 0
    for attachment in old:
        this = unattached & (Attachment.id == attachment)
        try:
            async with database.transaction() as connection:  # locked: nobody attaches it meanwhile
                if await connection.scalar(select(Attachment.id).where(this).with_for_update(skip_locked=True)):
                    await store.delete(object_name(attachment))
                    await connection.execute(delete(Attachment).where(this))
                    gone += 1
        except ObjectStoreError as error:
            _log.warning("an unattached file can't be deleted", attachment=str(attachment), error=str(error))
    return gone


async def removed_files(database: Database, store: ObjectStore) -> int:
    """Contents of files that were removed from their cases, where they could not be deleted at once."""
    left = await _some(database, Attachment.removed_at.is_not(None) & Attachment.deleted_at.is_(None))
    gone = 0
    for attachment in left:
        try:
            await delete_content(database.transaction(), store, attachment)
            gone += 1
        except ObjectStoreError as error:
            _log.warning("a removed file can't be deleted", attachment=str(attachment), error=str(error))
    return gone


async def _some(database: Database, condition: ColumnElement[bool]) -> Sequence[uuid.UUID]:
    async with database.reading() as connection:
        found = await connection.scalars(select(Attachment.id).where(condition).limit(ROWS_AT_ONCE))
        return found.all()
