"""How a desk is set up: for its leads and admins. It is changed with the desk file alone."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from services.api.answers import Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.callers import Caller
from services.api.context import Context, Ctx
from services.api.problems import documented
from services.api.setup.desk_file import desk_file
from services.api.setup.people import people_of
from services.api.setup.schemas import PeopleOut
from services.api.webhooks.records import webhooks_of

router = APIRouter(tags=["setup"])

YAML: Final = "application/yaml"


@router.get("/people", response_model=PeopleOut, responses=documented(401, 403, 404, 503))
async def get_people(caller: CallerHere, context: Ctx) -> JSONResponse:
    """List a desk's staff, its accounts with their members, and its service accounts. For leads and admins."""
    require(caller, Access.SETUP)
    async with context.database.read_as(caller.eyes) as session:
        people = await people_of(session, caller.desk)
    return Json(people)


@router.get(
    "/desk-file",
    response_class=PlainTextResponse,
    responses={200: {"content": {YAML: {}}}, **documented(401, 403, 404, 503)},
)
async def get_desk_file(caller: CallerHere, context: Ctx) -> Response:
    """Get the desk file that would make the desk as it is now, without the webhooks' secrets. For leads and admins."""
    require(caller, Access.SETUP)
    name = f'attachment; filename="{caller.desk.slug}.yaml"'
    return Response(await exported(context, caller), media_type=YAML, headers={"Content-Disposition": name})


async def exported(context: Context, caller: Caller) -> str:
    """The caller's desk as its file."""
    async with context.database.read_as(caller.eyes) as session:
        people = await people_of(session, caller.desk)
        webhooks = await webhooks_of(session, caller)
    return desk_file(caller.desk, people, webhooks)
