"""Taking an action on a case: in a dialog; without script, on a page of its own."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from services.api.portal.case.dialogs import BY_ACTION, NOBODY, Dialog, required
from services.api.portal.case.notes import what_follows
from services.api.portal.case.pages import about
from services.api.portal.case.view import CaseView, load_case, staff_of
from services.api.portal.forms import Form, FormHere, accepted, messages
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem, not_found

router = APIRouter()


@router.get("/desks/{desk}/cases/{number}/actions/{action}")
async def get_action(number: str, action: str, page: DeskPageHere) -> Response:
    """What the action asks for."""
    dialog, view = _dialog(action), await load_case(page, number)
    return page.render(_template(page, "case/dialog.html"), **await _asked(page, view, dialog, Form()))


@router.post("/desks/{desk}/cases/{number}/actions/{action}")
async def post_action(number: str, action: str, page: DeskPageHere, form: FormHere) -> Response:
    """Take it; if it is refused, say so beside what was typed."""
    dialog = _dialog(action)
    try:
        accepted(await dialog.run(form.asking(page), number, form))
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return await _refused(page, await load_case(page, number), dialog, form, problem)
    return done(page, page.path("cases", number), dialog.said)


async def _refused(page: DeskPage, view: CaseView, dialog: Dialog, form: Form, problem: Problem) -> Response:
    if dialog.action == "take" and page.is_fragment:  # it has no dialog to stand in
        raise problem
    values = await _asked(page, view, dialog, form)
    values |= {"errors": messages(problem), "unsure": problem.status >= 500}
    return page.render(_template(page, "case/action_form.html"), problem.status, dict(problem.headers), **values)


def done(page: DeskPage, address: str, said: str) -> Response:
    """Answer a dialog whose action is done: it closes, and the page shows the case as it is now.

    Args:
        page: that was asked.
        address: of the case's page, for browsers without script.
        said: what is done.
    """
    if not page.is_fragment:
        return page.go(address, said=said)
    events = {"case:changed": {}, "case:done": {}, "toast": {"text": said, "tone": "good"}}
    return Response(status_code=204, headers={"HX-Trigger": orjson.dumps(events).decode()})


def _dialog(action: str) -> Dialog:
    if action not in BY_ACTION:
        raise not_found(f"action «{action[:40]}»")
    return BY_ACTION[action]


def _template(page: DeskPage, fragment: str) -> str:
    return fragment if page.is_fragment else "case/action_page.html"


async def _asked(page: DeskPage, view: CaseView, dialog: Dialog, form: Form) -> dict[str, Any]:
    staff = await staff_of(page) if dialog.action == "assign" else {}
    return {
        **about(page, view),
        "dialog": dialog,
        "is_offered": dialog.action in view.offered,
        "required": required(view.offered.get(dialog.action)),
        "follows": what_follows(dialog.action, view),
        "staff": staff,
        "nobody": NOBODY,
        "form": form,
        "errors": {},
        "unsure": False,
    }
