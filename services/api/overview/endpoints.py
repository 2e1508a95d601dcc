"""A desk in figures, for its leads and admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator

from services.api.answers import Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.context import Ctx
from services.api.overview.figures import overview
from services.api.overview.schemas import Days, OverviewOut
from services.api.problems import documented

router = APIRouter(tags=["overview"])

DaysAsked = Annotated[Days, BeforeValidator(int)]
"""From an address, where every number is text."""


@router.get("/overview", response_model=OverviewOut, responses=documented(401, 403, 404, 422, 503))
async def get_overview(caller: CallerHere, context: Ctx, days: DaysAsked = 30) -> JSONResponse:
    """Read a desk's figures: its open cases, how quickly it answers and resolves, what comes back. For leads and
    admins. Durations are in business hours by the desk's calendar.
    """
    require(caller, Access.OVERVIEW)
    found = await overview(context.database, caller, days)
    return Json(found)
