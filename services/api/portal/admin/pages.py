"""How a desk is set up, to be read; and its webhooks and dead letters, which can be tried again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import func, select

from services.api.authorisation import Access, may, require
from services.api.dead_letters.endpoints import LetterId, replay_once
from services.api.dead_letters.records import NEWEST, dead_letters_of
from services.api.portal.admin.calendar import calendar_of
from services.api.portal.admin.policy_words import explained
from services.api.portal.forms import FormHere, accepted, messages
from services.api.portal.overview.charts import on_day
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import Problem
from services.api.setup.endpoints import exported
from services.api.setup.people import people_of
from services.api.setup.schemas import CompanyOut, PeopleOut
from services.api.webhooks.endpoints import DeliveryId, WebhookId, replayed, tested
from services.api.webhooks.records import deliveries_of, must_exist, webhooks_of
from services.api.webhooks.schemas import DeliveryStatus
from shared.db.models import Case, DeskPolicy
from shared.desks import SCOPES
from shared.domain.case import Status

router = APIRouter(prefix="/desks/{desk}/admin")

_DELIVERIES: Final = 50
_ACCOUNTS_SHOWN: Final = 100


@router.get("")
async def get_policy(page: DeskPageHere) -> Response:
    """The policy in force, in words."""
    require(page.caller, Access.SETUP)
    desk = page.caller.desk
    since = select(DeskPolicy.created_at).where(
        DeskPolicy.desk_id == desk.id, DeskPolicy.version == desk.policy_version
    )
    older = select(func.count()).where(
        Case.desk_id == desk.id,
        Case.status != Status.CLOSED,
        Case.policy_version != desk.policy_version,
    )
    async with page.context.database.read_as(page.caller.eyes) as session:
        begun, kept = await session.scalar(since), await session.scalar(older)
    return _render(page, "policy", chapters=explained(desk.profile, desk.policy), since=begun, older=kept)


@router.get("/calendar")
async def get_calendar(page: DeskPageHere) -> Response:
    """When the desk works, and where windows end."""
    require(page.caller, Access.SETUP)
    now = datetime.now(UTC)
    calendar = await asyncio.to_thread(calendar_of, page.caller.desk, now)  # the first one loads lists of holidays
    return _render(page, "calendar", calendar=calendar, now=now, on_day=partial(on_day, page.reader))


@router.get("/people")
async def get_people(page: DeskPageHere, q: str = "") -> Response:
    """Staff, accounts and services, narrowed to those with these words."""
    require(page.caller, Access.SETUP)
    async with page.context.database.read_as(page.caller.eyes) as session:
        people = await people_of(session, page.caller.desk)
    found = _with_words(people, q.strip().casefold())
    return _render(page, "people", people=found, q=q, shown=_ACCOUNTS_SHOWN, scopes=SCOPES)


@router.get("/webhooks")
async def get_webhooks(page: DeskPageHere) -> Response:
    """The desk's webhooks and how they are."""
    require(page.caller, Access.WEBHOOKS)
    return await _webhooks(page)


@router.post("/webhooks/{webhook}/test")
async def post_test(webhook: WebhookId, page: DeskPageHere, form: FormHere) -> Response:
    """Send a test, and say how that went."""
    try:
        result = accepted(await tested(form.asking(page), webhook))
    except Problem as problem:
        return await _webhooks(page, problem)
    if result["delivered"]:
        said = f"The test has arrived: the receiver answered {result['response_status']} in {result['duration_ms']} ms."
    else:
        said = f"The test has not arrived: {result['error']}."
    return page.go(page.path("admin", "webhooks"), said=said)


@router.get("/webhooks/{webhook}")
async def get_deliveries(
    webhook: WebhookId,
    page: DeskPageHere,
    status: DeliveryStatus | None = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> Response:
    """What a webhook was told."""
    require(page.caller, Access.WEBHOOKS)
    async with page.context.database.read_as(page.caller.eyes) as session:
        await must_exist(session, page.caller, webhook)
        hook = next(each for each in await webhooks_of(session, page.caller) if each.id == webhook)
        items = await deliveries_of(session, webhook, before=before, limit=_DELIVERIES, status=status)
    older = items[-1].id if len(items) == _DELIVERIES else None
    return _render(page, "deliveries", "webhooks", hook=hook, items=items, chosen=status, older=older)


@router.post("/webhooks/{webhook}/deliveries/{delivery}/replay")
async def post_delivery(webhook: WebhookId, delivery: DeliveryId, page: DeskPageHere, form: FormHere) -> Response:
    """Have a delivery made again."""
    accepted(await replayed(form.asking(page), webhook, delivery))
    return page.go(page.path("admin", "webhooks", webhook), said="It will be delivered again in a moment.")


@router.get("/dead-letters")
async def get_dead_letters(page: DeskPageHere) -> Response:
    """What the services behind the desk gave up on."""
    require(page.caller, Access.DEAD_LETTERS)
    return await _dead_letters(page)


@router.post("/dead-letters/{letter}/replay")
async def post_dead_letter(letter: LetterId, page: DeskPageHere, form: FormHere) -> Response:
    """Give a dead letter back to the service that gave up on it."""
    try:
        done = accepted(await replay_once(form.asking(page), letter))
    except Problem as problem:
        if problem.status == 403:
            raise
        return await _dead_letters(page, problem)
    return page.go(page.path("admin", "dead-letters"), said=f"Given back to the {done['consumer']}, which tries again.")


@router.get("/desk-file")
async def get_desk_file(page: DeskPageHere) -> Response:
    """The desk file that would make the desk as it is."""
    require(page.caller, Access.SETUP)
    return _render(page, "desk_file", "desk-file", content=await exported(page.context, page.caller))


async def _webhooks(page: DeskPage, problem: Problem | None = None) -> Response:
    require(page.caller, Access.WEBHOOKS)
    async with page.context.database.read_as(page.caller.eyes) as session:
        hooks = await webhooks_of(session, page.caller)
    return _render(page, "webhooks", hooks=hooks, problem=problem)


async def _dead_letters(page: DeskPage, problem: Problem | None = None) -> Response:
    try:
        letters = await dead_letters_of(page.context, page.caller)
    except Problem as away:
        letters, problem = [], away
    return _render(page, "dead_letters", "dead-letters", letters=letters, most=NEWEST, problem=problem)


def _render(page: DeskPage, template: str, tab: str = "", problem: Problem | None = None, **values: Any) -> Response:
    return page.render(
        f"admin/{template}.html",
        problem.status if problem else 200,
        tab=tab or template,
        trouble=messages(problem)[""] if problem else "",
        tabs=_tabs(page),
        **values,
    )


def _tabs(page: DeskPage) -> list[tuple[str, str, str, None]]:
    pages = (
        ("policy", "Policy", (), Access.SETUP),
        ("calendar", "Calendar", ("calendar",), Access.SETUP),
        ("people", "People", ("people",), Access.SETUP),
        ("webhooks", "Webhooks", ("webhooks",), Access.WEBHOOKS),
        ("dead-letters", "Dead letters", ("dead-letters",), Access.DEAD_LETTERS),
        ("desk-file", "Desk file", ("desk-file",), Access.SETUP),
    )
    return [
        (name, label, page.path("admin", *parts), None)
        for name, label, parts, access in pages
        if may(page.caller, access)
    ]


def _with_words(people: PeopleOut, words: str) -> PeopleOut:
    def fits(*texts: str) -> bool:
        return any(words in text.casefold() for text in texts)

    def narrowed(account: CompanyOut) -> CompanyOut | None:
        members = [member for member in account.members if fits(member.name, member.email)]
        if fits(account.name, account.key):
            return account
        return account.model_copy(update={"members": members}) if members else None

    return PeopleOut(
        staff=[person for person in people.staff if fits(person.name, person.email, person.role)],
        accounts=[found for account in people.accounts if (found := narrowed(account))],
        services=[service for service in people.services if fits(service.name, *service.scopes)],
    )
