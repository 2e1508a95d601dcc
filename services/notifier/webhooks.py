"""Tells webhooks what is due: one request at a time to each, whatever the others are like.

A receiver may take its time, so nothing is locked and no connection to Postgres is held meanwhile. The webhook is
marked as busy until a moment by which the attempt is over; if this process dies, another goes on after that.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import nats.errors
import orjson
from nats.aio.msg import Msg
from sqlalchemy import Select, Text, cast, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.webhook import TIMEOUT_SECONDS, WEBHOOK, Attempt, WebhookChannel
from services.notifier.sender import bury_delivery
from shared.contracts.events import encode, to_cloud_event
from shared.contracts.subjects import NOTIFIER, WEBHOOK_TEST
from shared.contracts.webhooks import WebhookTest, WebhookTestResult
from shared.db.cases import policy_of
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent, Delivery, Desk, Webhook
from shared.messaging import Bus
from shared.telemetry import SpanKind, get_logger, span
from shared.telemetry.metrics import deliveries, delivery_seconds
from shared.telemetry.tracing import extract

AT_ONCE: Final = 50
"""Webhooks that one process sends to at the same time."""
_LEASE: Final = timedelta(seconds=2 * TIMEOUT_SECONDS)
_LOOK_AGAIN_SECONDS: Final = 2.0
"""Somebody may have asked for a delivery to be made again."""
_SHORTEST_PAUSE_SECONDS: Final = 0.1
_FINISH_SECONDS: Final = 10.0
_BROKEN_PAUSE_SECONDS: Final = 2.0
_ERROR_MAX: Final = 500
_GONE: Final = "its receiver answered 410 Gone"

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """A delivery that is to be made now, by nobody else."""

    webhook: int
    url: str
    secret: str
    delivery: int
    attempt: int
    message_id: str
    body: bytes
    traceparent: str | None


class WebhookSender:
    """Makes the deliveries to webhooks. Any number of processes may do so at once.

    Args:
        database: where deliveries are.
        bus: where dead letters go, and tests are asked for.
        channel: connections to receivers.
        retry_seconds: pauses between attempts; after the last one a delivery has failed.
    """

    def __init__(
        self, database: Database, bus: Bus, channel: WebhookChannel, *, retry_seconds: Sequence[float]
    ) -> None:
        self._database = database
        self._bus = bus
        self._channel = channel
        self._retry_seconds = retry_seconds
        self._new = asyncio.Event()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There are new deliveries."""
        self._new.set()

    async def run(self) -> None:
        """Until cancelled; what is on its way then is still waited for and recorded."""
        tests = await self._bus.nc.subscribe(WEBHOOK_TEST, queue=NOTIFIER, cb=self._on_test)
        try:
            while True:
                await self._free.acquire()
                self._new.clear()
                if claim := await self._next():
                    self._start(self._deliver(claim))
                else:
                    self._free.release()
                    await self._idle()
        finally:
            with suppress(nats.errors.Error):
                await tests.unsubscribe()
            if self._sending:
                _, late = await asyncio.wait(self._sending, timeout=_FINISH_SECONDS)
                for task in late:
                    task.cancel()
            await self._channel.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._free.release()
        self._new.set()  # its webhook is free again

    async def _next(self) -> _Claim | None:
        try:
            async with self._database.write() as session:
                return await _claim(session)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("webhooks wait for the database", error=repr(error))
            await asyncio.sleep(_BROKEN_PAUSE_SECONDS)
            return None

    async def _idle(self) -> None:
        """Wait for a new delivery or for the next that falls due."""
        try:
            async with self._database.read() as session:
                due_in = await session.scalar(
                    select(func.extract("epoch", func.min(Delivery.next_attempt_at) - func.now())).where(
                        Delivery.webhook_id.is_not(None),
                        Delivery.status == "pending",
                        Delivery.next_attempt_at > func.now(),
                    )
                )
        except (SQLAlchemyError, OSError):
            due_in = None
        pause = _LOOK_AGAIN_SECONDS if due_in is None else min(float(due_in), _LOOK_AGAIN_SECONDS)
        try:
            async with asyncio.timeout(max(pause, _SHORTEST_PAUSE_SECONDS)):
                await self._new.wait()
        except TimeoutError:
            return

    async def _deliver(self, claim: _Claim) -> None:
        with span("webhook send", kind=SpanKind.CLIENT, parent=claim.traceparent, attempt=claim.attempt) as current:
            attempt = await self._channel.post(claim.url, claim.secret, claim.message_id, claim.body)
            try:
                async with self._database.write() as session:
                    outcome = await self._recorded(session, claim, attempt)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("outcome not recorded; it is sent again", delivery=claim.delivery, error=repr(error))
                outcome = "retried"
            current.set_attribute("outcome", outcome)
        deliveries.labels(WEBHOOK, outcome).inc()
        delivery_seconds.labels(WEBHOOK).observe(attempt.duration_ms / 1000)

    async def _recorded(self, session: AsyncSession, claim: _Claim, attempt: Attempt) -> str:
        """Write down how the attempt went, and let others send to the webhook again."""
        webhook = await session.get(Webhook, claim.webhook, with_for_update={"key_share": True})
        if webhook is not None:
            webhook.busy_until = None
            _note(webhook, attempt)
        delivery = await session.get(Delivery, claim.delivery, with_for_update=True)
        if delivery is None or delivery.status != "pending":
            return "cancelled"
        delivery.response_status, delivery.duration_ms = attempt.status, attempt.duration_ms
        if attempt.error is None:
            delivery.status, delivery.sent_at, delivery.error = "sent", datetime.now(UTC), None
            return "sent"
        if attempt.gone and webhook is not None:
            webhook.disabled_at = datetime.now(UTC)
            await session.flush()
            await cancel_pending(session, webhook.id, _GONE)
            return "cancelled"
        return await self._later(delivery, attempt.error)

    async def _later(self, delivery: Delivery, error: str) -> str:
        if delivery.attempts > len(self._retry_seconds):
            reason = f"given up after {delivery.attempts} attempts; the last: {error}"
            try:
                await bury_delivery(self._bus, delivery, reason)
            except nats.errors.Error as failure:
                error = f"{reason} (dead letter not written: {failure!r})"
            else:
                delivery.status, delivery.error = "failed", reason[:_ERROR_MAX]
                return "failed"
        pause = self._retry_seconds[min(delivery.attempts, len(self._retry_seconds)) - 1] if self._retry_seconds else 5
        delivery.next_attempt_at = datetime.now(UTC) + timedelta(seconds=pause)
        delivery.error = error[:_ERROR_MAX]
        return "retried"

    async def _on_test(self, message: Msg) -> None:
        await self._free.acquire()
        self._start(self._test(message))

    async def _test(self, message: Msg) -> None:
        with span("webhook test", kind=SpanKind.SERVER, parent=extract(message.headers)):
            try:
                result = await self._tested(WebhookTest.model_validate_json(message.data).webhook)
            except (ValueError, SQLAlchemyError, OSError) as error:
                _log.warning("test of a webhook not made", error=repr(error))
                return  # whoever asks is told that no answer came
            await message.respond(result.model_dump_json().encode())

    async def _tested(self, webhook_id: int) -> WebhookTestResult:
        async with self._database.read() as session:
            webhook = await session.get(Webhook, webhook_id)
            desk = await session.get(Desk, webhook.desk_id) if webhook else None
        if webhook is None or desk is None:
            return WebhookTestResult(delivered=False, error="the webhook was removed")
        event = _ping(desk.slug, webhook_id)
        attempt = await self._channel.post(webhook.url, webhook.secret, event["id"], orjson.dumps(event))
        async with self._database.write() as session:
            kept = await session.get(Webhook, webhook_id, with_for_update={"key_share": True})
            if kept is not None:
                _note(kept, attempt)
                kept.disabled_at = kept.disabled_at if attempt.error else None
        return WebhookTestResult(
            delivered=attempt.error is None,
            response_status=attempt.status,
            duration_ms=attempt.duration_ms,
            error=attempt.error,
        )


def _note(webhook: Webhook, attempt: Attempt) -> None:
    now = datetime.now(UTC)
    if attempt.error is None:
        webhook.last_success_at, webhook.last_error = now, None
    else:
        webhook.last_failure_at, webhook.last_error = now, attempt.error[:_ERROR_MAX]


async def cancel_pending(session: AsyncSession, webhook_id: int, reason: str) -> None:
    """Take back what a webhook has not been told."""
    await session.execute(
        update(Delivery)
        .where(Delivery.webhook_id == webhook_id, Delivery.status == "pending")
        .values(status="cancelled", error=reason)
    )


_DUE = (Delivery.status == "pending", Delivery.next_attempt_at <= func.now())


def _free_webhook() -> Select[Webhook]:
    """Of those for whom something is due, the one that has waited longest for its turn."""
    return (
        select(Webhook)
        .where(
            Webhook.disabled_at.is_(None),
            or_(Webhook.busy_until.is_(None), Webhook.busy_until < func.now()),
            exists().where(Delivery.webhook_id == Webhook.id, *_DUE),
        )
        .order_by(func.greatest(Webhook.last_success_at, Webhook.last_failure_at).nulls_first(), Webhook.id)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True)
    )


async def _claim(session: AsyncSession) -> _Claim | None:
    webhook = await session.scalar(_free_webhook())
    if webhook is None:
        return None
    found = await session.execute(
        select(Delivery, CaseEvent, Case.number, cast(Case.policy, Text), Desk.slug, Desk.key)
        .join(CaseEvent, (CaseEvent.case_id == Delivery.case_id) & (CaseEvent.seq == Delivery.seq))
        .join(Case, Case.id == Delivery.case_id)
        .join(Desk, Desk.id == Case.desk_id)
        .where(Delivery.webhook_id == webhook.id, *_DUE)
        .order_by(Delivery.id)
        .limit(1)
    )
    row = found.one_or_none()
    if row is None:
        return None
    delivery, event, number, policy, slug, key = row
    delivery.attempts += 1
    webhook.busy_until = func.now() + _LEASE
    told = to_cloud_event(
        desk=slug,
        desk_key=key,
        number=number,
        case_id=str(event.case_id),
        policy=policy_of(policy),
        snapshot=event.snapshot or {},
        **{
            name: getattr(event, name)
            for name in ("kind", "seq", "at", "actor", "command_id", "command", "part", "data", "traceparent")
        },
    )
    return _Claim(
        webhook=webhook.id,
        url=webhook.url,
        secret=webhook.secret,
        delivery=delivery.id,
        attempt=delivery.attempts,
        message_id=told.id,
        body=encode(told),
        traceparent=delivery.traceparent,
    )


def _ping(desk: str, webhook: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"ping:{uuid.uuid4()}",
        "source": f"/desks/{desk}",
        "type": "casebound.ping.v1",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"webhook": webhook},
    }
