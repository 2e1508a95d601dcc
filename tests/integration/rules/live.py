"""Listening to a desk's live events as a page does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.client import Caller, Json
from tests.waiting import PATIENCE


class Live:
    """What one person hears."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def rest_of(self, start: str) -> str:
        """What stands on the next line that begins so."""
        async for line in self._lines:
            if line.startswith(start):
                return line.removeprefix(start)
        raise EOFError

    async def until(self, number: int, seq: int) -> list[Json]:
        """The events of a case, up to that one."""
        heard: list[Json] = []
        async with asyncio.timeout(PATIENCE):
            while not heard or heard[-1]["data"]["seq"] != seq:
                event = json.loads(await self.rest_of("data: "))
                if event["data"]["case"]["number"] == number:
                    heard.append(event)
        return heard


@asynccontextmanager
async def listening(who: Caller) -> AsyncIterator[Live]:
    """Listen from now on."""
    path = f"/api/v1/desks/{who.desk}/events/stream"
    headers = {"Authorization": f"Bearer {who.token}"}
    async with (
        httpx.AsyncClient(base_url=who.connections.url, timeout=PATIENCE, trust_env=False) as http,
        http.stream("GET", path, headers=headers) as answer,
    ):
        live = Live(answer.aiter_lines())
        await live.rest_of(": following")
        yield live
