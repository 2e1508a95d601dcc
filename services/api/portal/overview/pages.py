"""The lead's view: a desk in figures, and the cases behind each."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Final, Literal, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.api.authorisation import Access, require
from services.api.overview.endpoints import DaysAsked
from services.api.overview.facts import AGES
from services.api.overview.figures import ROWS_SHOWN, WORKED_ON, Behind, cases_behind, overview
from services.api.overview.schemas import Days
from services.api.portal.overview.charts import flow_of, heat, on_day, share, took
from services.api.portal.overview.links import Links
from services.api.portal.pages import DeskPageHere

router = APIRouter()

Of = Literal["open", "opened", "answered", "solved", "stayed", "reopened", "rejected", "accepted", "surveyed"]
TITLES: Final[dict[Of, str]] = {
    "open": "Open cases",
    "opened": "Opened",
    "answered": "First responses",
    "solved": "Resolved",
    "stayed": "Resolution times",
    "reopened": "Reopened",
    "rejected": "Rejected",
    "accepted": "Accepted",
    "surveyed": "Survey answers",
}
MEANINGS: Final[dict[Of, str]] = {
    "open": "Cases that are worked on now, the oldest first. Their age is counted in business days.",
    "opened": "Cases that were opened in the period.",
    "answered": "Cases whose first answer by staff came in the period, the slowest first.",
    "solved": "Each time in the period that a case was resolved, or closed without that.",
    "stayed": "Cases that were resolved in the period and have stayed so, the slowest first.",
    "reopened": "Cases that were resolved in the period and then taken up again.",
    "rejected": "Cases that were resolved in the period and whose resolution the customer sent back.",
    "accepted": "Cases whose resolution the customer accepted in the period.",
    "surveyed": "Cases whose customer answered the survey in the period.",
}


@router.get("/desks/{desk}/overview")
async def get_overview(page: DeskPageHere, days: DaysAsked = 30) -> Response:
    """The desk in figures."""
    require(page.caller, Access.OVERVIEW)
    found = await overview(page.context.database, page.caller, days)
    most = max((count for row in found.backlog for count in row.by_age), default=0)
    return page.render(
        "overview/part.html" if page.is_fragment else "overview/overview.html",
        found=found,
        flow=flow_of(found.by_day),
        links=Links(page, days),
        periods=get_args(Days),
        took=partial(took, page.reader),
        on_day=partial(on_day, page.reader),
        heat=partial(heat, most=most),
        share=share,
    )


@router.get("/desks/{desk}/overview/cases")
async def get_cases_behind(
    *,
    page: DeskPageHere,
    of: Of,
    days: DaysAsked = 30,
    status: Annotated[list[str] | None, Query()] = None,
    age: Annotated[int | None, Query(ge=0, le=len(AGES))] = None,
    assignee: str | None = None,
    product: str | None = None,
    account: str | None = None,
    first: date | None = None,
    last: date | None = None,
    question: Literal["q1", "q2"] | None = None,
    mark: Annotated[int | None, Query(ge=0, le=10)] = None,
) -> Response:
    """The cases that a figure counts."""
    require(page.caller, Access.OVERVIEW)
    behind = Behind(
        of=of,
        statuses=status or WORKED_ON,
        age=age,
        assignee=assignee,
        product=product,
        account=account,
        first=first,
        last=last,
        question=question,
        mark=mark,
    )
    cases, total = await cases_behind(page.context.database, page.caller, days, behind)
    return page.render(
        "overview/cases.html",
        of=of,
        title=TITLES[of],
        meaning=MEANINGS[of],
        cases=cases,
        total=total,
        most=ROWS_SHOWN,
        behind=behind,
        ages=list(zip((0, *AGES), (*AGES, None), strict=True)),
        links=Links(page, days),
        took=partial(took, page.reader),
        on_day=partial(on_day, page.reader),
    )
