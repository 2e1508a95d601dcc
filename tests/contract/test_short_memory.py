"""What the API remembers for a moment."""

from __future__ import annotations

import asyncio

import pytest

from services.api.short_memory import ShortMemory


async def test_what_nobody_waits_for_any_more_has_ended_when_it_is_closed() -> None:
    memory, ended, asking = ShortMemory[str](1.0), asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        asking.set()
        try:
            return await asyncio.Future[str]()
        finally:
            ended.set()

    waiting = asyncio.create_task(memory.get("key", ask))
    await asking.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not ended.is_set()
    await memory.close()
    assert ended.is_set()
