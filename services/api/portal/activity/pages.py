"""The activity's parts as a page fetches them, and what is written on a case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from services.api.actions import endpoints, schemas
from services.api.authorisation import Access, require
from services.api.cases.records import CaseRecord, find_case
from services.api.commands import Asking
from services.api.comments.endpoints import post_comment
from services.api.idempotency import Once
from services.api.portal.activity.composer import comment_of
from services.api.portal.activity.conversations import Part
from services.api.portal.activity.view import LARGEST_SEQ, activity_of, composer_for, part_of, reply_composer
from services.api.portal.case.pages import show_case
from services.api.portal.case.view import load_case
from services.api.portal.forms import KEY_FIELD, Form, FormHere, accepted, messages, read
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.portal.queues.next import next_case
from services.api.problems import FieldError, Problem, invalid, not_found
from shared.markdown import render_markdown

router = APIRouter()

Seq = Annotated[int | None, Query(ge=0, le=LARGEST_SEQ)]
GOOD: Final = "good"
NEXT: Final = "next"
UNKNOWN: Final = 500
"""From this status on nobody knows whether a form was carried out."""
_PREVIEW_MAX_CHARACTERS: Final = 64 * 1024


@router.get("/desks/{desk}/cases/{number}/activity")
async def get_activity(
    number: str, page: DeskPageHere, after: Seq = None, before: Seq = None, around: Seq = None
) -> Response:
    """A part of the activity: what came after or before an event, or the conversation that it belongs to."""
    record = await _record(page, number)
    if not page.is_fragment:
        return page.go(f"{page.path('cases', record.number)}?tab=activity")
    part = Part(after=after, before=before, around=around)
    return page.render("activity/part.html", **await part_of(page, record, part))


@router.get("/desks/{desk}/cases/{number}/activity/reply/{seq}")
async def get_reply(number: str, seq: int, page: DeskPageHere) -> Response:
    """The form for an answer to a conversation; without script, the page that has it."""
    record = await _record(page, number)
    address = page.path("cases", record.number)
    if not page.is_fragment:
        return page.go(f"{address}?tab=activity&reply={seq}#reply-{seq}")
    async with page.context.database.read_as(page.caller.eyes) as session:
        composer = await reply_composer(session, page, record, seq)
    if composer is None:
        raise not_found(f"conversation {seq} on this case")
    return page.render("activity/composer.html", composer=composer, address=f"{address}/activity", case=record)


@router.post("/desks/{desk}/cases/{number}/activity/preview")
async def post_preview(number: str, page: DeskPageHere, form: FormHere) -> Response:
    """What is typed, as it will look."""
    await _record(page, number)
    return HTMLResponse(render_markdown(form.text("body")[:_PREVIEW_MAX_CHARACTERS]))


@router.post("/desks/{desk}/cases/{number}/activity")
async def post_activity(number: str, page: DeskPageHere, form: FormHere, after: Seq = None) -> Response:
    """Say something on the case; scripts get what is new since ``after``."""
    try:
        said = await _say(form.asking(page), number, form)
    except Problem as problem:
        return await _refused(page, number, form, problem)
    record = await _record(page, number)
    if form.text("then") == NEXT and said.tone == GOOD:
        following = await next_case(page, record.number)
        return page.go(page.path("cases", *((following,) if following else ())), said=said.text)
    if not page.is_fragment:
        return page.go(f"{page.path('cases', record.number)}?tab=activity", said=said.text)
    told = {"HX-Trigger": orjson.dumps({"toast": {"text": said.text, "tone": said.tone}}).decode()}
    return page.render("activity/part.html", 201, told, **await part_of(page, record, Part(after=after or 0)))


@dataclass(frozen=True, slots=True)
class _Said:
    """What has become of a form, in words for whoever sent it."""

    text: str
    tone: str = GOOD


async def _say(asking: Asking, number: str, form: Form) -> _Said:
    """Carry out what a form says; resolving is a step of its own after the words.

    Raises:
        Problem: nothing was carried out, or with 503 nobody knows.
    """
    comment = comment_of(form)
    if comment.internal or form.text("then") != "resolve":
        accepted(await post_comment(number, comment, asking))
        return _Said("Internal note added." if comment.internal else "Sent.")
    fields = {name: form.text(name) for name in ("resolution_type", "root_cause", "summary") if form.text(name).strip()}
    if "resolution_type" not in fields:
        raise invalid(FieldError(field="resolution_type", message="Say in which way the case is resolved."))
    resolution = read(schemas.Resolve, {"summary": comment.body, **fields})
    if comment.body.strip() or comment.attachments:
        accepted(await post_comment(number, comment, asking))
    once = Once(asking.once.key and f"{asking.once.key}-resolve", asking.once.request_hash)
    try:
        accepted(await endpoints.resolve(number, resolution, replace(asking, once=once)))
    except Problem as problem:
        if problem.status >= UNKNOWN or not comment.body.strip():
            raise
        return _Said(f"Your reply was sent, but the case was not resolved. {problem.detail}", "wrong")
    return _Said("Sent, and the case is resolved.")


async def _refused(page: DeskPage, number: str, form: Form, problem: Problem) -> Response:
    """The form once more with what was typed; scripts, which still have that, get what was wrong alone."""
    errors = messages(problem)
    if page.is_fragment:
        return page.render("activity/refusal.html", problem.status, errors=errors)
    # Where nobody knows, the same key makes the next attempt the same request; otherwise it is a new one.
    key = form.text(KEY_FIELD) if problem.status >= UNKNOWN else ""
    view = await load_case(page, number)
    thread = form.text("in_reply_to")
    empty = composer_for(page, view.record, int(thread) if thread.isdecimal() else None)
    composer = replace(empty, form=form, errors=errors, key=key)
    activity = await activity_of(page, view.record, composer)
    return await show_case(page, view, "activity", "case/case.html", problem.status, **activity)


async def _record(page: DeskPage, number: str) -> CaseRecord:
    require(page.caller, Access.READ)
    async with page.context.database.read_as(page.caller.eyes) as session:
        return await find_case(session, page.caller, number)
