"""Reading webhooks and their deliveries."""

from __future__ import annotations

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import defer

from services.api.callers import Caller
from services.api.problems import not_found
from services.api.webhooks.schemas import DeliveryOut, DeliveryStatus, State, WebhookOut
from shared.contracts.events import event_id
from shared.db.models import Case, CaseEvent, Delivery, Webhook
from shared.db.viewed import Sight


async def webhooks_of(session: Sight, caller: Caller) -> list[WebhookOut]:
    """Those of the caller's desk."""
    pending = (
        select(func.count())
        .where(Delivery.webhook_id == Webhook.id, Delivery.status == "pending")
        .correlate(Webhook)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Webhook, pending)
        .where(Webhook.desk_id == caller.desk.id)
        .order_by(Webhook.url)
        .options(defer(Webhook.secret, raiseload=True))
    )
    return [
        WebhookOut(
            id=webhook.id,
            url=webhook.url,
            events=webhook.events,
            state=_state(webhook),
            pending=count,
            last_success_at=webhook.last_success_at,
            last_failure_at=webhook.last_failure_at,
            last_error=webhook.last_error,
        )
        for webhook, count in rows
    ]


def _state(webhook: Webhook) -> State:
    if webhook.disabled_at:
        return "disabled"
    return "failing" if webhook.last_error else "active"


async def must_exist(session: Sight, caller: Caller, webhook: int) -> None:
    """Make sure that the webhook is one of the caller's desk.

    Raises:
        Problem: 404.
    """
    query = select(Webhook.id).where(Webhook.id == webhook, Webhook.desk_id == caller.desk.id)
    if await session.scalar(query) is None:
        raise not_found(f"webhook {webhook} on this desk")


async def deliveries_of(
    session: Sight, webhook: int, *, before: int | None, limit: int, status: DeliveryStatus | None
) -> list[DeliveryOut]:
    """Newest first."""
    query = _deliveries(webhook).order_by(Delivery.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Delivery.id < before)
    if status is not None:
        query = query.where(Delivery.status == status)
    return [_told(*row) for row in await session.execute(query)]


async def replay(session: Sight, webhook: int, delivery: int) -> DeliveryOut:
    """Have a delivery made again, whatever became of it, as if it were new.

    Raises:
        Problem: 404 for one that is not the webhook's.
    """
    await session.execute(
        update(Delivery)
        .where(Delivery.id == delivery, Delivery.webhook_id == webhook)
        .values(status="pending", attempts=0, next_attempt_at=func.now(), sent_at=None, error=None)
    )
    row = (await session.execute(_deliveries(webhook).where(Delivery.id == delivery))).one_or_none()
    if row is None:
        raise not_found(f"delivery {delivery} to this webhook")
    return _told(*row)


def _deliveries(webhook: int) -> Select[Delivery, str, int]:
    return (
        select(Delivery, CaseEvent.kind, Case.number)
        .join(CaseEvent, (CaseEvent.case_id == Delivery.case_id) & (CaseEvent.seq == Delivery.seq))
        .join(Case, Case.id == Delivery.case_id)
        .where(Delivery.webhook_id == webhook)
    )


def _told(delivery: Delivery, kind: str, number: int) -> DeliveryOut:
    return DeliveryOut.model_validate(
        {
            "id": delivery.id,
            "event_id": event_id(str(delivery.case_id), delivery.seq),
            "event": kind,
            "case": number,
            "status": delivery.status,
            "attempts": delivery.attempts,
            "response_status": delivery.response_status,
            "duration_ms": delivery.duration_ms,
            "error": delivery.error,
            "next_attempt_at": delivery.next_attempt_at if delivery.status == "pending" else None,
            "created_at": delivery.created_at,
            "sent_at": delivery.sent_at,
        }
    )
