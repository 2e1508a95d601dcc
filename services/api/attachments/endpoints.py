"""Files: uploading, attaching, listing, downloading and removing them."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from services.api.answers import Answer, Json
from services.api.attachments.download import send
from services.api.attachments.receiving import Receiving, receive
from services.api.attachments.records import files_of, find_file
from services.api.attachments.schemas import Attach, AttachedFiles, UploadedFile
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.cases.choices import check_attachments
from services.api.cases.endpoints import CaseNumber, case_answer
from services.api.cases.records import CaseRecord, find_case
from services.api.cases.schemas import CaseOut
from services.api.commands import AskingHere, command_on_case
from services.api.context import Ctx
from services.api.idempotency import KeyHere
from services.api.problems import documented, invalid
from shared.contracts.workflow import Outcome
from shared.db.viewed import Sight
from shared.domain import commands as c
from shared.domain.lifecycle import Action
from shared.objects import ObjectStoreError
from shared.objects.attachments import delete_content
from shared.telemetry import get_logger

router = APIRouter(tags=["attachments"])

AttachmentId = Annotated[uuid.UUID, Path(description="Id of the file.")]
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "kind": {
                            "type": "string",
                            "enum": ["file", "recording"],
                            "default": "file",
                            "description": "A recording is a video in WebM or MP4, taken on every desk.",
                        },
                    },
                }
            }
        },
    }
}

_log = get_logger(__name__)


@router.post(
    "/attachments",
    status_code=201,
    response_model=UploadedFile,
    responses=documented(401, 403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=_FORM,
)
async def post_attachment(request: Request, caller: CallerHere, context: Ctx, key: KeyHere) -> Response:
    """Upload a file, to be named by a command. The desk's policy says how large it may be and of which types."""
    require(caller, Access.UPLOAD)
    receiving = Receiving(context=context, caller=caller, key=key, path=request.url.path)
    return await receive(receiving, request)


@router.post("/cases/{number}/attach", response_model=CaseOut, responses=documented(401, 403, 404, 409, 413, 422, 503))
async def attach(number: CaseNumber, form: Attach, asking: AskingHere) -> JSONResponse:
    """Add uploaded files to a case."""
    command = c.Attach(command_id="", actor=asking.caller.actor, attachments=tuple(map(str, form.attachments)))

    async def prepare(session: Sight, _record: CaseRecord) -> c.Attach:
        if errors := await check_attachments(session, asking.caller, asking.once, form.attachments):
            raise invalid(*errors)
        return command

    async def respond(record: CaseRecord, outcome: Outcome, command_id: str) -> Answer:
        return await case_answer(asking, record, outcome, command_id)

    return (await command_on_case(asking, number, Action.ATTACH, prepare, respond)).response()


@router.get("/cases/{number}/attachments", response_model=AttachedFiles, responses=documented(401, 403, 404, 503))
async def get_attachments(number: CaseNumber, caller: CallerHere, context: Ctx) -> JSONResponse:
    """List the files of a case that one may see, in the order in which they came."""
    require(caller, Access.READ)
    async with context.database.read_as(caller.eyes) as session:
        record = await find_case(session, caller, number)
        return Json({"items": await files_of(session, caller, record)})


@router.get(
    "/cases/{number}/attachments/{attachment}",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part that `Range` asks for."},
        304: {"description": "Unchanged since the `ETag` that `If-None-Match` names."},
        **documented(401, 403, 404, 410, 416, 422, 503),
    },
)
async def get_attachment(
    number: CaseNumber, attachment: AttachmentId, caller: CallerHere, context: Ctx, request: Request
) -> Response:
    """Download a file; parts of it with `Range`."""
    require(caller, Access.READ)
    async with context.database.read_as(caller.eyes) as session:
        record = await find_case(session, caller, number)
        row = await find_file(session, caller, record, attachment)
    return await send(context.objects, row, request)


@router.delete(
    "/cases/{number}/attachments/{attachment}",
    response_model=CaseOut,
    responses=documented(401, 403, 404, 409, 410, 413, 422, 503),
)
async def delete_attachment(number: CaseNumber, attachment: AttachmentId, asking: AskingHere) -> JSONResponse:
    """Take a file off a case. Its content is deleted; that it was there stays in the activity."""
    caller, context = asking.caller, asking.context

    async def prepare(session: Sight, record: CaseRecord) -> c.RemoveAttachment:
        row = await find_file(session, caller, record, attachment)
        require(caller, Action.REMOVE_ATTACHMENT, record.state, row.uploaded_by)
        return c.RemoveAttachment(command_id="", actor=caller.actor, attachment=str(attachment), internal=row.internal)

    async def respond(record: CaseRecord, outcome: Outcome, command_id: str) -> Answer:
        try:
            await delete_content(context.database.transaction_as(caller.eyes), context.objects, attachment)
        except ObjectStoreError as error:
            _log.warning("the content of a removed file is left to housekeeping", error=str(error))
        return await case_answer(asking, record, outcome, command_id)

    return (await command_on_case(asking, number, None, prepare, respond)).response()
