"""``Idempotency-Key``: the same request twice is carried out once and answered the same (contract: HTTP).

The key's row is written, with the command's id and for an opening its number, before anything is asked of a case. So
requests with the same key use the same command id, and the case's workflow takes the command once; nobody waits on a
lock meanwhile. The first to have an answer keeps it for the others.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, replace
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from services.api.answers import Answer
from services.api.callers import Caller
from services.api.problems import FieldError, Problem, invalid
from shared.db.models import Base
from shared.db.viewed import SeeingConnection, Sight, ViewedDatabase

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


_KEYS, _COUNTER = (Base.metadata.tables[name] for name in ("idempotency_key", "desk_counter"))
_row = _KEYS.c
_THIS = (_row.desk_id == bindparam("desk"), _row.actor == bindparam("caller"), _row.key == bindparam("this_key"))
# Made once: building a statement costs as much as executing it.
_KEPT = select(_row.request_hash, _row.response_status, _row.response, _row.command_id, _row.number).where(*_THIS)
_CLAIM = (
    insert(_KEYS)
    .values({name: bindparam(name) for name in ("desk_id", "actor", "key", "request_hash", "command_id")})
    .on_conflict_do_nothing()
    .returning(_row.command_id)
)
_NUMBER = update(_KEYS).where(*_THIS).values(number=bindparam("of_case"))
_KEEP = (
    update(_KEYS)
    .where(*_THIS, _row.response_status.is_(None))
    .values(response_status=bindparam("status"), response=bindparam("body"))
    .returning(_row.response)
)
_NEXT_NUMBER = (
    insert(_COUNTER)
    .values(desk_id=bindparam("desk"), last_number=1)
    .on_conflict_do_update(index_elements=["desk_id"], set_={"last_number": _COUNTER.c.last_number + 1})
    .returning(_COUNTER.c.last_number)
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
    row = (await session.execute(_KEPT, _this(caller, request.key))).one_or_none()
    return _checked(row, request) if row else None


async def is_answered(session: Sight, caller: Caller, key: str) -> bool:
    """Whether a request with the key has been answered, so that this one must be the same."""
    row = (await session.execute(_KEPT, _this(caller, key))).one_or_none()
    return row is not None and row.response_status is not None


def _this(caller: Caller, key: str) -> dict[str, Any]:
    return {"desk": caller.desk.id, "caller": caller.id, "this_key": key}


def _checked(row: Row[*tuple[Any, ...]], request: Once) -> Answer | None:
    if row.request_hash != request.request_hash:
        raise Problem(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; take a new key for each new request.",
        )
    if row.response_status is None or row.response is None:
        return None
    return Answer(row.response_status, row.response)


async def claim(connection: SeeingConnection, caller: Caller, request: Once) -> Ticket | Answer:
    """Take the request on.

    Args:
        connection: in a transaction that ends soon after this, as others with the key wait until then, and in which
            nothing has been taken on if it fails.
        caller: who asks; keys of others don't matter.
        request: its key and hash.

    Returns:
        The ticket; or the answer that an earlier request with the key has brought about.

    Raises:
        Problem: 422 if the key belongs to another request.
    """
    if request.key is None:
        return Ticket(command_id=uuid.uuid4().hex, number=None, fresh=True)
    return await _claimed(connection, caller, request, request.key)


async def claim_number(connection: SeeingConnection, caller: Caller, request: Once) -> Ticket | Answer:
    """Take an opening on, whose ticket has the case's number: the same for every request with the key.

    Args:
        connection: in a transaction that ends right after this, as others wait for the next number until then.
        caller, request: as of ``claim``.

    Raises:
        Problem: as of ``claim``.
    """
    if request.key is None:
        return Ticket(command_id=uuid.uuid4().hex, number=await _next_number(connection, caller), fresh=True)
    ticket = await _claimed(connection, caller, request, request.key)
    if isinstance(ticket, Answer) or not ticket.fresh:
        return ticket
    number = await _next_number(connection, caller)
    await connection.execute(_NUMBER, _this(caller, request.key) | {"of_case": number})
    return replace(ticket, number=number)


async def _claimed(connection: SeeingConnection, caller: Caller, request: Once, key: str) -> Ticket | Answer:
    # Random, and kept in the row: once that is gone, the same key asks for a new thing, even of the same case.
    command_id = uuid.uuid4().hex
    values = {"desk_id": caller.desk.id, "actor": caller.id, "key": key, "command_id": command_id}
    if await connection.scalar(_CLAIM, values | {"request_hash": request.request_hash}):
        return Ticket(command_id=command_id, number=None, fresh=True)
    row = (await connection.execute(_KEPT, _this(caller, key))).one()
    return _checked(row, request) or Ticket(command_id=row.command_id, number=row.number, fresh=False)


async def _next_number(connection: SeeingConnection, caller: Caller) -> int:
    number: int = (await connection.execute(_NEXT_NUMBER, {"desk": caller.desk.id})).scalar_one()
    return number


async def keep(database: ViewedDatabase, caller: Caller, request: Once, answer: Answer) -> Answer:
    """Keep the answer for repetitions of the request.

    Returns:
        The answer to give: that of the first, if another request with the key was faster.
    """
    if request.key is None:
        return answer
    this = _this(caller, request.key)
    async with database.transaction_as(caller.eyes) as connection:
        kept = await connection.scalar(_KEEP, this | {"status": answer.status, "body": answer.body})
        if kept is not None:
            return Answer(answer.status, kept)  # as Postgres orders its fields: every repetition gets the same bytes
        row = (await connection.execute(_KEPT, this)).one_or_none()
    return (_checked(row, request) if row else None) or answer
