"""A case: its page, and what of it is fetched anew when something happens to it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.portal.activity.view import activity_of
from services.api.portal.case.dialogs import buttons
from services.api.portal.case.fields import facts_of
from services.api.portal.case.files import rules_in_words, size_in_words
from services.api.portal.case.notes import CLOSED_REASONS, notes_on
from services.api.portal.case.view import CaseView, load_case, urgencies
from services.api.portal.cases.unread import mark_read
from services.api.portal.pages import DeskPage, DeskPageHere

router = APIRouter()

TABS: Final = ("activity", "details", "attachments")
"""The first is what a case opens on: whoever comes wants to know what was said last, and links in mails lead there."""


@router.get("/desks/{desk}/cases/{number}")
async def get_case(number: str, page: DeskPageHere, tab: str = TABS[0], part: str = "", seen: bool = True) -> Response:
    """The case, on one of its tabs; with ``part=case`` only what is said about it.

    Args:
        number: of the case.
        page: that shows it.
        tab: which part is shown.
        part: ``case`` for what a page fetches anew.
        seen: whether somebody looks at the page that fetches it.
    """
    view = await load_case(page, number)
    alone = part == "case" and page.is_fragment
    answer = await show_case(page, view, tab, "case/whole.html" if alone else "case/case.html", is_part=alone)
    if seen:  # afterwards: the activity marks what is new
        await mark_read(page, view.record)
    return answer


async def show_case(
    page: DeskPage, view: CaseView, tab: str, template: str, status: int = 200, *, is_part: bool = False, **more: Any
) -> Response:
    """Render the case's page, or the part of it that is fetched anew.

    Args:
        page: that shows it.
        view: the case.
        tab: which part is shown.
        template: of the page or the part.
        status: of the answer.
        is_part: the activity refreshes itself, so it is left out.
        more: values for the template.
    """
    tab = tab if tab in TABS else TABS[0]
    activity = await activity_of(page, view.record) if tab == "activity" and not is_part else {}
    values = {"activity": activity, **activity, **about(page, view), "tab": tab, "is_part": is_part}
    return page.render(template, status, **{"refused": "", **values, **more})


def about(page: DeskPage, view: CaseView) -> dict[str, Any]:
    """What every template of a case uses."""
    policy = page.caller.desk.policy
    return {
        "view": view,
        "case": view.case,
        "now": view.now,
        "buttons": buttons(view),
        "notes": notes_on(view, page.caller),
        "facts": facts_of(page, view),
        "urgencies": urgencies(page, view),
        "closed_reasons": CLOSED_REASONS,
        "size_in_words": size_in_words,
        "file_rules": rules_in_words(policy, page.reader),
        "accepts": ",".join(f".{ending}" for ending in policy.attachment_types or ()),
        "case_path": page.path("cases", view.record.number),
    }
