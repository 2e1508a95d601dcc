"""The API service."""

from __future__ import annotations

import socket
from math import ceil

import uvicorn
from fastapi import FastAPI

from services.api.app import create_app
from shared.processes import spare_the_collector
from shared.settings import Settings
from shared.telemetry import setup

GRACE_SECONDS = 5
"""More than a command's own timeout, so that callers get their answers before the process ends."""


class _Server(uvicorn.Server):
    """Before it waits for open requests, ends live event streams, which would never end by themselves, and takes no
    more commands from NATS."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI) and hasattr(app.state, "commands"):
            app.state.context.hub.close()
            app.state.commands.close()
        await super().shutdown(sockets)


def run(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT, then answer what is under way and end.

    Args:
        settings: address, port and all connections.
    """
    telemetry = setup("api", settings)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=ceil(settings.command_timeout) + GRACE_SECONDS,
        timeout_keep_alive=30,
        backlog=2048,
    )
    spare_the_collector()
    try:
        _Server(config).run()
    finally:
        telemetry.shutdown()
