"""Receiving a file: it goes to the store as it comes in, and is kept once all of it has come and it is taken."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import get_args

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Delete, Update, delete, func, update
from starlette.requests import ClientDisconnect

from services.api.answers import Answer
from services.api.attachments.cut_off import CutOff, Incoming
from services.api.attachments.evidence import Evidence
from services.api.attachments.filenames import safe_filename
from services.api.attachments.judging import Judged, Kind, judge, refuse_hopeless
from services.api.attachments.multipart import FORM_MAX_BYTES, FileForm
from services.api.attachments.pace import UPLOAD_SECONDS
from services.api.attachments.unattached import announce, room_for
from services.api.callers import Caller
from services.api.commands import unavailable
from services.api.context import Context
from services.api.idempotency import Once, claim, is_answered, keep, kept_answer
from services.api.problems import FieldError, Problem, invalid
from shared.db.models import Attachment
from shared.domain.policy import Policy
from shared.objects import ObjectStoreError
from shared.objects.attachments import object_name
from shared.telemetry import get_logger

UPLOADS_AT_ONCE = 16
"""Each holds some 10 MB in memory on its way to S3; others wait in line."""

_log = get_logger(__name__)


class Upload:
    """One file on its way in: counted, hashed, looked at.

    Args:
        form: that brings it.
        policy: the desk's, which sets what is taken.
    """

    def __init__(self, form: FileForm, policy: Policy) -> None:
        self._form = form
        self._policy = policy
        self._evidence = Evidence()
        self._hash = hashlib.sha256()
        self.kind: Kind = "file"
        self.judged = Judged("", "")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._evidence.size

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._hash.hexdigest()

    async def content(self) -> AsyncIterator[bytes]:
        """The file's bytes; the last of them is followed by the judgement.

        Raises:
            Problem: 413, 415, 422. Whoever stores the bytes must then forget them.
        """
        async for chunk in self._form.file():
            if not self.size:
                refuse_hopeless(self._filename, self._policy)
            self._evidence.add(chunk)
            if self.size > self._policy.attachment_max_bytes:
                raise too_large(self._policy)
            self._hash.update(chunk)
            yield chunk
        if not self.size:
            raise invalid(FieldError(field="file", message="file: it is empty; send one with something in it."))
        self.kind = _kind(self._form.kind)
        self.judged = await asyncio.to_thread(judge, self.kind, self._filename, self._policy, self._evidence)

    @property
    def _filename(self) -> str:
        return safe_filename(self._form.filename or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiving:
    """A request that brings a file: from whom, where to, once for which key."""

    context: Context
    caller: Caller
    key: str | None
    path: str


async def receive(receiving: Receiving, request: Request) -> Response:
    """Take a file in, once for each ``Idempotency-Key``.

    Args:
        receiving: from whom; that they may is settled.
        request: none of its body has been read.

    Returns:
        201 with what is known of the file, or the problem if there is one before all of it has come.

    Raises:
        Problem: 408, 409, 413, 415, 422, 503. Nothing is left in the store then.
    """
    incoming = Incoming(request)
    try:
        return (await _received(receiving, request, incoming)).response()
    except Problem as problem:
        if incoming.ended:
            raise
        return CutOff(problem)


async def _received(receiving: Receiving, request: Request, incoming: Incoming) -> Answer:
    policy = receiving.caller.desk.policy
    announced = request.headers.get("Content-Length", "")
    length = int(announced) if announced.isdigit() else policy.attachment_max_bytes
    if length > policy.attachment_max_bytes + FORM_MAX_BYTES:
        raise too_large(policy)
    upload = Upload(FileForm(request.headers.get("Content-Type", ""), incoming.chunks()), policy)
    try:
        async with receiving.context.uploads, asyncio.timeout(UPLOAD_SECONDS):
            if await _was_answered(receiving):
                return await _answered_again(receiving, upload)
            return await _store(receiving, upload, min(length, policy.attachment_max_bytes))
    except TimeoutError:
        detail = f"The upload took longer than {UPLOAD_SECONDS // 60} minutes and was cut off; try again."
        raise Problem("upload_timeout", detail) from None
    except ClientDisconnect:
        raise Problem("upload_timeout", "The connection broke before the whole file had come.") from None
    except ObjectStoreError as error:
        _log.warning("the store for files does not take a file", error=str(error))
        raise unavailable("The store for files does not answer. Nothing was kept; send the file again.") from error


async def _was_answered(receiving: Receiving) -> bool:
    if receiving.key is None:
        return False
    async with receiving.context.database.reading_as(receiving.caller.eyes) as session:
        return await is_answered(session, receiving.caller, receiving.key)


async def _answered_again(receiving: Receiving, upload: Upload) -> Answer:
    """The file is read only to see whether it is the same."""
    async for _ in upload.content():
        pass
    async with receiving.context.database.reading_as(receiving.caller.eyes) as session:
        kept = await kept_answer(session, receiving.caller, _once(receiving, upload))
    if kept is None:
        raise RuntimeError("a kept answer is gone")
    return kept


async def _store(receiving: Receiving, upload: Upload, at_most: int) -> Answer:
    """The row comes first, so that whatever happens housekeeping finds what is in the store."""
    attachment, context, caller = uuid.uuid4(), receiving.context, receiving.caller
    await announce(context.database, caller, room_for(context.settings, caller), attachment, at_most)
    try:
        await receiving.context.objects.put(object_name(attachment), upload.content())
        once = _once(receiving, upload)
        async with context.database.transaction_as(caller.eyes) as connection:
            ticket = await claim(connection, caller, once)
        if isinstance(ticket, Answer):
            answer = ticket
        else:
            answer = await _complete(receiving, attachment, upload)
            answer = await keep(receiving.context.database, receiving.caller, once, answer)
    except BaseException:
        await asyncio.shield(_forget(receiving, attachment))
        raise
    if answer.body["id"] != str(attachment):  # another request with the key was faster
        await _forget(receiving, attachment)
    return answer


async def _complete(receiving: Receiving, attachment: uuid.UUID, upload: Upload) -> Answer:
    known = {
        "filename": upload.judged.filename,
        "size": upload.size,
        "content_type": upload.judged.content_type,
        "kind": upload.kind,
        "sha256": upload.sha256,
    }
    async with receiving.context.database.transaction_as(receiving.caller.eyes) as connection:
        row = update(Attachment).where(Attachment.id == attachment)
        await connection.execute(row.values(**known, stored_at=func.now()))
    return Answer(201, {"id": str(attachment), **known})


async def _forget(receiving: Receiving, attachment: uuid.UUID) -> None:
    """Delete what was kept of a file; what can't be deleted now is housekeeping's, and takes no room any more."""
    unattached = (Attachment.id == attachment, Attachment.case_id.is_(None))
    try:
        await receiving.context.objects.delete(object_name(attachment))
        done: Delete | Update = delete(Attachment).where(*unattached)
    except ObjectStoreError as error:
        _log.warning("a file that was not taken is left to housekeeping", attachment=str(attachment), error=str(error))
        done = update(Attachment).where(*unattached).values(removed_at=func.now())
    try:
        async with receiving.context.database.transaction_as(receiving.caller.eyes) as connection:
            await connection.execute(done)
    except Exception as error:
        _log.warning("a file that was not taken is left to housekeeping", attachment=str(attachment), error=str(error))


def _once(receiving: Receiving, upload: Upload) -> Once:
    told = "\n".join(("POST", receiving.path, upload.kind, upload.judged.filename, upload.sha256))
    return Once(receiving.key, hashlib.sha256(told.encode()).digest())


def _kind(given: str) -> Kind:
    if given in ("", *get_args(Kind)):
        return "recording" if given == "recording" else "file"
    allowed = list(get_args(Kind))
    raise invalid(FieldError(field="kind", message=f"kind: «{given[:50]}» is neither of the kinds.", allowed=allowed))


def too_large(policy: Policy) -> Problem:
    """413 for this desk, whose sizes are in bytes (desk-rules T6)."""
    most = policy.attachment_max_bytes
    detail = f"The file is larger than this desk takes: at most {most / 1024 / 1024:.4g} MB ({most:,} bytes)."
    return Problem("attachment_too_large", detail, more={"max_bytes": most})
