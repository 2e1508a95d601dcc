"""Pull requests to a JetStream consumer, one at a time, with a watchdog.

In place of the client's own ``fetch``, which can stall for its whole timeout on a request that it has forgotten
(nats.py issue 986) and never asks again after a server restart (issue 504).
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import Header

from shared.messaging.bus import Bus
from shared.messaging.incoming import Incoming

_REQUEST_SECONDS: Final = 30
_HEARTBEAT_SECONDS: Final = 3
_SILENCE_SECONDS: Final = 2 * _HEARTBEAT_SECONDS + 1
_HEARTBEAT: Final = "100"
_REQUEST_ENDED: Final = frozenset({"404", "408"})
_NANOSECONDS: Final = 1_000_000_000


class PullLostError(Exception):
    """The consumer does not answer, or has gone: bind again."""


class Pull:
    """What a consumer has sent us and we have not handed on.

    Args:
        bus: the connection.
        stream: where the messages are.
        durable: the consumer, which exists.
        batch: most messages on their way or waiting here.
    """

    def __init__(self, bus: Bus, *, stream: str, durable: str, batch: int) -> None:
        self._bus = bus
        self._durable = durable
        self._batch = batch
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = bus.nc.new_inbox()
        self._subscription: Subscription | None = None
        self._waiting: deque[Incoming] = deque()
        self._stale: list[Incoming] = []
        self._held: dict[int, Incoming] = {}
        self._request = 0
        self._expected = 0
        self._lost = ""
        self._heard_at = 0.0
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Listen for messages."""
        self._subscription = await self._bus.nc.subscribe(f"{self._inbox}.*", cb=self._arrived)

    async def close(self) -> None:
        """Stop listening, and give back at once what nobody has settled."""
        if self._subscription:
            await self._subscription.unsubscribe()
        for incoming in self.held():
            await incoming.retry(0)

    def held(self) -> list[Incoming]:
        """The messages that have come and are not settled."""
        return [incoming for incoming in self._held.values() if not incoming.settled]

    def release(self, messages: Iterable[Incoming]) -> None:
        """These are no longer our business."""
        for incoming in messages:
            self._held.pop(incoming.stream_seq, None)

    def forget_request(self) -> None:
        """The connection was lost: the server has forgotten our request, and perhaps what it had sent us."""
        self._stale.extend(self._waiting)
        self._waiting.clear()
        self._expected = 0
        self._request += 1
        self._changed.set()

    async def gather(self, max_wait: float) -> Sequence[Incoming]:
        """Wait for messages.

        Args:
            max_wait: seconds to wait for more once there is a first one.

        Returns:
            At least one message, at most a batch.

        Raises:
            PullLostError: the consumer has gone, or the server has been silent for too long.
        """
        messages: list[Incoming] = []
        while not messages:
            while not self._waiting:
                await self._watch()
            deadline = _now() + max_wait
            while len(self._waiting) < self._batch and self._expected and _now() < deadline:
                await self._change(deadline)  # the connection may get lost meanwhile, and what has come with it
            messages = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
        return messages

    async def _watch(self) -> None:
        if self._lost:
            raise PullLostError(self._lost)
        if not self._expected:
            await self._ask()
        if not await self._change(self._heard_at + _SILENCE_SECONDS):
            raise PullLostError(f"no sign of life from consumer {self._durable} for {_SILENCE_SECONDS} s")

    async def _ask(self) -> None:
        await self._give_back_stale()
        self._request += 1
        self._expected = self._batch
        self._heard_at = _now()
        request = {
            "batch": self._batch,
            "expires": _REQUEST_SECONDS * _NANOSECONDS,
            "idle_heartbeat": _HEARTBEAT_SECONDS * _NANOSECONDS,
        }
        await self._bus.nc.publish(self._next, json.dumps(request).encode(), reply=f"{self._inbox}.{self._request}")

    async def _give_back_stale(self) -> None:
        stale, self._stale = self._stale, []
        self.release(stale)
        for incoming in stale:
            await incoming.retry(0)

    async def _change(self, deadline: float) -> bool:
        """Wait until something arrives; False if nothing did before ``deadline``."""
        self._changed.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _arrived(self, message: Msg) -> None:
        self._heard_at = _now()
        status = (message.headers or {}).get(Header.STATUS)
        if status is None:
            incoming = Incoming(self._bus, self._durable, message)
            self._held[incoming.stream_seq] = incoming
            self._waiting.append(incoming)
            self._expected = max(0, self._expected - 1)
        elif status != _HEARTBEAT and self._is_current(message):
            self._expected = 0
            if status not in _REQUEST_ENDED:
                self._lost = f"{status} {(message.headers or {}).get(Header.DESCRIPTION, 'no such consumer')}"
        self._changed.set()

    def _is_current(self, message: Msg) -> bool:
        """Whether a status is about our request; messages don't say which request they answer."""
        return message.subject == f"{self._inbox}.{self._request}"


def _now() -> float:
    return asyncio.get_running_loop().time()
