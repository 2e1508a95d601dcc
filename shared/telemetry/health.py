"""Health and metrics over HTTP for the services that have no other HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.telemetry.metrics import metrics_endpoint

READY_TIMEOUT = 5.0

ReadyCheck = Callable[[], Awaitable[bool | str]]
"""True when the service can do its work; a text says why it can't."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the service's own business


@contextlib.asynccontextmanager
async def serve_health(port: int | None, ready: ReadyCheck, *, host: str = "127.0.0.1") -> AsyncIterator[int | None]:
    """Serve `/healthz`, `/readyz` and `/metrics` as long as the block runs.

    `/healthz` answers 200 while the event loop turns. `/readyz` answers 503 with the reason when `ready` does not
    return True within 5 seconds.

    Args:
        port: the port to listen on; 0: any free one; None: serve nothing.
        ready: asked at every `/readyz`.
        host: the address to listen on; a container's probes need `0.0.0.0`.

    Yields:
        The port that is listened on; None if nothing is served.

    Raises:
        OSError: the port is taken or not allowed.
    """
    if port is None:
        yield None
        return
    listener = socket.create_server((host, port))
    config = uvicorn.Config(
        _app(ready), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()


def _app(ready: ReadyCheck) -> Starlette:
    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        reason = await _reason(ready)
        return PlainTextResponse(f"not ready: {reason}\n", 503) if reason else PlainTextResponse("ready\n")

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics_endpoint)],
    )


async def _reason(ready: ReadyCheck) -> str | None:
    try:
        async with asyncio.timeout(READY_TIMEOUT):
            answer = await ready()
    except TimeoutError:
        return f"no answer from the readiness check within {READY_TIMEOUT:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if answer is True:
        return None
    return answer or "starting"
