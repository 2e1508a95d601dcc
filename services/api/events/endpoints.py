"""What has happened: of one case, and live of all that one may see."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse, StreamingResponse

from services.api.answers import Json
from services.api.auth import CallerHere, Proven, look_up_still
from services.api.authorisation import Access, may, require
from services.api.callers import Caller
from services.api.cases.endpoints import CaseNumber
from services.api.cases.records import find_case
from services.api.context import Ctx
from services.api.events.records import read_events, told_live
from services.api.events.schemas import EventList
from services.api.events.stream import Follower, live
from services.api.problems import FieldError, documented, invalid

router = APIRouter(tags=["events"])


@router.get("/cases/{number}/events", response_model=EventList, responses=documented(401, 403, 404, 422, 503))
async def get_events(
    number: CaseNumber,
    caller: CallerHere,
    context: Ctx,
    after_seq: Annotated[int, Query(ge=0, lt=2**31, description="Only events after this one.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> JSONResponse:
    """The case's activity that one may see, oldest first. For the next page give the last seq as `after_seq`."""
    require(caller, Access.READ)
    async with context.database.read_as(caller.eyes) as session:
        record = await find_case(session, caller, number)
        return Json({"items": await read_events(session, caller, record.id, after_seq, limit)})


def _place(
    last_event_id: Annotated[str | None, Header(description="Resume after this id.")] = None,
    after: Annotated[
        int | None, Query(ge=0, lt=10**18, description="The same, for browsers, which can't send the header at first.")
    ] = None,
) -> int | None:
    if not last_event_id:
        return after
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19:
        return int(last_event_id)
    raise invalid(FieldError(field="Last-Event-ID", message="Last-Event-ID: an id that this stream has sent."))


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events. `data` is a CloudEvent (JSON), `id` its place in the stream. An event "
            "`reset` says that the place asked for is gone: reload, then follow from here.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **documented(401, 403, 404, 422, 503),
    },
)
async def stream_events(
    desk: str,
    caller: CallerHere,
    identity: Proven,
    context: Ctx,
    place: Annotated[int | None, Depends(_place)],
) -> StreamingResponse:
    """Follow the events of all cases that one may see, as they happen."""
    require(caller, Access.FOLLOW)

    async def still() -> Caller | None:
        now = await look_up_still(desk, identity, context)
        return now if now and may(now, Access.FOLLOW) else None

    follower = Follower(
        caller=caller,
        still=still,
        told=partial(told_live, context.database),
        session=identity.session,
        expires_at=identity.expires_at,
    )
    return StreamingResponse(
        live(context.hub, follower, place),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
