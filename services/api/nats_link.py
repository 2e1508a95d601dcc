"""The API's connection to NATS, which it can do without for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.messaging.bus import Bus, BusUnavailableError, connect
from shared.messaging.topology import ensure_topology
from shared.settings import Settings
from shared.telemetry import get_logger

_log = get_logger(__name__)


class NatsLink:
    """Connects in the background, so that the API starts and takes commands while NATS is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bus: asyncio.Future[Bus] = asyncio.get_running_loop().create_future()

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[NatsLink]:
        """Keep connecting, and then the connection, while the block runs."""
        connecting = asyncio.create_task(self._connect(), name="connect to NATS")
        try:
            yield self
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            if self._bus.done() and not self._bus.cancelled():
                await self._bus.result().close()

    @property
    def bus(self) -> Bus | None:
        """The connection if it stands at this moment."""
        if not self._bus.done():
            return None
        bus = self._bus.result()
        return bus if bus.nc.is_connected else None

    async def wait(self) -> Bus:
        """The connection, once there has been one."""
        return await asyncio.shield(self._bus)

    async def _connect(self) -> None:
        while True:
            try:
                bus = await connect(self._settings, "api")
            except BusUnavailableError as error:
                _log.warning("still without NATS; lists come from Postgres, live pages wait", reason=str(error))
                continue
            await self._prepare(bus)
            self._bus.set_result(bus)
            return

    async def _prepare(self, bus: Bus) -> None:
        """The streams may not be there yet; without them nothing can be followed, but searching works."""
        try:
            await ensure_topology(bus)
        except BusUnavailableError as error:
            _log.warning("streams not confirmed", reason=str(error))
