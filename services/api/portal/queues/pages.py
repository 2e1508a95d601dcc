"""The agent's desk: queues, what is in them, and handing cases out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.api.authorisation import Access, require
from services.api.cases.listing import list_cases
from services.api.portal.case.view import staff_of
from services.api.portal.cases.listing import known_event
from services.api.portal.cases.pages import EVENT
from services.api.portal.desks.pages import local
from services.api.portal.forms import FormHere
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.portal.queues.catalogue import Queue, find_queue, queues_for
from services.api.portal.queues.handing_out import HandedOut, hand_out, told
from services.api.portal.queues.next import AFTER_SENDING, QUEUE, goes_on
from services.api.portal.queues.rows import queued
from services.api.problems import Problem, not_found
from shared.contracts.search import After
from shared.domain.policy import IMPACTS, Urgency

router = APIRouter()

PageNumber = Annotated[int, Query(ge=1, le=1_000)]
_NEXT: Final = "next"


@router.get("/desks/{desk}/queues")
async def get_queue_counts(page: DeskPageHere) -> Response:
    """The queues with how many cases each has: what the side bar fetches; without script, the first of them."""
    queues = _queues(page)
    if not page.is_fragment:
        return page.go(page.path("queues", queues[0].name))
    after = await _heard_of(page)
    queries = [queue.query(page.least_filters, page_size=1) for queue in queues]
    found = await asyncio.gather(*(list_cases(page.context, page.caller, query, after) for query in queries))
    counts = {queue.name: answer.total for queue, answer in zip(queues, found, strict=True)}
    here = page.request.headers.get("HX-Current-URL", "").partition("?")[0]
    return page.render("queues/side.html", counts=counts, here=here)


@router.get("/desks/{desk}/queues/{queue}")
async def get_queue(queue: str, page: DeskPageHere, number: Annotated[PageNumber, Query(alias="page")] = 1) -> Response:
    """A queue, or its rows alone."""
    chosen = _queue(page, queue)
    template = "queues/part.html" if page.is_fragment else "queues/queue.html"
    answer = page.render(template, **await _shown(page, chosen, number))
    page.remember(answer, QUEUE, f"{page.caller.desk.slug}/{chosen.name}")
    return answer


@router.post("/desks/{desk}/queues/{queue}")
async def post_queue(queue: str, page: DeskPageHere, form: FormHere) -> Response:
    """Take or assign the cases that are chosen."""
    chosen = _queue(page, queue)
    try:
        out = await hand_out(page, form)
        said, tone = told(page, form, out, await staff_of(page)), "wrong" if out.refused else "good"
    except Problem as problem:
        if problem.status not in (422, 503) or not page.is_fragment:
            raise
        out, said, tone = HandedOut(), problem.detail, "wrong"
    if not page.is_fragment:
        return page.go(page.path("queues", chosen.name), said=said)
    headers = {"HX-Trigger": orjson.dumps({"toast": {"text": said, "tone": tone}}).decode()}
    return page.render("queues/part.html", headers=headers, **await _shown(page, chosen, 1, out.seq))


@router.post("/desks/{desk}/habits/after-sending")
async def post_after_sending(page: DeskPageHere, form: FormHere) -> Response:
    """Where one is once a reply is sent: at the next case, or still at this one; a script keeps that itself."""
    goes_to_next = form.text(AFTER_SENDING) == _NEXT
    answer = page.go(local(form.text("next")) or page.path("queues"))
    page.remember(answer, AFTER_SENDING, _NEXT if goes_to_next else "stay", for_scripts=True)
    return answer


async def _shown(page: DeskPage, queue: Queue, number: int, after_seq: int | None = None) -> dict[str, Any]:
    after = await _heard_of(page)
    found, staff = await asyncio.gather(queued(page, queue, number, after, after_seq), staff_of(page))
    desk = page.caller.desk
    urgencies = {Urgency.SEVERITY: desk.severities, Urgency.IMPACT: list(IMPACTS)}.get(desk.policy.urgency, [])
    return {
        "queue": queue,
        "queued": found,
        "staff": staff,
        "urgencies": urgencies,
        "goes_on": goes_on(page),
    }


async def _heard_of(page: DeskPage) -> After | None:
    """The event because of which a script asks: what it is answered is to know it."""
    return await known_event(page, page.request.headers.get(EVENT, ""))


def _queues(page: DeskPage) -> tuple[Queue, ...]:
    require(page.caller, Access.LIST)
    queues = queues_for(page.caller)
    if not queues:
        raise not_found("queue for you on this desk")
    return queues


def _queue(page: DeskPage, name: str) -> Queue:
    queue = find_queue(page.caller, name)
    if queue is None:
        raise not_found(f"queue «{name[:40]}» for you on this desk")
    return queue
