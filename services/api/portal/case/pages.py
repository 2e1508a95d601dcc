"""A case."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.authorisation import Access, require
from services.api.cases.records import find_case, names_of
from services.api.cases.representation import represent
from services.api.events.records import read_events
from services.api.portal.pages import DeskPageHere

router = APIRouter()

TABS: Final = ("details", "attachments", "activity")
_EVENTS_SHOWN: Final = 200


@router.get("/desks/{desk}/cases/{number}")
async def get_case(number: str, page: DeskPageHere, tab: str = "activity") -> Response:
    """The case, on one of its tabs."""
    require(page.caller, Access.READ)
    async with page.context.database.read_as(page.caller.eyes) as session:
        record = await find_case(session, page.caller, number)
        names = await names_of(session, [record])
        events = await read_events(session, page.caller, record.id, 0, _EVENTS_SHOWN)
    case = represent(page.caller, record, names)
    return page.render(
        "case/case.html", case=case, events=events, now=record.now, tab=tab if tab in TABS else "activity"
    )
