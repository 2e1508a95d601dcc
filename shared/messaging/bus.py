"""One connection to NATS, kept for the life of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import nats
from nats.aio.client import Client
from nats.js.api import Header, PubAck
from nats.js.client import JetStreamContext

from shared.settings import Settings
from shared.telemetry import get_logger
from shared.telemetry.tracing import inject

FIRST_CONNECT_SECONDS: Final = 30.0
_RECONNECT_WAIT_SECONDS: Final = 1
_PING_SECONDS: Final = 10
"""Two unanswered pings mean a dead connection: a server that hangs is noticed within 30 s."""

_log = get_logger(__name__)


class BusUnavailableError(ConnectionError):
    """NATS could not be reached."""


class Bus:
    """A connection to NATS that reconnects for ever.

    Args:
        nc: the client.
        js: its JetStream context.
        replicas: copies that a cluster keeps of each stream.
    """

    def __init__(self, nc: Client, js: JetStreamContext, *, replicas: int) -> None:
        self.nc = nc
        self.js = js
        self.replicas = replicas
        self.closing = False
        self.on_reconnect: set[Callable[[], None]] = set()
        """Called whenever the connection is back: the server has forgotten what was asked of it before."""

    @property
    def epoch(self) -> int:
        """How often the connection has been lost and made again."""
        return self.nc.stats["reconnects"]

    async def close(self) -> None:
        """Send what is buffered, then disconnect."""
        self.closing = True
        if self.nc.is_closed:
            return
        if self.nc.is_connected:
            await self.nc.drain()
        else:
            await self.nc.close()


async def connect(settings: Settings, name: str) -> Bus:
    """Connect to NATS and stay connected.

    Args:
        settings: ``nats_url`` names the servers, separated by commas.
        name: of this process, as NATS shows it.

    Raises:
        BusUnavailableError: no server answered within 30 seconds.
    """
    made: list[Bus] = []
    last_error: list[Exception] = []

    async def reconnected() -> None:
        _log.info("NATS is back")
        for bus in made:
            for wake in tuple(bus.on_reconnect):
                wake()

    async def disconnected() -> None:
        if not any(bus.closing for bus in made):
            _log.warning("connection to NATS lost; reconnecting")

    async def failed(error: Exception) -> None:
        last_error[:] = [error]
        _log.debug("NATS client", error=repr(error))

    client = Client()
    try:
        async with asyncio.timeout(FIRST_CONNECT_SECONDS):
            await client.connect(
                servers=_servers(settings.nats_url),
                name=f"casebound-{name}",
                max_reconnect_attempts=-1,
                reconnect_time_wait=_RECONNECT_WAIT_SECONDS,
                ping_interval=_PING_SECONDS,
                error_cb=failed,
                disconnected_cb=disconnected,
                reconnected_cb=reconnected,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        why = last_error[0] if last_error else error
        raise BusUnavailableError(
            f"NATS at {_without_password(settings.nats_url)} does not answer ({why}); "
            "check that it runs and that CASEBOUND_NATS_URL is right"
        ) from error
    bus = Bus(client, client.jetstream(timeout=5), replicas=settings.nats_replicas)
    made.append(bus)
    return bus


async def publish(
    bus: Bus,
    subject: str,
    data: bytes,
    *,
    message_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> PubAck:
    """Publish to a stream and wait until it is stored. The current trace goes along as ``traceparent``.

    Args:
        bus: the connection.
        subject: one that a stream keeps.
        data: the message.
        message_id: a second message with the same id within the stream's duplicate window is dropped.
        headers: further headers; a ``traceparent`` among them goes before the current trace's.

    Raises:
        nats.errors.Error: it is not certain that the message is stored; publish it again.
    """
    own = inject() | dict(headers or {})
    if message_id:
        own[Header.MSG_ID] = message_id
    return await bus.js.publish(subject, data, headers=own or None)


def _servers(urls: str) -> list[str]:
    return [url.strip() for url in urls.split(",") if url.strip()]


def _without_password(urls: str) -> str:
    return ", ".join(url.rsplit("@", 1)[-1].removeprefix("nats://") for url in _servers(urls))
