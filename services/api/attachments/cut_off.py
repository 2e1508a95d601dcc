"""Answering an upload before all of it has come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.types import Receive, Scope, Send

from services.api.answers import PROBLEM_JSON, Json
from services.api.attachments.pace import Pace
from services.api.problems import Problem

LINGER_SECONDS = 5.0
"""Closing at once would take the answer from a sender who reads it only after having sent everything."""


class Incoming:
    """The body of a request, chunk by chunk.

    Attributes:
        ended: whether all of it has come.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """What comes in.

        Raises:
            Problem: 408, as it comes too slowly.
        """
        pace, stream = Pace(), self._request.stream()
        while (chunk := await pace.next(stream)) is not None:
            yield chunk
        self.ended = True


class CutOff(Json):
    """The answer goes out at once; what still comes in is thrown away for a moment, then the connection is closed."""

    def __init__(self, problem: Problem) -> None:
        headers = {**problem.headers, "Connection": "close"}
        super().__init__(problem.body(), problem.status, headers, media_type=PROBLEM_JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (as ASGI has it)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b""})
