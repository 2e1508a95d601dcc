"""Reading the dead letters of a desk: those whose case is one of its own."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Final

import nats.errors
import orjson
from sqlalchemy import select

from services.api.callers import Caller
from services.api.commands import unavailable
from services.api.context import Context
from services.api.dead_letters.schemas import DeadLetterOut, ReplayedOut
from services.api.problems import not_found
from shared.db.models import Case
from shared.messaging import Bus, DeadLetter, DeadLetterNotFoundError, list_dead, replay_dead

NEWEST: Final = 200
"""How many letters, of all desks, are looked at."""
_SUBJECT: Final = re.compile(r"cases\.v1\.(?P<desk>[^.]+)\.(?P<number>\d{1,9})\.")


async def dead_letters_of(context: Context, caller: Caller) -> list[DeadLetterOut]:
    """Those of the caller's desk among the ``NEWEST``, newest first.

    Raises:
        Problem: 503 while NATS is away.
    """
    try:
        letters = await list_dead(_bus(context), NEWEST)
    except nats.errors.Error as error:
        raise _away() from error
    return await _of_desk(context, caller, letters)


async def replayed(context: Context, caller: Caller, letter: int) -> ReplayedOut:
    """Give a letter back to the consumer that gave up on it, and take it off the list.

    Raises:
        Problem: 404 for one that is not the desk's, or whose original is lost; 503 while NATS is away.
    """
    found = next((each for each in await dead_letters_of(context, caller) if each.id == letter), None)
    if found is None or not found.can_be_replayed:
        raise not_found(f"dead letter {letter} on this desk that can be replayed")
    try:
        await replay_dead(_bus(context), letter)
    except DeadLetterNotFoundError as error:  # somebody else was quicker
        raise not_found(f"dead letter {letter} on this desk that can be replayed") from error
    except nats.errors.Error as error:
        raise _away() from error
    return ReplayedOut(id=found.id, consumer=found.consumer)


async def _of_desk(context: Context, caller: Caller, letters: Sequence[DeadLetter]) -> list[DeadLetterOut]:
    """Row level security knows which of the cases are the desk's; a subject says it itself."""
    cases = {letter.seq: case for letter in letters if (case := _case_id(letter))}
    async with context.database.read_as(caller.eyes) as session:
        query = select(Case.id, Case.number).where(Case.desk_id == caller.desk.id, Case.id.in_(cases.values()))
        numbers = dict((await session.execute(query)).all()) if cases else {}
    found = []
    for letter in letters:
        named = _SUBJECT.match(letter.subject)
        number = numbers.get(cases[letter.seq]) if letter.seq in cases else None
        if named and named["desk"] == caller.desk.slug:
            number = int(named["number"])
        if number is not None:
            found.append(_told(letter, number))
    return found


def _case_id(letter: DeadLetter) -> uuid.UUID | None:
    """Of the case that a delivery was about: its letter says so in its content."""
    if letter.subject.startswith("cases."):
        return None
    try:
        content = orjson.loads(letter.original)
        return uuid.UUID(content["case_id"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _told(letter: DeadLetter, number: int) -> DeadLetterOut:
    return DeadLetterOut(
        id=letter.seq,
        at=letter.at,
        consumer=letter.consumer,
        reason=letter.reason,
        deliveries=letter.deliveries,
        case=number,
        subject=letter.subject,
        original=letter.data,
        encoding=letter.encoding,
        can_be_replayed=letter.data is not None,
    )


def _bus(context: Context) -> Bus:
    if context.nats.bus is None:
        raise _away()
    return context.nats.bus


def _away() -> Exception:
    return unavailable("NATS, which keeps the dead letters, does not answer. Try again later.")
