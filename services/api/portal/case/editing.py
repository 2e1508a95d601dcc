"""Changing a field of a case where it stands; without script, on a page of its own."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.cases.endpoints import patch_case
from services.api.cases.schemas import CaseChanges
from services.api.portal.case.fields import changes, choice_for, editable_fact
from services.api.portal.case.pages import about
from services.api.portal.case.view import CaseView, load_case
from services.api.portal.forms import Form, FormHere, accepted, messages, read
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem

router = APIRouter()


@router.get("/desks/{desk}/cases/{number}/fields/{name}")
async def get_field(number: str, name: str, page: DeskPageHere, *, edit: bool = True) -> Response:
    """The field, to be changed; with ``edit=false`` as it is."""
    view = await load_case(page, number)
    fact = editable_fact(name, view)
    if not edit and page.is_fragment:
        return page.render("case/fact_alone.html", fact=fact, returned=True, **about(page, view))
    if not fact.editable:
        return page.go(f"{page.path('cases', view.record.number)}?tab=details", said="It can't be changed any more.")
    return _form(page, view, name, Form([(name, _written(fact.value))]))


@router.post("/desks/{desk}/cases/{number}/fields/{name}")
async def post_field(number: str, name: str, page: DeskPageHere, form: FormHere) -> Response:
    """Change it."""
    view = await load_case(page, number)
    fact = editable_fact(name, view)
    try:
        accepted(await patch_case(number, read(CaseChanges, changes(name, form)), form.asking(page)))
    except Problem as problem:
        return _form(page, view, name, form, problem)
    if not page.is_fragment:
        return page.go(f"{page.path('cases', view.record.number)}?tab=details", said=f"{fact.label} changed.")
    view = await load_case(page, number)
    values = about(page, view) | {"fact": editable_fact(name, view), "returned": True}
    return page.render("case/fact_alone.html", headers={"HX-Trigger": "case:changed"}, **values)


def _form(page: DeskPage, view: CaseView, name: str, form: Form, problem: Problem | None = None) -> Response:
    return page.render(
        "case/fact_form.html" if page.is_fragment else "case/fact_page.html",
        problem.status if problem else 200,
        dict(problem.headers) if problem else None,
        fact=editable_fact(name, view),
        choice=choice_for(name, page, view),
        form=form,
        errors=messages(problem) if problem else {},
        unsure=problem is not None and problem.status >= 500,
        **about(page, view),
    )


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return str(value or "")
