"""From the stream to deliveries: for each event, one row for each person who is to be told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.notifier.channels.mail import MAIL
from services.notifier.recipients import recipients
from services.notifier.story import NoSuchEventError, account_admins, load_story
from shared.contracts.events import CaseEvent
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM, NOTIFIER
from shared.db.engine import Database
from shared.db.models import Delivery
from shared.messaging import Bus, Incoming, consume
from shared.telemetry import SpanKind, current_traceparent, span

DATABASE_DOWN: Final = (OSError, TimeoutError, PoolTimeoutError, OperationalError, InterfaceError, InternalError)
FAILED_DELIVERY: Final = "deliveries.v1.failed"
"""Subject that the dead letters of failed deliveries carry; replaying one sends the mail again."""


class FailedDelivery(BaseModel):
    """What the dead letter of a delivery holds."""

    delivery: int
    case_id: uuid.UUID
    seq: int
    channel: str
    recipient: str


class Intake:
    """Takes events in.

    Args:
        bus: where from.
        database: where deliveries are kept.
        woken: called after new deliveries have been committed.
    """

    def __init__(self, bus: Bus, database: Database, woken: Callable[[], None]) -> None:
        self._bus = bus
        self._database = database
        self._woken = woken

    async def run(self) -> None:
        """Until cancelled."""
        await consume(
            self._bus,
            stream=CASES_STREAM,
            durable=NOTIFIER,
            filter_subject=ALL_CASE_EVENTS,
            handle=self._handle,
            max_wait=0,
            wait_out=DATABASE_DOWN,
        )

    async def _handle(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            if message.subject == FAILED_DELIVERY:
                await self._deliver_again(message)
            else:
                await self._take(message)

    async def _take(self, message: Incoming) -> None:
        try:
            event = CaseEvent.model_validate_json(message.data)
            case_id = uuid.UUID(event.case_id)
        except (ValidationError, ValueError) as error:
            await message.reject(f"This is not the event of a case: {_short(error)}")
            return
        if event.data.part == 0:
            with span(
                "notify",
                kind=SpanKind.CONSUMER,
                parent=event.traceparent or message.traceparent,
                event=event.kind,
                seq=event.data.seq,
            ):
                try:
                    await self._plan(case_id, event.data.seq)
                except NoSuchEventError as error:
                    await message.reject(str(error))
                    return
        await message.ack()

    async def _plan(self, case_id: uuid.UUID, seq: int) -> None:
        async with self._database.write() as session:
            story = await load_story(session, case_id, seq)
            admins = await account_admins(session, case_id, story.state.account)
            rows = [
                {
                    "case_id": case_id,
                    "seq": seq,
                    "channel": MAIL,
                    "recipient": address,
                    "traceparent": current_traceparent(),
                }
                for address in recipients(story.told, story.state, story.policy, admins)
            ]
            if rows:
                await session.execute(insert(Delivery).on_conflict_do_nothing(), rows)
        if rows:
            self._woken()

    async def _deliver_again(self, message: Incoming) -> None:
        """Somebody has replayed the dead letter of a failed delivery."""
        try:
            failed = FailedDelivery.model_validate_json(message.data)
        except ValidationError as error:
            await message.reject(f"This is not a failed delivery: {_short(error)}")
            return
        async with self._database.write() as session:
            await session.execute(
                update(Delivery)
                .where(Delivery.id == failed.delivery, Delivery.status == "failed")
                .values(status="pending", attempts=0, next_attempt_at=func.now())
            )
        self._woken()
        await message.ack()


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])
    return str(error)
