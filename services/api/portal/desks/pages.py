"""Choosing a desk, and the habits of a browser."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.portal.forms import FormHere
from services.api.portal.pages import THEMES, PageHere, PersonPage, PersonPageHere
from services.api.portal.visitors import desks_of, visitor_if_any

router = APIRouter()

LAST_DESK = "desk"
"""Cookie that remembers where somebody was last."""


@router.get("/")
async def home(page: PageHere) -> Response:
    """To the desk that one was at last, or to the log-in."""
    visitor = await visitor_if_any(page.request, page.context)
    if visitor is None:
        return page.go("/login")
    return await first_page(PersonPage(request=page.request, context=page.context, visitor=visitor))


@router.get("/desks")
async def get_desks(page: PersonPageHere) -> Response:
    """Choose a desk."""
    return page.render("desks/choose.html", desks=await desks_of(page.context, page.visitor))


@router.get("/desks/{desk}")
async def get_desk(desk: str, page: PersonPageHere) -> Response:
    """A desk's own page is its list of cases; the browser remembers the choice."""
    return choose(page, desk)


@router.post("/theme")
async def post_theme(page: PersonPageHere, form: FormHere) -> Response:
    """Light, dark, or as the system has it; a script does the same without leaving the page."""
    theme, back = form.text("theme"), form.text("next")
    answer = page.go(local(back) or "/")
    page.remember(answer, "theme", theme if theme in THEMES else "auto", for_scripts=True)
    return answer


async def first_page(page: PersonPage) -> Response:
    """Where somebody begins: at the desk where they were last, at their only one, or choosing one."""
    desks = await desks_of(page.context, page.visitor)
    slugs = [desk.slug for desk in desks]
    last = page.request.cookies.get(LAST_DESK)
    if last in slugs:
        return choose(page, last)
    return choose(page, slugs[0]) if len(slugs) == 1 else page.go("/desks")


def choose(page: PersonPage, desk: str) -> Response:
    """Go to a desk, and remember it."""
    answer = page.go(f"/desks/{quote(desk, safe='')}/cases")
    page.remember(answer, LAST_DESK, desk)
    return answer


def local(address: str) -> str:
    """The address if it is one on this site, else nothing: nobody is to be led elsewhere by a link to us."""
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if safe else ""
