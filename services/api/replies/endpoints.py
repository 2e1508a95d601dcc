"""Words that staff send often, kept under names."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from services.api.answers import Answer, Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.commands import Asking, AskingHere
from services.api.context import Ctx
from services.api.idempotency import claim, keep
from services.api.problems import Problem, documented
from services.api.replies.records import add_reply, canned_replies, change_reply, remove_reply, right_to
from services.api.replies.schemas import NewReply, ReplyChanges, ReplyList, ReplyOut

router = APIRouter(prefix="/replies", tags=["replies"])


async def keep_reply(asking: Asking, form: NewReply) -> Answer:
    """Keep a reply, once for each ``Idempotency-Key``.

    Returns:
        201 with the reply; or 409 for a name that is taken.

    Raises:
        Problem: 403, 503.
    """
    caller, database = asking.caller, asking.context.database
    require(caller, right_to(shared=form.shared))
    async with database.transaction_as(caller.eyes) as connection:
        ticket = await claim(connection, caller, asking.once)
    if isinstance(ticket, Answer):
        return ticket
    try:
        made = await add_reply(database, caller, form, uuid.UUID(ticket.command_id))
        answer = Answer(201, made.model_dump(mode="json"))
    except Problem as problem:
        answer = problem.answer()
    return await keep(database, caller, asking.once, answer)


@router.get("", response_model=ReplyList, responses=documented(401, 403, 404, 503))
async def get_replies(caller: CallerHere, context: Ctx) -> JSONResponse:
    """List the canned replies that one can use: the desk's and one's own. Staff only."""
    require(caller, Access.REPLIES)
    return Json(await canned_replies(context.database, caller))


@router.post("", status_code=201, response_model=ReplyOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def post_reply(form: NewReply, asking: AskingHere) -> JSONResponse:
    """Keep a canned reply: one's own, or with `shared` the desk's, which is for leads and admins."""
    return (await keep_reply(asking, form)).response()


@router.patch("/{reply_id}", response_model=ReplyOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def patch_reply(reply_id: uuid.UUID, form: ReplyChanges, caller: CallerHere, context: Ctx) -> JSONResponse:
    """Change a canned reply; what is left out stays."""
    require(caller, Access.REPLIES)
    changed = await change_reply(context.database, caller, reply_id, form)
    return Json(changed)


@router.delete("/{reply_id}", status_code=204, responses=documented(401, 403, 404, 422, 503))
async def delete_reply(reply_id: uuid.UUID, caller: CallerHere, context: Ctx) -> Response:
    """Forget a canned reply."""
    require(caller, Access.REPLIES)
    await remove_reply(context.database, caller, reply_id)
    return Response(status_code=204)
