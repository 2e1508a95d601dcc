"""What the services behind a desk gave up on: for its leads and admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from services.api.answers import Answer, Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.commands import Asking, AskingHere
from services.api.context import Ctx
from services.api.dead_letters.records import dead_letters_of, replayed
from services.api.dead_letters.schemas import DeadLetterList, ReplayedOut
from services.api.idempotency import claim, keep
from services.api.problems import Problem, documented

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])

LetterId = Annotated[int, Path(ge=1, lt=2**63, description="From the list of dead letters.")]


@router.get("", response_model=DeadLetterList, responses=documented(401, 403, 404, 503))
async def get_dead_letters(caller: CallerHere, context: Ctx) -> JSONResponse:
    """List what a service gave up on, for cases of the desk, newest first. For leads and admins."""
    require(caller, Access.DEAD_LETTERS)
    found = DeadLetterList(items=await dead_letters_of(context, caller))
    return Json(found)


@router.post("/{letter}/replay", response_model=ReplayedOut, responses=documented(401, 403, 404, 422, 503))
async def post_replay(letter: LetterId, asking: AskingHere) -> JSONResponse:
    """Give a dead letter back to the service that gave up on it, which takes it as new. For leads and admins."""
    return (await replay_once(asking, letter)).response()


async def replay_once(asking: Asking, letter: int) -> Answer:
    """Replay a letter, once for each key.

    Raises:
        Problem: 403, or 503 while NATS is away.
    """
    require(asking.caller, Access.DEAD_LETTERS)
    database = asking.context.database
    async with database.transaction_as(asking.caller.eyes) as connection:
        ticket = await claim(connection, asking.caller, asking.once)
    if isinstance(ticket, Answer):
        return ticket
    try:
        answer = Answer(200, (await replayed(asking.context, asking.caller, letter)).model_dump())
    except Problem as problem:
        if problem.status >= 500:
            raise
        answer = problem.answer()
    return await keep(database, asking.caller, asking.once, answer)
