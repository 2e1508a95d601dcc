"""Answers remembered for a moment."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Remembers answers for some seconds, at most so many; many who ask at once wait for one answer.

    Args:
        seconds: after which an answer is forgotten.
        size: beyond which the oldest is forgotten.
        clock: seconds that only grow.
    """

    def __init__(self, seconds: float, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._asked: dict[Hashable, asyncio.Task[Value | None]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """The answer, remembered or asked for; None is not remembered."""
        until, value = self._values.get(key, (0.0, None))
        if self._clock() < until:
            return value
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._ask(key, ask))
        return await asyncio.shield(self._asked[key])

    async def close(self) -> None:
        """Give up what is still being asked: nobody waits for it any more, and it may hold a connection."""
        asked = [*self._asked.values()]
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Value | None]]) -> Value | None:
        try:
            value = await ask()
        finally:
            del self._asked[key]
        if value is not None:
            self._put(key, value)
        return value

    def _put(self, key: Hashable, value: Value) -> None:
        self._values.pop(key, None)
        self._values[key] = (self._clock() + self._seconds, value)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
