"""Lists of cases that somebody keeps under a name."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from services.api.answers import Answer, Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.commands import AskingHere
from services.api.context import Ctx
from services.api.filters.records import add_filter, change_filter, check_query, remove_filter, saved_filters
from services.api.filters.schemas import FilterChanges, FilterList, FilterOut, NewFilter
from services.api.idempotency import claim, keep
from services.api.problems import Problem, documented

router = APIRouter(prefix="/filters", tags=["filters"])


@router.get("", response_model=FilterList, responses=documented(401, 403, 404, 503))
async def get_filters(caller: CallerHere, context: Ctx) -> JSONResponse:
    """List one's own saved filters on this desk."""
    require(caller, Access.FILTERS)
    return Json((await saved_filters(context.database, caller)).model_dump(mode="json", exclude_none=True))


@router.post("", status_code=201, response_model=FilterOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def post_filter(form: NewFilter, asking: AskingHere) -> JSONResponse:
    """Save a filter under a name; it is one's own alone."""
    caller, database = asking.caller, asking.context.database
    require(caller, Access.FILTERS)
    async with database.transaction_as(caller.eyes) as connection:
        ticket = await claim(connection, caller, asking.once)
        if isinstance(ticket, Answer):
            return ticket.response()
        check_query(caller, form.query)
    try:
        saved = await add_filter(database, caller, form, uuid.UUID(ticket.command_id))
        answer = Answer(201, saved.model_dump(mode="json", exclude_none=True))
    except Problem as problem:
        answer = problem.answer()
    return (await keep(database, caller, asking.once, answer)).response()


@router.patch("/{filter_id}", response_model=FilterOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def patch_filter(filter_id: uuid.UUID, form: FilterChanges, caller: CallerHere, context: Ctx) -> JSONResponse:
    """Change a saved filter; what is left out stays."""
    require(caller, Access.FILTERS)
    if form.query is not None:
        check_query(caller, form.query)
    changed = await change_filter(context.database, caller, filter_id, form)
    return Json(changed.model_dump(mode="json", exclude_none=True))


@router.delete("/{filter_id}", status_code=204, responses=documented(401, 403, 404, 422, 503))
async def delete_filter(filter_id: uuid.UUID, caller: CallerHere, context: Ctx) -> Response:
    """Forget a saved filter."""
    require(caller, Access.FILTERS)
    await remove_filter(context.database, caller, filter_id)
    return Response(status_code=204)
