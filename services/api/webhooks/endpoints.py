"""What the desk's webhooks have been told: for its leads and admins. Which there are, the desk file says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import nats.errors
from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from services.api.answers import Answer, Json
from services.api.auth import CallerHere
from services.api.authorisation import Access, require
from services.api.commands import Asking, AskingHere, unavailable
from services.api.context import Context, Ctx
from services.api.idempotency import claim, keep
from services.api.problems import documented
from services.api.webhooks.records import deliveries_of, must_exist, replay, webhooks_of
from services.api.webhooks.schemas import DeliveryList, DeliveryOut, DeliveryStatus, TestOut, WebhookList
from shared.contracts.subjects import WEBHOOK_TEST
from shared.contracts.webhooks import WebhookTest, WebhookTestResult
from shared.telemetry.tracing import inject

TEST_SECONDS: Final = 25.0
"""Longer than a receiver may take."""

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

WebhookId = Annotated[int, Path(ge=1, lt=2**31, description="From the list of webhooks.")]
DeliveryId = Annotated[int, Path(ge=1, lt=2**63, description="From the list of deliveries.")]


@router.get("", response_model=WebhookList, responses=documented(401, 403, 404, 503))
async def get_webhooks(caller: CallerHere, context: Ctx) -> JSONResponse:
    """List the desk's webhooks and how they are. For leads and admins."""
    require(caller, Access.WEBHOOKS)
    async with context.database.read_as(caller.eyes) as session:
        found = WebhookList(items=await webhooks_of(session, caller))
    return Json(found)


@router.get("/{webhook}/deliveries", response_model=DeliveryList, responses=documented(401, 403, 404, 422, 503))
async def get_deliveries(
    *,
    webhook: WebhookId,
    caller: CallerHere,
    context: Ctx,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="Only deliveries older than this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    status: DeliveryStatus | None = None,
) -> JSONResponse:
    """List what a webhook has been told, newest first. For leads and admins."""
    require(caller, Access.WEBHOOKS)
    async with context.database.read_as(caller.eyes) as session:
        await must_exist(session, caller, webhook)
        items = await deliveries_of(session, webhook, before=before, limit=limit, status=status)
    page = DeliveryList(items=items, before=items[-1].id if len(items) == limit else None)
    return Json(page)


@router.post(
    "/{webhook}/deliveries/{delivery}/replay",
    response_model=DeliveryOut,
    responses=documented(401, 403, 404, 422, 503),
)
async def post_replay(webhook: WebhookId, delivery: DeliveryId, asking: AskingHere) -> JSONResponse:
    """Have a delivery made again, with the same `webhook-id`. For leads and admins."""
    return (await replayed(asking, webhook, delivery)).response()


async def replayed(asking: Asking, webhook: int, delivery: int) -> Answer:
    """Have a delivery made again, once for each key.

    Raises:
        Problem: 403 or 404.
    """

    async def act() -> Answer:
        async with asking.context.database.write_as(asking.caller.eyes) as session:
            told = await replay(session, webhook, delivery)
        return Answer(200, told.model_dump(mode="json"))

    return await _once(asking, webhook, act)


@router.post("/{webhook}/test", response_model=TestOut, responses=documented(401, 403, 404, 422, 503))
async def post_test(webhook: WebhookId, asking: AskingHere) -> JSONResponse:
    """Send a `casebound.ping.v1` to a webhook now, once; the answer says how that went. For leads and admins."""
    return (await tested(asking, webhook)).response()


async def tested(asking: Asking, webhook: int) -> Answer:
    """Send a test to a webhook, once for each key.

    Raises:
        Problem: 403 or 404, or 503 while no notifier answers.
    """

    async def act() -> Answer:
        result = await _tested(asking.context, webhook)
        return Answer(200, result.model_dump())

    return await _once(asking, webhook, act)


async def _once(asking: Asking, webhook: int, act: Callable[[], Awaitable[Answer]]) -> Answer:
    require(asking.caller, Access.WEBHOOKS)
    database = asking.context.database
    async with database.transaction_as(asking.caller.eyes) as connection:
        await must_exist(connection, asking.caller, webhook)
        ticket = await claim(connection, asking.caller, asking.once)
    if isinstance(ticket, Answer):
        return ticket
    return await keep(database, asking.caller, asking.once, await act())


async def _tested(context: Context, webhook: int) -> WebhookTestResult:
    bus = context.nats.bus
    question = WebhookTest(webhook=webhook).model_dump_json().encode()
    if bus is not None:
        try:
            answer = await bus.nc.request(WEBHOOK_TEST, question, timeout=TEST_SECONDS, headers=inject())
            return WebhookTestResult.model_validate_json(answer.data)
        except nats.errors.Error:
            pass
    raise unavailable("The notifier, which sends to webhooks, does not answer. Try again later.")
