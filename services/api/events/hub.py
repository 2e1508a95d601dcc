"""The case events of the stream, fanned out to the live pages of this process."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

import nats.errors
import orjson
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from services.api.nats_link import NatsLink
from shared.contracts.events import CaseEvent
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM
from shared.messaging.bus import Bus
from shared.messaging.pull import Pull, PullLostError
from shared.telemetry import get_logger, metrics

QUEUE_EVENTS: Final = 1_000
"""What a live page may lag behind before it is cut off; it comes back with its ``Last-Event-ID``."""
_BATCH: Final = 256
_KEPT_EVENTS: Final = 1_000
"""The latest events, for those who were away for a moment."""
_RETRY_SECONDS: Final = 1.0
_FORGOTTEN_AFTER_SECONDS: Final = 60.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An event and its place in the stream.

    Args:
        position: the place.
        desk: slug of the case's desk.
        event: what was published.
        fields: what it says of what happened, all of it.
        line: the whole as JSON without line breaks.
    """

    position: int
    desk: str
    event: CaseEvent
    fields: dict[str, Any]
    line: bytes


class Reset:
    """The stream was made anew: places in it mean something else now."""


class Listener:
    """One live page: what it has not read yet.

    Args:
        session: the log-in session by which it listens, if it is by one.
    """

    def __init__(self, session: bytes | None = None) -> None:
        self.session = session
        self._queue: asyncio.Queue[Streamed | Reset | None] = asyncio.Queue()
        self._cut_off = False

    def put(self, item: Streamed | Reset | None) -> None:
        """Hand on an event, or None for the end. One that does not keep up is cut off behind what it has not read."""
        if self._cut_off:
            return
        self._cut_off = self._queue.qsize() == QUEUE_EVENTS
        self._queue.put_nowait(None if self._cut_off else item)

    async def take(self) -> list[Streamed | Reset]:
        """All that it has not read yet, waiting for something if need be; nothing at the end."""
        found: list[Streamed | Reset] = []
        item = await self._queue.get()
        while item is not None:
            found.append(item)
            if self._queue.empty():
                return found
            item = self._queue.get_nowait()
        self._queue.put_nowait(None)  # the end, for whoever asks again
        return found


class EventHub:
    """One consumer of the stream for all live pages of this process."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self._listeners: set[Listener] = set()
        self._kept: deque[tuple[float, Streamed]] = deque(maxlen=_KEPT_EVENTS)
        self._position: int | None = None
        self._closed = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[EventHub]:
        """Follow the stream while the block runs."""
        following = asyncio.create_task(self._follow_forever(), name="follow case events")
        try:
            yield self
        finally:
            self.close()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    def close(self) -> None:
        """End every live page, so that the server can stop; they come back to its successor."""
        self._closed = True
        for listener in self._listeners:
            listener.put(None)

    def log_out(self, session: bytes) -> None:
        """End the live pages of a log-in session."""
        for listener in self._listeners:
            if listener.session == session:
                listener.put(None)

    @contextlib.contextmanager
    def listening(self, session: bytes | None = None) -> Iterator[Listener]:
        """Receive events from now on.

        Args:
            session: that ends it when somebody logs out.
        """
        listener = Listener(session)
        if self._closed:
            listener.put(None)
        self._listeners.add(listener)
        metrics.event_streams.inc()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            metrics.event_streams.dec()

    def place(self, seconds_ago: float) -> int | None:
        """Where the stream had got to by then, or later if that is too long ago; None: nowhere yet."""
        then = asyncio.get_running_loop().time() - seconds_ago
        since = list(takewhile(lambda each: each[0] > then, reversed(self._kept)))
        return since[-1][1].position - 1 if since else self._position

    async def missed(self, desk: str, after: int) -> AsyncIterator[Streamed | Reset]:
        """Events of a desk that came after a place in the stream, up to about now.

        Args:
            desk: its slug.
            after: the place; beyond the stream's end it can only be one of an earlier stream.

        Yields:
            The events in order; a ``Reset`` alone if the place does not exist any more.
        """
        if self._remembers(after):
            for streamed in [each for _, each in self._kept if each.position > after and each.desk == desk]:
                yield streamed
            return
        bus = await self._link.wait()
        state = (await bus.js.stream_info(CASES_STREAM)).state
        if after > state.last_seq or after + 1 < state.first_seq:
            yield Reset()
            return
        async with _pulling(bus, f"cases.v1.{desk}.>", after + 1) as (pull, pending):
            left = pending
            while left > 0:
                found, left = await _next(pull)
                for streamed in found:
                    yield streamed

    def _remembers(self, after: int) -> bool:
        if self._position is None:
            return False
        first = self._kept[0][1].position if self._kept else self._position + 1
        return first - 1 <= after <= self._position

    async def _follow_forever(self) -> None:
        while True:
            try:
                await self._follow(await self._link.wait())
            except (PullLostError, nats.errors.Error, OSError, TimeoutError) as error:
                _log.info("live events interrupted; following again", reason=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self, bus: Bus) -> None:
        end = (await bus.js.stream_info(CASES_STREAM)).state.last_seq
        if self._position is None or self._position > end:
            if self._position is not None:
                self._kept.clear()
                self._tell(Reset())
            self._position = end
        async with _pulling(bus, ALL_CASE_EVENTS, self._position + 1) as (pull, _):
            while True:
                for streamed in (await _next(pull))[0]:
                    self._position = streamed.position
                    self._kept.append((asyncio.get_running_loop().time(), streamed))
                    self._tell(streamed)

    def _tell(self, item: Streamed | Reset) -> None:
        for listener in tuple(self._listeners):
            listener.put(item)


@contextlib.asynccontextmanager
async def _pulling(bus: Bus, subject: str, start: int) -> AsyncIterator[tuple[Pull, int]]:
    """An ephemeral consumer from that place on, and how many events already wait in it."""
    name = f"api-live-{uuid.uuid4().hex}"
    info = await bus.js.add_consumer(
        CASES_STREAM,
        ConsumerConfig(
            name=name,
            filter_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=_FORGOTTEN_AFTER_SECONDS,
        ),
    )
    pull = Pull(bus, stream=CASES_STREAM, durable=name, batch=_BATCH)
    bus.on_reconnect.add(pull.forget_request)
    try:
        await pull.open()
        yield pull, info.num_pending or 0
    finally:
        bus.on_reconnect.discard(pull.forget_request)
        pull.release(pull.held())
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            await pull.close()
            await bus.js.delete_consumer(CASES_STREAM, name)


async def _next(pull: Pull) -> tuple[list[Streamed], int]:
    """Events, and how many still wait behind them; what is no event is passed over."""
    incoming = await pull.gather(0)
    pull.release(incoming)
    found = []
    for message in incoming:
        try:
            event = CaseEvent.model_validate_json(message.data)
        except ValueError:
            _log.warning("not a case event", stream_seq=message.stream_seq)
            continue
        desk, content = message.subject.split(".")[2], orjson.loads(message.data)
        found.append(Streamed(message.stream_seq, desk, event, content["data"], orjson.dumps(content)))
    return found, incoming[-1].pending
