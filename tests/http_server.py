"""An HTTP server in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening() -> tuple[socket.socket, str]:
    """A socket on a free port, and the address that it makes."""
    # asyncio sends without delay only on sockets that name their protocol; those of `create_server` don't.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def answering(app: Any, listener: socket.socket, **config: Any) -> AsyncIterator[None]:
    """Serve an application on a socket until the block ends; ``config`` as of uvicorn."""
    server = _Server(uvicorn.Config(app, log_config=None, **config))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await running
        listener.close()
