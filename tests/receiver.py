"""A real HTTP server that webhooks are sent to; it verifies every signature with the library of Standard Webhooks."""

from __future__ import annotations

import asyncio
import base64
import secrets
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.http_server import answering, listening
from tests.waiting import until


@dataclass
class Inbox:
    """One address, what it has received, and how it answers."""

    url: str
    secret: str = field(default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    answers: list[Response] = field(default_factory=list)
    """Given one after the other; then 204."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, nobody is answered."""
    arrived: list[dict[str, Any]] = field(default_factory=list)
    """Everything that came, in order, whatever was answered."""
    ids: list[str] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """What was answered with 2xx."""
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def kinds(self) -> list[str]:
        """Kinds of the events taken."""
        return [event["type"].split(".")[2] for event in self.taken]

    async def receive(self, request: Request) -> Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            event = Webhook(self.secret).verify(await request.body(), dict(request.headers))
            self.arrived.append(event)
            self.ids.append(request.headers["webhook-id"])
            self.headers.append(dict(request.headers))
            await self.open.wait()
            answer = self.answers.pop(0) if self.answers else Response(status_code=204)
            if answer.status_code < 300:
                self.taken.append(event)
            return answer
        finally:
            self.at_once -= 1

    async def until(self, count: int, seconds: float = 20) -> None:
        """Wait until so many events have been taken."""
        await until(lambda: len(self.taken) >= count, seconds, f"{count} events")


class Receiver:
    """The server; each inbox has a path of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._inboxes: dict[str, Inbox] = {}
        self.calls: dict[str, int] = defaultdict(int)

    def inbox(self, *, closed: bool = False, **fields: Any) -> Inbox:
        path = uuid.uuid4().hex
        inbox = self._inboxes[path] = Inbox(url=f"http://127.0.0.1:{self.port}/{path}", **fields)
        if not closed:
            inbox.open.set()
        return inbox

    async def handle(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.calls[path] += 1
        inbox = self._inboxes.get(path)
        return await inbox.receive(request) if inbox else Response(status_code=404)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Receive until the block ends."""
    listener, _ = listening()
    receiver = Receiver(listener.getsockname()[1])
    app = Starlette(routes=[Route("/{path}", receiver.handle, methods=["GET", "POST"])])
    async with answering(app, listener, lifespan="off", timeout_graceful_shutdown=1):
        yield receiver
