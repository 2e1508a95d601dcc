"""From the stream to deliveries: for each event, one row for each person and each webhook to be told."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.channels.mail import MAIL
from services.notifier.channels.webhook import WEBHOOK
from services.notifier.directory import Subscriber, admins_of, departed, staff_of, subscribers_of
from services.notifier.recipients import calls_the_desk, opened_for_somebody, recipients
from shared.contracts.events import CaseEvent, CaseSnapshot, domain_event
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM, NOTIFIER
from shared.contracts.webhooks import wants
from shared.db.cases import policy_of
from shared.db.engine import Database
from shared.db.models import Case, Delivery
from shared.domain.events import Event
from shared.domain.policy import Policy, Recipient
from shared.messaging import Bus, Incoming, consume
from shared.telemetry import SpanKind, current_traceparent, span

DATABASE_DOWN: Final = (OSError, TimeoutError, PoolTimeoutError, OperationalError, InterfaceError, InternalError)
FAILED_DELIVERY: Final = "deliveries.v1.failed"
"""Subject that the dead letters of failed deliveries carry; replaying one delivers it again."""


_POLICIES_REMEMBERED: Final = 5_000
_PINNED: Final = select(Case.id, cast(Case.policy, Text).label("policy")).where(
    Case.id == any_(bindparam("cases", type_=ARRAY(Uuid)))
)
_PLANNED: Final = insert(Delivery).on_conflict_do_nothing()


class FailedDelivery(BaseModel):
    """What the dead letter of a delivery holds."""

    delivery: int
    case_id: uuid.UUID
    seq: int
    channel: str
    recipient: str


@dataclass(frozen=True, slots=True)
class _Told:
    """An event that somebody may have to be told of, and the message that it came in."""

    message: Incoming
    case_id: uuid.UUID
    cloud: CaseEvent
    event: Event

    @property
    def case(self) -> CaseSnapshot:
        """The case right after the event."""
        return self.cloud.data.case

    @property
    def desk(self) -> str:
        """Its desk's slug."""
        return self.case.desk

    @property
    def account(self) -> tuple[str, str]:
        """The desk and the key of the account whose case it is; empty for none."""
        return self.desk, self.case.account or ""


class _Policies:
    """The policies pinned to the cases told of lately; what is pinned does not change."""

    def __init__(self) -> None:
        self._known: OrderedDict[uuid.UUID, Policy] = OrderedDict()

    async def learn(self, connection: AsyncConnection, cases: Collection[uuid.UUID]) -> None:
        unknown = [case_id for case_id in cases if case_id not in self._known]
        if unknown:
            rows = await connection.execute(_PINNED, {"cases": unknown})
            self._known.update({row.id: policy_of(row.policy) for row in rows})
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
        woken: called with how many new deliveries each channel has, once these have been committed.
    """

    def __init__(self, bus: Bus, database: Database, woken: Callable[[Counter[str]], None]) -> None:
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
        """The event that the message tells of; settles those that tell of none."""
        if message.subject == FAILED_DELIVERY:
            await self._deliver_again(message)
            return None
        try:
            cloud = CaseEvent.model_validate_json(message.data)
            event, case_id = domain_event(cloud), uuid.UUID(cloud.case_id)
        except (ValidationError, ValueError) as error:
            await message.reject(f"This is not the event of a case: {_short(error)}")
            return None
        return _Told(message, case_id, cloud, event)

    async def _plan(self, told: Sequence[_Told]) -> None:
        """Write down who is to be told, all in one transaction, before any of it is acknowledged."""
        async with self._database.transaction() as connection:
            await self._policies.learn(connection, {each.case_id for each in told})
            known = [(each, policy) for each in told if (policy := await self._policy(each))]
            people = await _people(connection, known)
            subscribers = await subscribers_of(connection, {each.desk for each in told})
            rows = [
                row
                for each, _ in known
                for row in _deliveries(each, people.get(each.cloud.id, ()), subscribers[each.desk])
            ]
            if rows:
                await connection.execute(_PLANNED, rows)
        self._woken(Counter(row["channel"] for row in rows))

    async def _policy(self, told: _Told) -> Policy | None:
        policy = self._policies.of(told.case_id)
        if policy is None:
            await told.message.reject(f"case {told.case_id} is not in the database")
        return policy

    async def _deliver_again(self, message: Incoming) -> None:
        """Somebody has replayed the dead letter of a failed delivery."""
        try:
            failed = FailedDelivery.model_validate_json(message.data)
        except ValidationError as error:
            await message.reject(f"This is not a failed delivery: {_short(error)}")
            return
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Delivery)
                .where(
                    Delivery.id == failed.delivery,
                    Delivery.status == "failed",
                    or_(Delivery.channel != WEBHOOK, Delivery.webhook_id.is_not(None)),
                )
                .values(status="pending", attempts=0, next_attempt_at=func.now())
            )
        self._woken(Counter({failed.channel: 1}))
        await message.ack()


async def _people(connection: AsyncConnection, told: Sequence[tuple[_Told, Policy]]) -> Mapping[str, Sequence[str]]:
    """Who gets a mail about what, by the event's id: of a command the first event alone, its mail tells of all."""
    firsts = [(each, policy) for each, policy in told if each.event.part == 0]
    asking = {each.account for each, policy in firsts if Recipient.ACCOUNT_ADMINS in policy.recipients}
    admins = await admins_of(connection, asking)
    calling = {
        each.desk
        for each, policy in firsts
        if calls_the_desk(each.event, each.case) or opened_for_somebody(each.case, policy)
    }
    staff = await staff_of(connection, calling)
    chosen = [
        (each, recipients(each.event, each.case, policy, admins[each.account], staff[each.desk]))
        for each, policy in firsts
    ]
    gone = await departed(connection, {(each.desk, one) for each, people in chosen for one in people})
    return {
        each.cloud.id: [one for one in people if one in each.case.cc or (each.desk, one) not in gone]
        for each, people in chosen
    }


def _deliveries(told: _Told, people: Sequence[str], subscribers: Sequence[Subscriber]) -> list[dict[str, Any]]:
    receivers: list[tuple[str, str, int | None]] = [(MAIL, address, None) for address in people]
    receivers += [(WEBHOOK, each.url, each.id) for each in subscribers if wants(each.events, told.event.kind)]
    if not receivers:
        return []
    parent = told.cloud.traceparent or told.message.traceparent
    with span("notify", kind=SpanKind.CONSUMER, parent=parent, event=told.event.kind, seq=told.event.seq):
        common = {"case_id": told.case_id, "seq": told.event.seq, "traceparent": current_traceparent()}
        return [
            common | {"channel": channel, "recipient": recipient, "webhook_id": webhook}
            for channel, recipient, webhook in receivers
        ]


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])
    return str(error)
