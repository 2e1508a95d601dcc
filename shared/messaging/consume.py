"""Durable pull consumers that outlive server restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from shared.contracts.subjects import CASES_STREAM
from shared.messaging.bus import Bus, BusUnavailableError
from shared.messaging.incoming import Incoming
from shared.messaging.pull import Pull, PullLostError
from shared.messaging.topology import ensure_topology, replay_subject
from shared.processes import stop_if_cancelled
from shared.telemetry import get_logger
from shared.telemetry.metrics import consumer_pending

Handler = Callable[[Sequence[Incoming]], Awaitable[None]]

RETRY_SECONDS: Final = (1.0, 5.0, 30.0, 120.0, 300.0)
_OUTAGE_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Consumer:
    bus: Bus
    stream: str
    durable: str
    filter_subject: str | None
    handle: Handler
    batch: int
    max_wait: float
    ack_wait: float
    max_deliver: int
    backoff: Sequence[float]
    wait_out: tuple[type[Exception], ...]
    deliver_policy: DeliverPolicy


async def consume(
    bus: Bus,
    *,
    stream: str,
    durable: str,
    filter_subject: str | None,
    handle: Handler,
    batch: int = 64,
    max_wait: float = 0.05,
    ack_wait: float = 30,
    max_deliver: int = 8,
    backoff: Sequence[float] = RETRY_SECONDS,
    wait_out: tuple[type[Exception], ...] = (),
    deliver_policy: DeliverPolicy = DeliverPolicy.ALL,
) -> None:
    """Hand a stream's messages to ``handle`` until cancelled, across server restarts and lost consumers.

    Several processes may share one durable. While ``handle`` works the server is told so, however long it takes.
    If it raises, each message it left unsettled is delivered again after a growing delay, then alone, so that one bad
    message can't take its neighbours along; the last time it becomes a dead letter with the error as the reason.

    Args:
        bus: the connection.
        stream: where the messages are.
        durable: the consumer's name; it remembers its place.
        filter_subject: which of the stream's messages; None: all.
        handle: settles each message it is given (`Incoming`); idempotent.
        batch: most messages given at once.
        max_wait: seconds to wait for more once there is a first message.
        ack_wait: seconds of silence from this process after which a message is given to another.
        max_deliver: deliveries after which a message becomes a dead letter.
        backoff: seconds until the next delivery, by deliveries so far; the last one repeats.
        wait_out: errors that are nobody's fault, such as a database that is down: ``handle`` is called again with
            what it left unsettled, after a pause, as often as it takes. These don't count as deliveries.
        deliver_policy: where a consumer that does not exist yet begins.

    Raises:
        BusUnavailableError: the connection was closed for good.
    """
    consumer = _Consumer(
        bus=bus,
        stream=stream,
        durable=durable,
        filter_subject=filter_subject,
        handle=handle,
        batch=batch,
        max_wait=max_wait,
        ack_wait=ack_wait,
        max_deliver=max_deliver,
        backoff=backoff,
        wait_out=wait_out,
        deliver_policy=deliver_policy,
    )
    failures = 0
    while True:
        if bus.nc.is_closed:
            raise BusUnavailableError("The connection to NATS was closed")
        try:
            async with _bound(consumer) as pull:
                while True:
                    messages = await pull.gather(consumer.max_wait)
                    failures = 0
                    await _work(consumer, pull, messages)
        except (PullLostError, nats.errors.Error, OSError) as error:
            pause = _OUTAGE_SECONDS[min(failures, len(_OUTAGE_SECONDS) - 1)]
            failures += 1
            _log.warning("consumer lost, binding again", consumer=durable, error=str(error) or repr(error))
            await asyncio.sleep(pause)


@asynccontextmanager
async def _bound(consumer: _Consumer) -> AsyncIterator[Pull]:
    await _ensure_consumer(consumer)
    pull = Pull(consumer.bus, stream=consumer.stream, durable=consumer.durable, batch=consumer.batch)
    keeping = asyncio.create_task(_keep(pull, consumer.ack_wait / 3))
    consumer.bus.on_reconnect.add(pull.forget_request)
    try:
        await pull.open()
        yield pull
    finally:
        consumer.bus.on_reconnect.discard(pull.forget_request)
        keeping.cancel()
        with suppress(nats.errors.Error, OSError):
            await pull.close()


async def _ensure_consumer(consumer: _Consumer) -> None:
    try:
        info = await consumer.bus.js.add_consumer(consumer.stream, _config(consumer))
    except NotFoundError:
        # Somebody emptied the server's store; the streams come back empty and are filled again from Postgres.
        await ensure_topology(consumer.bus)
        info = await consumer.bus.js.add_consumer(consumer.stream, _config(consumer))
    consumer_pending.labels(consumer.durable).set(info.num_pending or 0)


def _config(consumer: _Consumer) -> ConsumerConfig:
    waits = [max(consumer.ack_wait, pause) for pause in consumer.backoff][: consumer.max_deliver]
    subjects = [consumer.filter_subject] if consumer.filter_subject else []
    if consumer.stream == CASES_STREAM and subjects:
        subjects.append(replay_subject(consumer.durable))
    return ConsumerConfig(
        name=consumer.durable,
        durable_name=consumer.durable,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=consumer.deliver_policy,
        ack_wait=consumer.ack_wait,
        max_deliver=consumer.max_deliver,
        # The first is also the wait for an acknowledgement; the rest slow down a message that kills its process.
        backoff=[consumer.ack_wait, *waits[1:]],
        filter_subjects=subjects or None,
    )


async def _keep(pull: Pull, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        with suppress(nats.errors.Error, OSError):
            for incoming in pull.held():
                await incoming.keep()


async def _work(consumer: _Consumer, pull: Pull, messages: Sequence[Incoming]) -> None:
    consumer_pending.labels(consumer.durable).set(messages[-1].pending)
    for group in _groups(messages):
        await _handle(consumer, group)
        pull.release(group)
        stop_if_cancelled()


def _groups(messages: Sequence[Incoming]) -> Iterator[list[Incoming]]:
    """First the messages that are new, together; then each that has failed before, alone."""
    fresh = [message for message in messages if message.deliveries == 1]
    if fresh:
        yield fresh
    for message in messages:
        if message.deliveries > 1:
            yield [message]


async def _handle(consumer: _Consumer, messages: list[Incoming]) -> None:
    outages = 0
    while messages:
        try:
            await consumer.handle(messages)
        except consumer.wait_out as error:
            stop_if_cancelled()
            pause = _OUTAGE_SECONDS[min(outages, len(_OUTAGE_SECONDS) - 1)]
            outages += 1
            _log.warning("waiting out", consumer=consumer.durable, error=repr(error), seconds=pause)
            await asyncio.sleep(pause)
        except Exception as error:
            _log.exception("handler failed", consumer=consumer.durable, messages=len(messages))
            for message in messages:
                await _failed(consumer, message, error)
            return
        else:
            return
        messages = [message for message in messages if not message.settled]


async def _failed(consumer: _Consumer, message: Incoming, error: Exception) -> None:
    if message.settled:
        return
    if message.deliveries >= consumer.max_deliver:
        await message.reject(f"{type(error).__name__}: {error}")
    else:
        await message.retry(consumer.backoff[min(message.deliveries, len(consumer.backoff)) - 1])
