"""Waiting for what comes about by itself."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

PATIENCE = 20.0
"""Seconds for what follows a command, such as mail and search, on a busy machine."""
_PAUSE = 0.05

T = TypeVar("T")


@overload
async def until(condition: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE, what: str = "it") -> T: ...
@overload
async def until(condition: Callable[[], T], seconds: float = PATIENCE, what: str = "it") -> T: ...
async def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "it") -> Any:
    """Ask often until the answer is yes, and return it.

    Args:
        condition: what to ask.
        seconds: how long at most.
        what: is waited for, in words for whoever reads the failure.

    Raises:
        AssertionError: it has not come about.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        await asyncio.sleep(_PAUSE)
