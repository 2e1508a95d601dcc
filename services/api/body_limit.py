"""How much a request may send: more is refused before it is read into memory."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.problems import Problem

MAX_BODY_BYTES = 1024 * 1024
"""Of JSON: the longest text of a form may be 64 KiB, and JSON can write each byte of it in six."""
_UPLOAD = re.compile(r"/api/v1/desks/[^/]+/attachments/?|/desks/[^/]+/cases/[^/]+/attachments")
"""By a program or a page. Bounded by the desk, and nothing of it is held in memory (``attachments/receiving.py``)."""


class BodyLimit:
    """Answers 413 to longer bodies, whether or not their length is announced. Goes round the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _UPLOAD.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await _too_large().response()(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)


def _too_large() -> Problem:
    return Problem("payload_too_large", f"The request is larger than {MAX_BODY_BYTES} bytes (1 MiB).")
