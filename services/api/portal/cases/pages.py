"""The list of a desk's cases, and what is done to several of them at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.actions.endpoints import take
from services.api.authorisation import Access, may, require
from services.api.portal.cases.asked import Asked, read_asked
from services.api.portal.cases.choices import sees_others_cases
from services.api.portal.cases.listing import Listing, listing_of
from services.api.portal.cases.unread import mark_numbers_read
from services.api.portal.desks.pages import local
from services.api.portal.forms import Form, FormHere, accepted
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import FieldError, Problem, invalid
from shared.domain.lifecycle import Action
from shared.domain.policy import IMPACTS

router = APIRouter()

LIST: Final = "list"
"""Id of the part of the page that is fetched anew."""
EVENT: Final = "Casebound-Event"
"""Header of a request by a script: the event because of which the list is fetched anew."""
_MOST_AT_ONCE: Final = 100

SORTS: Final[tuple[tuple[str, str], ...]] = (
    ("-updated_at", "Last updated"),
    ("updated_at", "Longest untouched"),
    ("-created_at", "Newest"),
    ("created_at", "Oldest"),
    ("-number", "Case, latest first"),
    ("number", "Case, first first"),
    ("subject", "Subject, A to Z"),
    ("-subject", "Subject, Z to A"),
    ("status", "Status"),
    ("-status", "Status, last first"),
    ("product", "Product"),
    ("relevance", "Best match"),
)


@router.get("/desks/{desk}/cases")
async def get_cases(page: DeskPageHere) -> Response:
    """The list, or to a script the part of it that changes."""
    require(page.caller, Access.LIST)
    asked = read_asked(page.caller, page.request.url.path, page.request.query_params, page.least_filters)
    listing = await listing_of(page, asked, page.request.headers.get(EVENT, ""))
    template = "cases/part.html" if page.is_fragment else "cases/list.html"
    return page.render(template, 503 if listing.trouble else 200, _headers(page, asked), **_values(page, listing))


@router.post("/desks/{desk}/cases/selected")
async def post_selected(page: DeskPageHere, form: FormHere) -> Response:
    """Do something with the ticked cases."""
    numbers = list(dict.fromkeys(int(each) for each in form.all("number") if each.isdecimal() and len(each) < 10))
    back = local(form.text("next")) or page.path("cases")
    if not numbers:
        return page.go(back, said="Tick at least one case first.")
    if len(numbers) > _MOST_AT_ONCE:
        raise invalid(FieldError(field="number", message=f"At most {_MOST_AT_ONCE} cases at once."))
    if form.text("do") == "take":
        return page.go(back, said=await _take(page, form, numbers))
    require(page.caller, Access.READ)
    seen = await mark_numbers_read(page, numbers)
    return page.go(back, said=f"{_cases(seen)} marked as read.")


async def _take(page: DeskPage, form: Form, numbers: list[int]) -> str:
    """Take on each of the cases, and say how that went."""
    asking, taken, refused = form.asking(page), 0, []
    for number in numbers:
        key = f"{asking.once.key}:{number}" if asking.once.key else None
        try:
            accepted(await take(str(number), replace(asking, once=replace(asking.once, key=key))))
            taken += 1
        except Problem as problem:
            refused.append(f"{page.caller.desk.case_key(number)}: {problem.detail}")
    return " ".join([f"{_cases(taken)} taken.", *refused[:3]])


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _headers(page: DeskPage, asked: Asked) -> dict[str, str]:
    """Where the browser is now: a new place to come back to, but for each letter of a search the same one."""
    source = page.request.headers.get("HX-Trigger")
    if not page.is_fragment or source == LIST:
        return {}
    address = asked.address(page=asked.query.page)
    before = parse_qs(urlsplit(page.request.headers.get("HX-Current-URL", "")).query)
    searching = bool(before.get("q")) and page.request.headers.get("HX-Trigger-Name") == "q"
    return {"HX-Replace-Url" if searching else "HX-Push-Url": address}


def _values(page: DeskPage, listing: Listing) -> dict[str, object]:
    caller, urgency = page.caller, page.caller.desk.policy.urgency.value
    sorts = [each for each in SORTS if each[0] != "relevance" or listing.asked.query.q]
    if urgency != "none":
        sorts += [(urgency, "Most urgent first"), (f"-{urgency}", "Least urgent first")]
    return {
        "listing": listing,
        "asked": listing.asked,
        "query": listing.asked.query,
        "found": listing.found,
        "sorts": sorts,
        "urgencies": [*IMPACTS] if urgency == "impact" else caller.desk.severities,
        "may_open": may(caller, Access.OPEN),
        "may_take": may(caller, Action.TAKE),
        "sees_others": sees_others_cases(caller),
        "title": "Cases" if sees_others_cases(caller) else "My cases",
        "export": f"/api/v1/desks/{caller.desk.slug}/cases/export?",
    }
