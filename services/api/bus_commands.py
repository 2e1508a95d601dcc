"""Commands over NATS (contract: NATS): each goes the way of the HTTP request that it stands for.

So what it may hold, who may send it, what it is answered and why it is refused are the same by construction.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

import httpx
import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from starlette.responses import Response
from starlette.types import ASGIApp

from services.api.commands import unavailable
from services.api.nats_link import NatsLink
from services.api.problems import FieldError, invalid
from shared.contracts.subjects import COMMANDS, COMMANDS_QUEUE
from shared.domain.refusals import RefusalCode
from shared.telemetry import SpanKind, get_logger, span
from shared.telemetry.tracing import TRACEPARENT, extract, inject

AT_ONCE: Final = 64
"""Commands that one process carries out at the same time; further ones wait for their turn."""
MOST_WAITING: Final = 2_000
"""Further ones are answered 503."""
STATUS: Final = "Casebound-Status"
"""Header of an answer: the HTTP status. Not ``Status``, by which NATS itself says 503: nobody is there."""
_TAKEN_OVER: Final = ("authorization", "idempotency-key", TRACEPARENT)
_HANDED_BACK: Final = ("Content-Type", "Retry-After", TRACEPARENT)
_ROOM_FOR_HEADERS: Final = 4_096

# fmt: off
ROUTES: Mapping[str, tuple[str, str]] = {
    "open":              ("POST",   "/cases"),
    "edit":              ("PATCH",  "/cases/{number}"),
    "comment":           ("POST",   "/cases/{number}/comments"),
    "assign":            ("POST",   "/cases/{number}/assign"),
    "take":              ("POST",   "/cases/{number}/take"),
    "attach":            ("POST",   "/cases/{number}/attach"),
    "remove_attachment": ("DELETE", "/cases/{number}/attachments/{attachment}"),
    "escalate":          ("POST",   "/cases/{number}/escalate"),
    "request_close":     ("POST",   "/cases/{number}/request-close"),
    "resolve":           ("POST",   "/cases/{number}/resolve"),
    "accept":            ("POST",   "/cases/{number}/accept"),
    "reject":            ("POST",   "/cases/{number}/reject"),
    "close":             ("POST",   "/cases/{number}/close"),
    "reopen":            ("POST",   "/cases/{number}/reopen"),
    "survey":            ("POST",   "/cases/{number}/survey"),
    "follow_up":         ("POST",   "/cases/{number}/follow-up"),
}
# fmt: on
"""Command → the HTTP request below the desk's address; ``-`` and ``_`` are the same in a command's name."""

_log = get_logger(__name__)


class BusCommands:
    """Takes commands from NATS, side by side with the other API processes: each command goes to one of them.

    Args:
        link: to NATS.
        app: answers the requests that commands stand for.
    """

    def __init__(self, link: NatsLink, app: ASGIApp) -> None:
        self._link = link
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://api")
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def close(self) -> None:
        """Take no more commands; the other processes do."""
        self._stopping.set()

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Take commands while the block runs; those taken by its end are still answered."""
        taking = asyncio.create_task(self._take(), name="take commands from NATS")
        try:
            yield
        finally:
            self.close()
            await asyncio.gather(taking, return_exceptions=True)
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await self._http.aclose()

    async def _take(self) -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        connected = asyncio.create_task(self._link.wait())
        await asyncio.wait((stopped, connected), return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            connected.cancel()
            return
        nc = connected.result().nc
        subscription = await nc.subscribe(COMMANDS, queue=COMMANDS_QUEUE, cb=partial(self._on_command, nc))
        await stopped
        with contextlib.suppress(nats.errors.Error):
            await subscription.drain()  # type: ignore[no-untyped-call]

    async def _on_command(self, nc: Client, message: Msg) -> None:
        if len(self._under_way) >= AT_ONCE + MOST_WAITING:
            problem = unavailable("Too many commands at once; this one was not carried out. Send it again later.")
            await _respond(nc, message, problem.response())
            return
        task = asyncio.create_task(self._carry_out(nc, message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry_out(self, nc: Client, message: Msg) -> None:
        _, _, desk, number, name = message.subject.split(".")
        command = name.replace("-", "_")
        try:
            async with self._turn:
                kind = command if command in ROUTES else "unknown"
                with span("command over NATS", kind=SpanKind.SERVER, parent=extract(message.headers), command=kind):
                    answer = await self._answer(message, desk, number, command)
                    await _respond(nc, message, answer)
        except Exception as error:
            _log.exception("command not answered", subject=message.subject, error=repr(error))

    async def _answer(self, message: Msg, desk: str, number: str, command: str) -> httpx.Response | Response:
        if command not in ROUTES:
            detail = f"command: there is no command «{command[:50]}»."
            problem = FieldError(field="command", message=detail, allowed=sorted(ROUTES))
            return invalid(problem, code=RefusalCode.UNKNOWN_COMMAND).response()
        method, path = ROUTES[command]
        attachment = _attachment_of(message.data) if command == "remove_attachment" else ""
        address = path.format(number=quote(number, safe=""), attachment=quote(attachment, safe=""))
        given = {name.lower(): value for name, value in (message.headers or {}).items()}
        taken_over = {name: given[name] for name in _TAKEN_OVER if name in given} | inject()
        headers = {name.encode(): value.encode() for name, value in taken_over.items()}
        return await self._http.request(
            method,
            f"/api/v1/desks/{quote(desk, safe='')}{address}",
            content=message.data,
            headers={b"content-type": b"application/json"} | headers,
        )


def _attachment_of(body: bytes) -> str:
    """The file that a command names; over HTTP the address does."""
    try:
        content = orjson.loads(body)
    except ValueError:
        content = None
    return str(content.get("attachment") or "-") if isinstance(content, dict) else "-"


async def _respond(nc: Client, message: Msg, answer: httpx.Response | Response) -> None:
    status = answer.status_code
    if not message.reply:
        if status >= 400:
            _log.warning("command without a reply subject not carried out", subject=message.subject, status=status)
        return
    content = bytes(answer.content if isinstance(answer, httpx.Response) else answer.body)
    headers = {STATUS: str(status)} | {name: answer.headers[name] for name in _HANDED_BACK if name in answer.headers}
    if len(content) > nc.max_payload - _ROOM_FOR_HEADERS:
        content = b""
    await nc.publish(message.reply, content, headers=headers)
