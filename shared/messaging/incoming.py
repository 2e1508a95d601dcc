"""A message in the hands of a consumer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import nats.errors
from nats.aio.msg import Msg

from shared.messaging.bus import Bus
from shared.messaging.dead_letters import ORIGINAL_SUBJECT, bury
from shared.telemetry import get_logger
from shared.telemetry.tracing import extract

_ACK_ATTEMPTS: Final = 3
_ACK_SECONDS: Final = 2.0
BURIED: Final = b"+TERM dead letter written"
"""Its words come back in the server's advisory, so that a second dead letter is not written."""

_log = get_logger(__name__)


class Incoming:
    """One delivery of a message. Settle it once: ``ack``, ``retry`` or ``reject``.

    What is not settled is delivered again after the consumer's ``ack_wait``.
    """

    def __init__(self, bus: Bus, consumer: str, message: Msg) -> None:
        self._bus = bus
        self._message = message
        self._epoch = bus.epoch
        self.consumer = consumer
        self.settled = False

    @property
    def subject(self) -> str:
        """What it was published on; of a replayed message, what the original was published on."""
        return self.headers.get(ORIGINAL_SUBJECT, self._message.subject)

    @property
    def data(self) -> bytes:
        return self._message.data

    @property
    def headers(self) -> Mapping[str, str]:
        return self._message.headers or {}

    @property
    def traceparent(self) -> str | None:
        """The trace that it was published in."""
        return extract(self.headers)

    @property
    def stream(self) -> str:
        return self._message.metadata.stream

    @property
    def stream_seq(self) -> int:
        return self._message.metadata.sequence.stream

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        return self._message.metadata.num_delivered

    @property
    def pending(self) -> int:
        """How many more messages wait for this consumer."""
        return self._message.metadata.num_pending

    async def ack(self) -> None:
        """Done with it; returns when the server knows. If it can't be told, it delivers the message again."""
        self.settled = True
        for _ in range(_ACK_ATTEMPTS):
            if self._epoch != self._bus.epoch:
                # A server that was killed may have forgotten that it delivered this, and then never confirms.
                await self._bus.nc.publish(self._message.reply)
                return
            try:
                await self._bus.nc.request(self._message.reply, timeout=_ACK_SECONDS)
            except nats.errors.Error:
                continue
            return
        _log.warning("acknowledgement not confirmed", consumer=self.consumer, stream_seq=self.stream_seq)

    async def retry(self, delay_seconds: float) -> None:
        """Deliver it again after ``delay_seconds``; counts against the consumer's ``max_deliver``."""
        self.settled = True
        delay = json.dumps({"delay": int(max(delay_seconds, 0.001) * 1e9)})
        await self._bus.nc.publish(self._message.reply, b"-NAK " + delay.encode())

    async def reject(self, reason: str) -> None:
        """Put it among the dead letters, for good unless somebody replays it.

        Raises:
            nats.errors.Error: the dead letter could not be written; the message will be delivered again.
        """
        await bury(
            self._bus,
            consumer=self.consumer,
            reason=reason,
            stream=self.stream,
            stream_seq=self.stream_seq,
            deliveries=self.deliveries,
            subject=self.subject,
            headers=self.headers,
            data=self.data,
        )
        self.settled = True
        await self._bus.nc.publish(self._message.reply, BURIED)

    async def keep(self) -> None:
        """Tell the server that it is still being worked on."""
        await self._bus.nc.publish(self._message.reply, Msg.Ack.Progress)
