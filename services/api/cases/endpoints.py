"""Opening, listing, reading and changing cases."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from services.api.answers import Answer, Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.cases.editing import prepare_edit
from services.api.cases.exports.sending import FILES, FileSent, export, file_name
from services.api.cases.filters import ExportQuery, ListQuery
from services.api.cases.listing import list_cases
from services.api.cases.opening import AgoHere, follow_up, open_case
from services.api.cases.records import CaseRecord, find_case, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import CaseChanges, CaseList, CaseOut, NewCase, NewFollowUp
from services.api.commands import Asking, AskingHere, command_on_case
from services.api.context import Ctx
from services.api.problems import documented
from shared.contracts.workflow import Outcome
from shared.db.engine import Reader
from shared.domain.commands import Edit
from shared.domain.lifecycle import Action

router = APIRouter(tags=["cases"])

CaseNumber = Annotated[str, Path(description="Number of the case, as in `12` or `CON-12`.", examples=["12"])]


async def case_answer(asking: Asking, record: CaseRecord, _outcome: Outcome, _command_id: str) -> Answer:
    """200 with the case as it is now, the caller's own change included."""
    async with asking.context.database.reading_as(asking.caller.eyes) as session:
        now = await find_case(session, asking.caller, record.number)
        names = await names_of(session, asking.caller, [now.state])
    return Answer(200, represent(asking.caller, now, names).model_dump(mode="json"))


@router.post("/cases", status_code=201, response_model=CaseOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def post_case(form: NewCase, asking: AskingHere, ago: AgoHere) -> JSONResponse:
    """Open a case. Fields with one possible value fill themselves."""
    return (await open_case(asking, form, ago)).response()


@router.get("/cases", response_model=CaseList, responses=documented(401, 403, 404, 422, 503))
async def get_cases(query: Annotated[ListQuery, Query()], caller: CallerHere, context: Ctx) -> JSONResponse:
    """List the cases that one may see, the last updated first."""
    require(caller, Access.LIST)
    return Json(await list_cases(context, caller, query))


@router.get(
    "/cases/export",
    response_class=FileSent,
    responses={
        200: {
            "description": "The file. If the connection ends before it is whole, something went wrong: ask again.",
            "content": {file.media_type: {"schema": {"type": "string", "format": "binary"}} for file in FILES.values()},
        },
        **documented(401, 403, 404, 422, 503),
    },
)
async def export_cases(query: Annotated[ExportQuery, Query()], caller: CallerHere, context: Ctx) -> FileSent:
    """Download all cases of a list that one sees, filtered and in order as the list is."""
    require(caller, Access.LIST)
    return FileSent(
        await export(context, caller, query),
        media_type=FILES[query.format].media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{file_name(caller.desk, query)}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get("/cases/{number}", response_model=CaseOut, responses=documented(401, 403, 404, 503))
async def get_case(number: CaseNumber, caller: CallerHere, context: Ctx) -> JSONResponse:
    """Read a case."""
    require(caller, Access.READ)
    async with context.database.reading_as(caller.eyes) as session:
        record = await find_case(session, caller, number)
        names = await names_of(session, caller, [record.state])
    return Json(represent(caller, record, names))


@router.patch("/cases/{number}", response_model=CaseOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def patch_case(number: CaseNumber, form: CaseChanges, asking: AskingHere) -> JSONResponse:
    """Change fields of a case; null empties one."""

    async def prepare(session: Reader, record: CaseRecord) -> Edit:
        return await prepare_edit(session, asking.caller, record, form)

    async def respond(record: CaseRecord, outcome: Outcome, command_id: str) -> Answer:
        return await case_answer(asking, record, outcome, command_id)

    return (await command_on_case(asking, number, Action.EDIT, prepare, respond)).response()


@router.post(
    "/cases/{number}/follow-up",
    status_code=201,
    response_model=CaseOut,
    responses=documented(401, 403, 404, 409, 413, 422, 503),
)
async def post_follow_up(number: CaseNumber, form: NewFollowUp, asking: AskingHere, ago: AgoHere) -> JSONResponse:
    """Open a case that follows a sealed one, linked both ways; what is left out is copied from that one."""
    return (await follow_up(asking, number, form, ago)).response()
