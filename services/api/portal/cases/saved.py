"""The lists that somebody keeps under a name: saving, renaming, deleting, by the functions of the REST routes."""

from __future__ import annotations

import uuid

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import QueryParams

from services.api.authorisation import Access, require
from services.api.filters.endpoints import delete_filter, patch_filter, post_filter
from services.api.filters.records import saved_filters
from services.api.filters.schemas import FilterChanges, NewFilter
from services.api.portal.cases.asked import Asked, read_asked
from services.api.portal.forms import Form, FormHere, accepted, messages, read
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem

router = APIRouter()


@router.get("/desks/{desk}/cases/lists")
async def get_lists(page: DeskPageHere) -> Response:
    """One's saved lists, and saving the one that the address holds."""
    require(page.caller, Access.FILTERS)
    return await _show(page, Form([("list", page.request.url.query)]))


@router.post("/desks/{desk}/cases/lists")
async def post_list(page: DeskPageHere, form: FormHere) -> Response:
    """Save a list under a name."""
    asked = _asked(page, form.text("list"))
    query = asked.filters.model_dump(exclude_defaults=True)
    try:
        body = read(NewFilter, {"name": form.text("name"), "query": query})
        accepted(await post_filter(body, form.asking(page)))
    except Problem as problem:
        return await _show(page, form, problem)
    return page.go(asked.address(), said=f"«{body.name}» is saved.")


@router.post("/desks/{desk}/cases/lists/{filter_id}")
async def post_change(filter_id: uuid.UUID, page: DeskPageHere, form: FormHere) -> Response:
    """Rename a saved list, or forget it."""
    lists = page.path("cases", "lists")
    if form.text("do") == "delete":
        await delete_filter(filter_id, page.caller, page.context)
        return page.go(lists, said="The saved list is deleted.")
    try:
        body = read(FilterChanges, {"name": form.text("name")})
        accepted(await patch_filter(filter_id, body, page.caller, page.context))
    except Problem as problem:
        return await _show(page, form, problem, filter_id)
    return page.go(lists, said=f"The list is called «{body.name}» now.")


async def _show(page: DeskPage, form: Form, problem: Problem | None = None, wrong: uuid.UUID | None = None) -> Response:
    """The page; what was refused, with its message, at its place.

    Args:
        page: in the making.
        form: what was typed.
        problem: why it was refused.
        wrong: the saved list that it was about; None: a new one.
    """
    asked = _asked(page, form.text("list"))
    return page.render(
        "cases/lists.html",
        problem.status if problem else 200,
        asked=asked,
        saved=(await saved_filters(page.context.database, page.caller)).items,
        form=form,
        errors=messages(problem) if problem else {},
        wrong=wrong,
    )


def _asked(page: DeskPage, query: str) -> Asked:
    return read_asked(page.caller, page.path("cases"), QueryParams(query), page.least_filters)
