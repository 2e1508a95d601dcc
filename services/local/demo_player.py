"""Plays the stories of the demo desks' cases: over HTTP as their people, each step at its own time in the past."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx

from services.local.clock import Clocks, opened_clocks
from services.local.demo_stories import Step, Story, replies_of
from services.local.errors import StackError
from shared.settings import Settings
from shared.tokens import issue

AT_ONCE = 12
"""Cases whose stories are played side by side."""
_TOKEN_TTL = timedelta(minutes=10)
_REQUEST_SECONDS = 30.0


async def play_stories(settings: Settings, api: str, stories: Mapping[str, Sequence[Story]]) -> None:
    """Give demo desks their cases; what an interrupted start has played already is not repeated.

    Args:
        settings: of the running stack, in development.
        api: address of its API.
        stories: by desk.

    Raises:
        StackError: a step was refused.
    """
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with (
        opened_clocks(settings, pool_size=AT_ONCE) as clocks,
        httpx.AsyncClient(base_url=api, timeout=_REQUEST_SECONDS, limits=limits, trust_env=False) as http,
    ):
        turns = asyncio.Semaphore(AT_ONCE)
        players = [_Player(settings, http, clocks, desk, turns) for desk in stories]
        await asyncio.gather(*(player.play(stories[player.desk]) for player in players))


class _Player:
    """Plays the stories of one desk."""

    def __init__(
        self, settings: Settings, http: httpx.AsyncClient, clocks: Clocks, desk: str, turns: asyncio.Semaphore
    ) -> None:
        self.desk = desk
        self._settings = settings
        self._http = http
        self._clocks = clocks
        self._turns = turns

    async def play(self, stories: Sequence[Story]) -> None:
        """Open all cases in order, so that their numbers are the same at every first start; then live their lives."""
        for reply in replies_of(self.desk):
            form = {"name": reply.name, "body": reply.body, "shared": True}
            await self._ask(reply.by, "POST /replies", f"reply/{reply.name}", json=form)
        numbers = [await self._open(index, story) for index, story in enumerate(stories, start=1)]
        await asyncio.gather(*(self._live(number, story) for number, story in zip(numbers, stories, strict=True)))

    async def _open(self, index: int, story: Story) -> int:
        answer = await self._ask(story.by, "POST /cases", f"{index}/opened", story.ago, json=story.case)
        return int(answer["number"])

    async def _live(self, number: int, story: Story) -> None:
        async with self._turns:
            behind = -await self._clocks.offset(self.desk, number)
            left = story.ago
            for index, step in enumerate(story.then, start=1):
                left -= step.after
                behind = await self._move(number, behind, left)
                await self._do(number, step, f"{number}/{index}", left)
            await self._move(number, behind, timedelta())

    async def _do(self, number: int, step: Step, key: str, ago: timedelta) -> None:
        if step.action == "edit":
            await self._ask(step.by, f"PATCH /cases/{number}", key, json=step.body)
            return
        files = [await self._upload(step.by, *file, f"{key}/{index}") for index, file in enumerate(step.files.items())]
        body = {**step.body, "attachments": files} if files else step.body
        answer = await self._ask(step.by, f"POST /cases/{number}/{step.action}", key, ago, json=body)
        if step.action == "follow-up":
            follow_up = int(answer["number"])
            await self._move(follow_up, -await self._clocks.offset(self.desk, follow_up), timedelta())

    async def _move(self, number: int, behind: timedelta, target: timedelta) -> timedelta:
        """Move a case's clock that is behind by so much, until it is behind by ``target`` at most."""
        if behind <= target:
            return behind
        await self._clocks.move(self.desk, number, behind - target)
        return target

    async def _upload(self, by: str, filename: str, text: str, key: str) -> str:
        file = {"file": (filename, text.encode())}
        return str((await self._ask(by, "POST /attachments", key, files=file))["id"])

    async def _ask(
        self, who: str, route: str, key: str, ago: timedelta = timedelta(), **content: Any
    ) -> dict[str, Any]:
        """Send a request, once and for all under this key; a case that it opens was opened so long ago."""
        headers = {
            "Authorization": f"Bearer {issue(self._settings, who, self.desk, _TOKEN_TTL)}",
            "Idempotency-Key": f"demo/{self.desk}/{key}",
            "Casebound-Opened-Ago": str(int(ago.total_seconds())),
        }
        method, path = route.split()
        answer = await self._http.request(method, f"/api/v1/desks/{self.desk}{path}", headers=headers, **content)
        if answer.is_error:
            raise StackError(
                f"the demo's step {key} of {self.desk}, {route} by {who}, was refused: {answer.text[:500]}"
            )
        told: dict[str, Any] = answer.json()
        return told
