"""Answers remembered for a moment."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Remembers values for some seconds, at most so many.

    Args:
        seconds: after which a value is forgotten.
        size: beyond which the oldest is forgotten.
        clock: seconds that only grow.
    """

    def __init__(self, seconds: float, size: int = 1_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """The value, if it is remembered."""
        until, value = self._values.get(key, (0.0, None))
        return value if self._clock() < until else None

    def put(self, key: Hashable, value: Value) -> None:
        """Remember a value from now on."""
        self._values.pop(key, None)
        self._values[key] = (self._clock() + self._seconds, value)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
