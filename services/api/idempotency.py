"""``Idempotency-Key``: the same request twice is carried out once and answered the same (contract: HTTP).

The key's row is written, with the command's id and for an opening its number, before anything is asked of a case. So
requests with the same key use the same command id, and the case's workflow takes the command once; nobody waits on a
lock meanwhile. The first to have an answer keeps it for the others.
"""

from __future__ import annotations

import hashlib
import re
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
from shared.db.engine import Reader
from shared.db.models import DeskCounter, IdempotencyKey
from shared.db.viewed import Sight, ViewedDatabase

KEY_MAX_CHARACTERS = 200
_CASE_KEY = re.compile(r"(?<=/cases/)[^/-]+-(?=\d)")
"""What makes ``CON-12`` of ``12``: both name the same case."""


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
    """The request's key: the header, or ``command_id`` of the body.

    Raises:
        Problem: 422 for an empty, overlong or unprintable key, and for two that differ.
    """
    body, command_id = _taken_apart(await request.body())
    for name, key in {"Idempotency-Key": idempotency_key, "command_id": command_id}.items():
        _check_key(name, key)
    if None not in (idempotency_key, command_id) and idempotency_key != command_id:
        message = "command_id differs from the header Idempotency-Key; give one of them, or the same in both."
        raise invalid(FieldError(field="command_id", message=message))
    path = _CASE_KEY.sub("", request.url.path)
    digest = hashlib.sha256(f"{request.method} {path}\n".encode())
    digest.update(body)
    return Once(idempotency_key or command_id, digest.digest())


async def key_alone(
    idempotency_key: Annotated[str | None, Header(description="At most 200 characters.")] = None,
) -> str | None:
    """The header, of a request whose body is too large to be hashed beforehand.

    Raises:
        Problem: 422 for an empty, overlong or unprintable key.
    """
    _check_key("Idempotency-Key", idempotency_key)
    return idempotency_key


def _check_key(name: str, key: str | None) -> None:
    if key is not None and not (0 < len(key) <= KEY_MAX_CHARACTERS and key.isprintable()):
        message = f"{name}: {len(key)} characters; 1 to {KEY_MAX_CHARACTERS} printable are allowed."
        raise invalid(FieldError(field=name, message=message))


def _taken_apart(body: bytes) -> tuple[bytes, str | None]:
    """The command's id, and the rest: the same for bodies that differ only in white space or the order of fields."""
    try:
        content = orjson.loads(body)
    except ValueError:
        return body, None
    command_id = content.pop("command_id", None) if isinstance(content, dict) else None
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return canonical, command_id if isinstance(command_id, str) else None


_row = IdempotencyKey.__table__.c
_KEPT = select(_row.request_hash, _row.response_status, _row.response, _row.command_id, _row.number).where(
    _row.desk_id == bindparam("desk"), _row.actor == bindparam("actor"), _row.key == bindparam("key")
)

OnceHere = Annotated[Once, Depends(once)]
KeyHere = Annotated[str | None, Depends(key_alone)]


async def kept_answer(session: Sight, caller: Caller, request: Once) -> Answer | None:
    """What the request was answered before, if it was.

    Raises:
        Problem: 422 if the key belongs to another request.
    """
    if request.key is None:
        return None
    row = (await session.execute(_KEPT, {"desk": caller.desk.id, "actor": caller.id, "key": request.key})).one_or_none()
    return _checked(row, request) if row else None


async def is_answered(session: Sight, caller: Caller, key: str) -> bool:
    """Whether a request with the key has been answered, so that this one must be the same."""
    row = (await session.execute(_KEPT, {"desk": caller.desk.id, "actor": caller.id, "key": key})).one_or_none()
    return row is not None and row.response_status is not None


def _checked(row: IdempotencyKey | Row[*tuple[Any, ...]], request: Once) -> Answer | None:
    if row.request_hash != request.request_hash:
        raise Problem(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; take a new key for each new request.",
        )
    if row.response_status is None or row.response is None:
        return None
    return Answer(row.response_status, row.response)


async def claim(database: ViewedDatabase, caller: Caller, request: Once, *, numbered: bool = False) -> Ticket | Answer:
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
    async with database.write_as(caller.eyes) as session:
        if request.key is None:
            number = await _next_number(session, caller)
            return Ticket(command_id=uuid.uuid4().hex, number=number, fresh=True)
        where = (caller.desk.id, caller.id, request.key)
        # Random, and kept in the row: once that is gone, the same key asks for a new thing, even of the same case.
        command_id = uuid.uuid4().hex
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


async def keep(database: ViewedDatabase, caller: Caller, request: Once, answer: Answer) -> Answer:
    """Keep the answer for repetitions of the request.

    Returns:
        The answer to give: that of the first, if another request with the key was faster.
    """
    if request.key is None:
        return answer
    where: Mapping[str, Any] = {"desk_id": caller.desk.id, "actor": caller.id, "key": request.key}
    async with database.write_as(caller.eyes) as session:
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
