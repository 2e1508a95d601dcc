"""Sends what is due: one delivery, one transaction, at most one successful attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final

from sqlalchemy import ARRAY, Float, Text, any_, bindparam, cast, func, literal_column, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.channels.port import Channel, Due, PermanentFailureError, TemporaryFailureError
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
_FOR_ONE_WORKER: Final = 10
"""New deliveries for which one worker is woken. Each that finds nothing more to do has asked the database in vain."""
_SLOW_SECONDS: Final = 0.05
"""Where an attempt takes so long, another worker goes on with what else is due."""
_LOOK_AGAIN_SECONDS: Final = 5.0
"""Another notifier may have died over rows that it had locked."""
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_FINISH_SECONDS: Final = 10.0
_BROKEN_PAUSE_SECONDS: Final = 2.0
_ERROR_MAX: Final = 500

_row = Delivery.__table__.c
_OF_DUE: Final = tuple(each.name for each in fields(Due))
_NEXT: Final = (
    select(
        *(_row[name] for name in _OF_DUE),
        cast(func.extract("epoch", _row.next_attempt_at - func.now()), Float).label("due_in"),
    )
    .where(_row.status == literal_column("'pending'"), _row.channel == any_(bindparam("channels", type_=ARRAY(Text))))
    .order_by(_row.next_attempt_at, _row.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_CHANGED: Final = ("status", "attempts", "next_attempt_at", "message_id", "error", "sent_at")
_NOTE: Final = (
    update(Delivery.__table__)  # type: ignore[arg-type]
    .where(_row.id == bindparam("this"))
    .values({name: bindparam(name) for name in _CHANGED})
)

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Became:
    """What became of an attempt, as its row has it."""

    status: str
    next_attempt_at: datetime
    message_id: str | None = None
    error: str | None = None
    sent_at: datetime | None = None

    @property
    def outcome(self) -> str:
        return "retried" if self.status == "pending" else self.status


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
        self._new = asyncio.Queue[None](WORKERS)

    def wake(self, count: int) -> None:
        """There are so many new deliveries."""
        for _ in range(min(ceil(count / _FOR_ONE_WORKER), WORKERS - self._new.qsize())):
            self._new.put_nowait(None)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work({channel.name: channel for channel in self._channels()}))

    async def _work(self, channels: Mapping[str, Channel]) -> None:
        try:
            while True:
                try:
                    pause = await _finishing(self._send_one(channels))
                    if pause:
                        await self._idle(pause, channels)
                except (SQLAlchemyError, OSError) as error:
                    _log.warning("deliveries wait for the database", error=repr(error))
                    await asyncio.sleep(_BROKEN_PAUSE_SECONDS)
        finally:
            for channel in channels.values():
                await channel.rest()

    async def _idle(self, seconds: float, channels: Mapping[str, Channel]) -> None:
        """Wait for a new delivery, or so long; connections are given back if none comes."""
        try:
            async with asyncio.timeout(seconds):
                await self._new.get()
        except TimeoutError:
            for channel in channels.values():
                await channel.rest()
            stop_if_cancelled()

    async def _send_one(self, channels: Mapping[str, Channel]) -> float:
        """Try one delivery that is due; returns the seconds to wait for the next if there is none."""
        picked: list[Due] = []
        try:
            return await self._pick_and_send(channels, picked)
        except DATABASE_DOWN:
            raise
        except SQLAlchemyError as error:
            if not picked:
                raise
            await self._set_aside(picked[0].id, error)
            return 0.0

    async def _set_aside(self, delivery: int, error: SQLAlchemyError) -> None:
        """The database refused something about this very delivery: it must not hold up the others."""
        _log.error("delivery could not be recorded", delivery=delivery, error=repr(error))
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Delivery)
                .where(Delivery.id == delivery)
                .values(next_attempt_at=func.now() + timedelta(hours=1), error=repr(error)[:_ERROR_MAX])
            )

    async def _pick_and_send(self, channels: Mapping[str, Channel], picked: list[Due]) -> float:
        async with self._database.transaction() as connection:
            row = (await connection.execute(_NEXT, {"channels": list(channels)})).one_or_none()
            if row is None:
                return _LOOK_AGAIN_SECONDS
            if row.due_in > 0:
                return min(max(float(row.due_in), _SHORTEST_PAUSE_SECONDS), _LOOK_AGAIN_SECONDS)
            due = Due(**{name: row._mapping[name] for name in _OF_DUE} | {"attempts": row.attempts + 1})
            picked.append(due)
            with span(
                f"{due.channel} send",
                kind=SpanKind.CLIENT,
                parent=due.traceparent,
                seq=due.seq,
                attempt=due.attempts,
            ) as current:
                with self._helped():
                    became = await self._attempt(connection, channels[due.channel], due)
                await connection.execute(_NOTE, asdict(became) | {"this": due.id, "attempts": due.attempts})
                current.set_attribute("outcome", became.outcome)
        deliveries.labels(due.channel, became.outcome).inc()
        return 0.0

    @contextmanager
    def _helped(self) -> Iterator[None]:
        """While something is on its way slowly, another worker looks for what else is due."""
        helping = asyncio.get_running_loop().call_later(_SLOW_SECONDS, self.wake, 1)
        try:
            yield
        finally:
            helping.cancel()

    async def _attempt(self, connection: AsyncConnection, channel: Channel, due: Due) -> _Became:
        try:
            with delivery_seconds.labels(channel.name).time():
                message_id = await channel.deliver(connection, due)
        except PermanentFailureError as error:
            return await self._give_up(due, str(error))
        except TemporaryFailureError as error:
            return await self._later(due, str(error))
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            _log.exception("delivery could not be made", delivery=due.id)
            return await self._later(due, f"{type(error).__name__}: {error}")
        return _Became(status="sent", next_attempt_at=due.next_attempt_at, sent_at=_now(), message_id=message_id)

    async def _later(self, due: Due, error: str) -> _Became:
        if due.attempts > len(self._retry_seconds):
            return await self._give_up(due, f"given up after {due.attempts} attempts; the last: {error}")
        return self._postponed(due, self._retry_seconds[due.attempts - 1], error)

    def _postponed(self, due: Due, seconds: float, error: str) -> _Became:
        _log.info("delivery is tried again", delivery=due.id, attempts=due.attempts, seconds=seconds)
        again = _now() + timedelta(seconds=seconds)
        return _Became(status="pending", next_attempt_at=again, error=error[:_ERROR_MAX])

    async def _give_up(self, due: Due, reason: str) -> _Became:
        try:
            await bury_delivery(self._bus, due, reason)
        except Exception as error:
            return self._postponed(due, self._retry_seconds[-1], f"{reason} (dead letter not written: {error!r})")
        _log.warning("delivery has failed", delivery=due.id, attempts=due.attempts)
        return _Became(status="failed", next_attempt_at=due.next_attempt_at, error=reason[:_ERROR_MAX])


def _now() -> datetime:
    return datetime.now(UTC)


async def bury_delivery(bus: Bus, delivery: Due | Delivery, reason: str) -> None:
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


async def _finishing(sending: Coroutine[Any, Any, float]) -> float:
    """Let a mail that is on its way arrive and be marked as sent before this process stops."""
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=_FINISH_SECONDS)
        task.cancel()
        raise
