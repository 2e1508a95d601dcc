"""Canned replies: keeping them, and choosing one where one writes."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.authorisation import Access, may, require
from services.api.portal.case.view import load_case
from services.api.portal.forms import Form, FormHere, accepted, messages, read
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem
from services.api.replies.endpoints import keep_reply
from services.api.replies.filling import PLACEHOLDERS, fill
from services.api.replies.records import canned_replies, change_reply, find_reply, remove_reply, right_to
from services.api.replies.schemas import NewReply, ReplyChanges

router = APIRouter()


@router.get("/desks/{desk}/replies")
async def get_replies(page: DeskPageHere) -> Response:
    """All canned replies that one can use."""
    require(page.caller, Access.REPLIES)
    found = await canned_replies(page.context.database, page.caller)
    may_change = {shared: may(page.caller, right_to(shared=shared)) for shared in (True, False)}
    return page.render("replies/list.html", replies=found.items, may_change=may_change)


@router.get("/desks/{desk}/cases/{number}/replies")
async def get_filled(number: str, page: DeskPageHere) -> Response:
    """What can be put into an answer to this case, its placeholders filled."""
    require(page.caller, Access.REPLIES)
    case = (await load_case(page, number)).case
    found = await canned_replies(page.context.database, page.caller)
    filled = [(reply, fill(reply.body, case, page.caller)) for reply in found.items]
    return page.render("replies/options.html", filled=filled)


@router.get("/desks/{desk}/replies/new")
async def get_new(page: DeskPageHere) -> Response:
    """The form for a new one."""
    require(page.caller, Access.REPLIES)
    return _form(page, Form())


@router.post("/desks/{desk}/replies/new")
async def post_new(page: DeskPageHere, form: FormHere) -> Response:
    """Keep a new one."""
    values: dict[str, object] = {"name": form.text("name"), "body": form.text("body"), "shared": "shared" in form}
    try:
        accepted(await keep_reply(form.asking(page), read(NewReply, values)))
    except Problem as problem:
        return _refused(page, form, problem)
    return page.go(page.path("replies"), said=f"«{form.text('name').strip()}» is kept.")


@router.get("/desks/{desk}/replies/{reply_id}")
async def get_reply(reply_id: uuid.UUID, page: DeskPageHere) -> Response:
    """The form for one that is there."""
    require(page.caller, Access.REPLIES)
    reply = await find_reply(page.context.database, page.caller, reply_id)
    require(page.caller, right_to(shared=reply.shared))
    return _form(page, Form([("name", reply.name), ("body", reply.body)]), reply_id)


@router.post("/desks/{desk}/replies/{reply_id}")
async def post_reply(reply_id: uuid.UUID, page: DeskPageHere, form: FormHere) -> Response:
    """Change it, or delete it."""
    require(page.caller, Access.REPLIES)
    database, name = page.context.database, form.text("name").strip()
    if form.text("do") == "delete":
        await remove_reply(database, page.caller, reply_id)
        return page.go(page.path("replies"), said=f"«{name}» is deleted.")
    try:
        changes = read(ReplyChanges, {"name": form.text("name"), "body": form.text("body")})
        await change_reply(database, page.caller, reply_id, changes)
    except Problem as problem:
        return _refused(page, form, problem, reply_id)
    return page.go(page.path("replies"), said=f"«{name}» is changed.")


def _refused(page: DeskPage, form: Form, problem: Problem, reply_id: uuid.UUID | None = None) -> Response:
    if problem.status in (403, 404):
        raise problem
    errors = {"name": problem.detail} if problem.code == "reply_name_taken" else messages(problem)
    return _form(page, form, reply_id, errors, problem.status)


def _form(
    page: DeskPage,
    form: Form,
    reply_id: uuid.UUID | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    values: dict[str, Any] = {"form": form, "reply_id": reply_id, "errors": errors or {}, "placeholders": PLACEHOLDERS}
    may_share = reply_id is None and may(page.caller, Access.DESK_REPLIES)
    key = form.text("idempotency_key") if status >= 500 else ""
    return page.render("replies/form.html", status, key=key, may_share=may_share, **values)
