"""From the stream to deliveries: for each event, one row for each person who is to be told."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.mail import MAIL
from services.notifier.recipients import recipients
from services.notifier.story import account_admins
from shared.contracts.events import CaseEvent, domain_event
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM, NOTIFIER
from shared.db.cases import POLICIES
from shared.db.engine import Database
from shared.db.models import Case, Delivery
from shared.domain.events import Event
from shared.domain.policy import Policy, Recipient
from shared.messaging import Bus, Incoming, consume
from shared.telemetry import SpanKind, current_traceparent, span

DATABASE_DOWN: Final = (OSError, TimeoutError, PoolTimeoutError, OperationalError, InterfaceError, InternalError)
FAILED_DELIVERY: Final = "deliveries.v1.failed"
"""Subject that the dead letters of failed deliveries carry; replaying one sends the mail again."""


_POLICIES_REMEMBERED: Final = 5_000


class FailedDelivery(BaseModel):
    """What the dead letter of a delivery holds."""

    delivery: int
    case_id: uuid.UUID
    seq: int
    channel: str
    recipient: str


@dataclass(frozen=True, slots=True)
class _Told:
    """An event that people may have to be told of, and the message that it came in."""

    message: Incoming
    case_id: uuid.UUID
    cloud: CaseEvent
    event: Event


class _Policies:
    """The policies pinned to the cases told of lately; what is pinned does not change."""

    def __init__(self) -> None:
        self._known: OrderedDict[uuid.UUID, Policy] = OrderedDict()

    async def learn(self, session: AsyncSession, cases: Collection[uuid.UUID]) -> None:
        unknown = [case_id for case_id in cases if case_id not in self._known]
        if unknown:
            rows = await session.execute(select(Case.id, Case.policy).where(Case.id.in_(unknown)))
            self._known.update({row.id: POLICIES.validate_python(row.policy) for row in rows})
        while len(self._known) > max(_POLICIES_REMEMBERED, len(cases)):
            self._known.popitem(last=False)

    def of(self, case_id: uuid.UUID) -> Policy | None:
        if case_id in self._known:
            self._known.move_to_end(case_id)
        return self._known.get(case_id)


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
        self._policies = _Policies()

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
        told = [event for message in messages if (event := await self._understood(message))]
        if told:
            await self._plan(told)
        await asyncio.gather(*(message.ack() for message in messages if not message.settled))

    async def _understood(self, message: Incoming) -> _Told | None:
        """What the message tells that people may have to be told; settles those that tell nothing."""
        if message.subject == FAILED_DELIVERY:
            await self._deliver_again(message)
            return None
        try:
            cloud = CaseEvent.model_validate_json(message.data)
            event, case_id = domain_event(cloud), uuid.UUID(cloud.case_id)
        except (ValidationError, ValueError) as error:
            await message.reject(f"This is not the event of a case: {_short(error)}")
            return None
        return _Told(message, case_id, cloud, event) if event.part == 0 else None

    async def _plan(self, told: Sequence[_Told]) -> None:
        """Write down who is to be told, all in one transaction, before any of it is acknowledged."""
        async with self._database.write() as session:
            await self._policies.learn(session, {each.case_id for each in told})
            rows = [row for each in told for row in await self._deliveries(session, each)]
            if rows:
                await session.execute(insert(Delivery).on_conflict_do_nothing(), rows)
        if rows:
            self._woken()

    async def _deliveries(self, session: AsyncSession, told: _Told) -> list[dict[str, Any]]:
        policy = self._policies.of(told.case_id)
        if policy is None:
            await told.message.reject(f"case {told.case_id} is not in the database")
            return []
        case, event = told.cloud.data.case, told.event
        with span(
            "notify",
            kind=SpanKind.CONSUMER,
            parent=told.cloud.traceparent or told.message.traceparent,
            event=event.kind,
            seq=event.seq,
        ):
            everybody = Recipient.ACCOUNT_ADMINS in policy.recipients
            admins = await account_admins(session, told.case_id, case.account) if everybody else ()
            common = {"case_id": told.case_id, "seq": event.seq, "channel": MAIL, "traceparent": current_traceparent()}
            return [common | {"recipient": address} for address in recipients(event, case, policy, admins)]

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
