"""``Idempotency-Key``: the same request twice is carried out once and answered the same (contract: HTTP).

The key's row is written, with the command's id and for an opening its number, before anything is asked of a case. So
requests with the same key use the same command id, and the case's workflow takes the command once; nobody waits on a
lock meanwhile. The first to have an answer keeps it for the others.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from services.api.answers import Answer
from services.api.callers import Caller
from services.api.problems import FieldError, Problem, invalid
from shared.db.engine import Database, Reader
from shared.db.models import DeskCounter, IdempotencyKey

KEY_MAX_CHARACTERS = 200
_NAMESPACE = uuid.UUID("6f8a9a8e-5d43-4b56-9c7b-2f0a55d3c7a1")


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request the same as another: its key and a hash of what it asks. No key: never the same."""

    key: str | None
    request_hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """The right to carry a request out.

    Args:
        command_id: of its command.
        number: of the case to be opened; None for other commands.
        fresh: False if an earlier request with the key may have been carried out already.
    """

    command_id: str
    number: int | None
    fresh: bool


async def once(
    request: Request, idempotency_key: Annotated[str | None, Header(description="At most 200 characters.")] = None
) -> Once:
    """The request's key.

    Raises:
        Problem: 422 for an empty, overlong or unprintable key.
    """
    if idempotency_key is not None and not (
        0 < len(idempotency_key) <= KEY_MAX_CHARACTERS and idempotency_key.isprintable()
    ):
        message = (
            f"Idempotency-Key: {len(idempotency_key)} characters; 1 to {KEY_MAX_CHARACTERS} printable are allowed."
        )
        raise invalid(FieldError(field="Idempotency-Key", message=message))
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    digest.update(_canonical(await request.body()))
    return Once(idempotency_key, digest.digest())


def _canonical(body: bytes) -> bytes:
    """The same for bodies that differ only in white space or the order of fields."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        return body


_row = IdempotencyKey.__table__.c
_KEPT = select(_row.request_hash, _row.response_status, _row.response, _row.command_id, _row.number).where(
    _row.desk_id == bindparam("desk"), _row.actor == bindparam("actor"), _row.key == bindparam("key")
)

OnceHere = Annotated[Once, Depends(once)]


async def kept_answer(session: Reader, caller: Caller, request: Once) -> Answer | None:
    """What the request was answered before, if it was.

    Raises:
        Problem: 422 if the key belongs to another request.
    """
    if request.key is None:
        return None
    row = (await session.execute(_KEPT, {"desk": caller.desk.id, "actor": caller.id, "key": request.key})).one_or_none()
    return _checked(row, request) if row else None


def _checked(row: IdempotencyKey | Row[*tuple[Any, ...]], request: Once) -> Answer | None:
    if row.request_hash != request.request_hash:
        raise Problem(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; take a new key for each new request.",
        )
    if row.response_status is None or row.response is None:
        return None
    return Answer(row.response_status, row.response)


async def claim(database: Database, caller: Caller, request: Once, *, numbered: bool = False) -> Ticket | Answer:
    """Take the request on.

    Args:
        database: for a transaction of its own, which is over before this returns.
        caller: who asks; keys of others don't matter.
        request: its key and hash.
        numbered: give out a case number, the same for every request with the key.

    Returns:
        The ticket; or the answer that another request with the key has brought about meanwhile.

    Raises:
        Problem: 422 if the key belongs to another request.
    """
    if request.key is None and not numbered:
        return Ticket(command_id=uuid.uuid4().hex, number=None, fresh=True)
    async with database.write() as session:
        if request.key is None:
            number = await _next_number(session, caller)
            return Ticket(command_id=uuid.uuid4().hex, number=number, fresh=True)
        where = (caller.desk.id, caller.id, request.key)
        command_id = uuid.uuid5(_NAMESPACE, orjson.dumps(where).decode()).hex
        values = dict(zip(("desk_id", "actor", "key"), where, strict=True))
        written = insert(IdempotencyKey).values(**values, request_hash=request.request_hash, command_id=command_id)
        fresh = await session.scalar(written.on_conflict_do_nothing().returning(IdempotencyKey.command_id))
        if fresh and not numbered:
            return Ticket(command_id=command_id, number=None, fresh=True)
        if fresh:
            number = await _next_number(session, caller)
            await session.execute(update(IdempotencyKey).filter_by(**values).values(number=number))
            return Ticket(command_id=command_id, number=number, fresh=True)
        row = (await session.scalars(select(IdempotencyKey).filter_by(**values))).one()
        return _checked(row, request) or Ticket(command_id=row.command_id, number=row.number, fresh=False)


async def _next_number(session: Reader, caller: Caller) -> int:
    start = insert(DeskCounter).values(desk_id=caller.desk.id, last_number=1)
    count = start.on_conflict_do_update(index_elements=["desk_id"], set_={"last_number": DeskCounter.last_number + 1})
    return (await session.execute(count.returning(DeskCounter.last_number))).scalar_one()


async def keep(database: Database, caller: Caller, request: Once, answer: Answer) -> Answer:
    """Keep the answer for repetitions of the request.

    Returns:
        The answer to give: that of the first, if another request with the key was faster.
    """
    if request.key is None:
        return answer
    where: Mapping[str, Any] = {"desk_id": caller.desk.id, "actor": caller.id, "key": request.key}
    async with database.write() as session:
        kept = await session.scalar(
            update(IdempotencyKey)
            .filter_by(**where)
            .where(IdempotencyKey.response_status.is_(None))
            .values(response_status=answer.status, response=answer.body)
            .returning(IdempotencyKey.response)
        )
        if kept is not None:
            return Answer(answer.status, kept)  # as Postgres orders its fields: every repetition gets the same bytes
        row = (await session.scalars(select(IdempotencyKey).filter_by(**where))).one_or_none()
    return (_checked(row, request) if row else None) or answer
