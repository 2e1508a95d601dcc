"""The files of a case: adding them without script, and taking them off."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.api.attachments.endpoints import attach, delete_attachment
from services.api.attachments.receiving import Receiving, receive
from services.api.attachments.schemas import Attach
from services.api.authorisation import Access, require
from services.api.portal.case.actions import done
from services.api.portal.case.pages import about, show_case
from services.api.portal.case.view import load_case
from services.api.portal.forms import Form, FormHere, accepted, messages, read
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem, not_found

router = APIRouter()

_OURS: Final = frozenset({"same-origin", "none"})


@router.post("/desks/{desk}/cases/{number}/attachments")
async def post_file(number: str, page: DeskPageHere, request: Request) -> Response:
    """Upload a file and attach it: what the browser sends where no script runs.

    The file goes to the store as it comes in, so nothing else stands in the form: that it is ours the browser says
    itself, by ``Sec-Fetch-Site``.
    """
    if request.headers.get("Sec-Fetch-Site", "") not in _OURS:
        raise Problem("csrf_token_missing", "Send the file from the case's own page.")
    require(page.caller, Access.UPLOAD)
    try:
        receiving = Receiving(context=page.context, caller=page.caller, key=None, path=request.url.path)
        file = accepted(await receive(receiving, request))
        accepted(await attach(number, read(Attach, {"attachments": [file["id"]]}), Form().asking(page)))
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        view = await load_case(page, number)
        return await show_case(page, view, "attachments", "case/case.html", problem.status, refused=problem.detail)
    return page.go(f"{page.path('cases', number)}?tab=attachments", said="File attached.")


@router.post("/desks/{desk}/cases/{number}/attach")
async def post_attach(number: str, page: DeskPageHere, form: FormHere) -> Response:
    """Attach what scripts have uploaded."""
    accepted(await attach(number, read(Attach, {"attachments": form.all("attachments")}), form.asking(page)))
    return done(page, f"{page.path('cases', number)}?tab=attachments", "Attached.")


@router.get("/desks/{desk}/cases/{number}/attachments/{attachment}/remove")
async def get_removal(number: str, attachment: uuid.UUID, page: DeskPageHere) -> Response:
    """Whether the file is really to be removed."""
    template = "case/removal.html" if page.is_fragment else "case/removal_page.html"
    return page.render(template, **await _removal(page, number, attachment))


@router.post("/desks/{desk}/cases/{number}/attachments/{attachment}/remove")
async def post_removal(number: str, attachment: uuid.UUID, page: DeskPageHere, form: FormHere) -> Response:
    """Take the file off the case."""
    try:
        accepted(await delete_attachment(number, attachment, form.asking(page)))
    except Problem as problem:
        if problem.status in (403, 404, 410):
            raise
        template = "case/removal_form.html" if page.is_fragment else "case/removal_page.html"
        values = await _removal(page, number, attachment) | {"errors": messages(problem), "form": form}
        return page.render(template, problem.status, dict(problem.headers), **values)
    return done(page, f"{page.path('cases', number)}?tab=attachments", "File removed.")


async def _removal(page: DeskPage, number: str, attachment: uuid.UUID) -> dict[str, Any]:
    view = await load_case(page, number)
    file = next((each for each in view.files if each.id == str(attachment)), None)
    if file is None:
        raise not_found(f"file {attachment} on this case")
    return {**about(page, view), "file": file, "errors": {}, "form": Form()}
