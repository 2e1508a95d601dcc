"""The list of a desk's cases."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.authorisation import Access, require
from services.api.cases.filters import ListQuery
from services.api.cases.listing import list_cases
from services.api.portal.forms import read
from services.api.portal.pages import DeskPageHere

router = APIRouter()


@router.get("/desks/{desk}/cases")
async def get_cases(page: DeskPageHere) -> Response:
    """The list, or its results alone."""
    require(page.caller, Access.LIST)
    query = read(ListQuery, {})
    found = await list_cases(page.context, page.caller, query)
    return page.render("cases/list.html", found=found, query=query)
