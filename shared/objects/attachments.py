"""The contents of attached files."""

from __future__ import annotations

import uuid
from contextlib import AbstractAsyncContextManager

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.models import Attachment
from shared.objects import ObjectStore


def object_name(attachment: uuid.UUID) -> str:
    """Under which name the content is kept; nothing of it comes from a person."""
    return f"{attachment.hex[:2]}/{attachment}"


async def delete_content(
    transaction: AbstractAsyncContextManager[AsyncConnection], store: ObjectStore, attachment: uuid.UUID
) -> None:
    """Delete the content of a file that was removed from its case, and note that it is gone.

    Args:
        transaction: to note it in; begun once the content is deleted.
        store: where the content is.
        attachment: the file's id.

    Raises:
        ObjectStoreError: the store did not; housekeeping will try again.
    """
    await store.delete(object_name(attachment))
    async with transaction as connection:
        gone = update(Attachment).where(Attachment.id == attachment, Attachment.removed_at.is_not(None))
        await connection.execute(gone.values(deleted_at=func.now()))
