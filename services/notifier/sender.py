"""Sends what is due: one delivery, one transaction, at most one successful attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.port import Channel, PermanentFailureError, TemporaryFailureError
from services.notifier.intake import DATABASE_DOWN, FAILED_DELIVERY, FailedDelivery
from shared.contracts.subjects import NOTIFIER
from shared.db.engine import Database
from shared.db.models import Delivery
from shared.messaging import Bus, bury
from shared.processes import stop_if_cancelled
from shared.telemetry import SpanKind, get_logger, span
from shared.telemetry.metrics import deliveries, delivery_seconds

RETRY_SECONDS: Final = (5, 30, 120, 600, 3600, 3600, 7200, 14400, 28800, 28800)
"""Pauses after the first, second, … attempt that failed: about a day in all."""
WORKERS: Final = 4
_LOOK_AGAIN_SECONDS: Final = 5.0
"""Another notifier may have died over rows that it had locked."""
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_FINISH_SECONDS: Final = 10.0
_BROKEN_PAUSE_SECONDS: Final = 2.0
_ERROR_MAX: Final = 500

_log = get_logger(__name__)


class Sender:
    """Sends due deliveries. Any number of processes may do so at once: a row is locked while it is being sent.

    Args:
        database: where deliveries are.
        bus: where dead letters go.
        channels: makes one worker's channels; each worker has connections of its own.
        retry_seconds: pauses between attempts; after the last one a delivery has failed.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        channels: Callable[[], Sequence[Channel]],
        *,
        retry_seconds: Sequence[float],
    ) -> None:
        self._database = database
        self._bus = bus
        self._channels = channels
        self._retry_seconds = retry_seconds
        self._new = asyncio.Event()

    def wake(self) -> None:
        """There are new deliveries."""
        self._new.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work({channel.name: channel for channel in self._channels()}))

    async def _work(self, channels: Mapping[str, Channel]) -> None:
        try:
            while True:
                try:
                    if await _finishing(self._send_one(channels)):
                        continue
                    for channel in channels.values():
                        await channel.rest()
                    stop_if_cancelled()
                    await self._idle(channels)
                except (SQLAlchemyError, OSError) as error:
                    _log.warning("deliveries wait for the database", error=repr(error))
                    await asyncio.sleep(_BROKEN_PAUSE_SECONDS)
        finally:
            for channel in channels.values():
                await channel.rest()

    async def _idle(self, channels: Mapping[str, Channel]) -> None:
        """Wait for a new delivery or for the next that falls due."""
        self._new.clear()
        async with self._database.read() as session:
            due_in = await session.scalar(
                select(func.extract("epoch", func.min(Delivery.next_attempt_at) - func.now())).where(
                    Delivery.status == "pending", Delivery.channel.in_(channels)
                )
            )
        pause = (
            _LOOK_AGAIN_SECONDS
            if due_in is None
            else min(max(float(due_in), _SHORTEST_PAUSE_SECONDS), _LOOK_AGAIN_SECONDS)
        )
        try:
            async with asyncio.timeout(pause):
                await self._new.wait()
        except TimeoutError:
            return

    async def _send_one(self, channels: Mapping[str, Channel]) -> bool:
        """Try one delivery that is due; False if there is none."""
        picked: list[Delivery] = []
        try:
            return await self._pick_and_send(channels, picked)
        except DATABASE_DOWN:
            raise
        except SQLAlchemyError as error:
            if not picked:
                raise
            await self._set_aside(picked[0].id, error)
            return True

    async def _set_aside(self, delivery: int, error: SQLAlchemyError) -> None:
        """The database refused something about this very delivery: it must not hold up the others."""
        _log.error("delivery could not be recorded", delivery=delivery, error=repr(error))
        async with self._database.write() as session:
            await session.execute(
                update(Delivery)
                .where(Delivery.id == delivery)
                .values(next_attempt_at=func.now() + timedelta(hours=1), error=repr(error)[:_ERROR_MAX])
            )

    async def _pick_and_send(self, channels: Mapping[str, Channel], picked: list[Delivery]) -> bool:
        async with self._database.write() as session:
            delivery = await session.scalar(
                select(Delivery)
                .where(
                    Delivery.status == "pending",
                    Delivery.next_attempt_at <= func.now(),
                    Delivery.channel.in_(channels),
                )
                .order_by(Delivery.next_attempt_at, Delivery.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if delivery is None:
                return False
            picked.append(delivery)
            channel = channels[delivery.channel]
            with span(
                f"{delivery.channel} send",
                kind=SpanKind.CLIENT,
                parent=delivery.traceparent,
                seq=delivery.seq,
                attempt=delivery.attempts + 1,
            ) as current:
                outcome = await self._attempt(session, channel, delivery)
                current.set_attribute("outcome", outcome)
        deliveries.labels(channel.name, outcome).inc()
        return True

    async def _attempt(self, session: AsyncSession, channel: Channel, delivery: Delivery) -> str:
        delivery.attempts += 1
        try:
            with delivery_seconds.labels(channel.name).time():
                await channel.deliver(session, delivery)
        except PermanentFailureError as error:
            return await self._give_up(delivery, str(error))
        except TemporaryFailureError as error:
            return await self._later(delivery, str(error))
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            _log.exception("delivery could not be made", delivery=delivery.id)
            return await self._later(delivery, f"{type(error).__name__}: {error}")
        delivery.status = "sent"
        delivery.sent_at = datetime.now(UTC)
        delivery.error = None
        return "sent"

    async def _later(self, delivery: Delivery, error: str) -> str:
        if delivery.attempts > len(self._retry_seconds):
            return await self._give_up(delivery, f"given up after {delivery.attempts} attempts; the last: {error}")
        return self._postpone(delivery, self._retry_seconds[delivery.attempts - 1], error)

    def _postpone(self, delivery: Delivery, seconds: float, error: str) -> str:
        delivery.next_attempt_at = datetime.now(UTC) + timedelta(seconds=seconds)
        delivery.error = error[:_ERROR_MAX]
        _log.info("delivery is tried again", delivery=delivery.id, attempts=delivery.attempts, seconds=seconds)
        return "retried"

    async def _give_up(self, delivery: Delivery, reason: str) -> str:
        try:
            await bury_delivery(self._bus, delivery, reason)
        except Exception as error:
            return self._postpone(delivery, self._retry_seconds[-1], f"{reason} (dead letter not written: {error!r})")
        delivery.status = "failed"
        delivery.error = reason[:_ERROR_MAX]
        _log.warning("delivery has failed", delivery=delivery.id, attempts=delivery.attempts)
        return "failed"


async def bury_delivery(bus: Bus, delivery: Delivery, reason: str) -> None:
    """Put a delivery among the dead letters; replaying it there sends it again.

    Raises:
        nats.errors.Error: it is not certain that the dead letter is stored.
    """
    failed = FailedDelivery(
        delivery=delivery.id,
        case_id=delivery.case_id,
        seq=delivery.seq,
        channel=delivery.channel,
        recipient=delivery.recipient,
    )
    await bury(
        bus,
        consumer=NOTIFIER,
        reason=reason,
        subject=FAILED_DELIVERY,
        data=failed.model_dump_json().encode(),
        deliveries=delivery.attempts,
        headers={"traceparent": delivery.traceparent} if delivery.traceparent else None,
    )


async def _finishing(sending: Coroutine[Any, Any, bool]) -> bool:
    """Let a mail that is on its way arrive and be marked as sent before this process stops."""
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=_FINISH_SECONDS)
        task.cancel()
        raise
