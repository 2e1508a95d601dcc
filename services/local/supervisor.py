"""Starts the parts of a stack together, keeps them running, stops them in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from services.local.data_dir import DataDir
from services.local.keeper import Keeper
from services.local.part import Part

_STOP_ORDER = ("api", "notifier", "search", "worker", "temporal", "nats", "postgres")
"""Callers before what they call."""


class Report(Protocol):
    """Where progress goes."""

    def starting(self, names: Sequence[str]) -> None: ...

    def ready(self, name: str, version: str, seconds: float) -> None: ...

    def note(self, sentence: str) -> None: ...


class Supervisor:
    """Owns the processes of one stack."""

    def __init__(self, data_dir: DataDir, report: Report) -> None:
        self._data_dir = data_dir
        self._report = report
        self._keepers: dict[str, Keeper] = {}

    @property
    def pids(self) -> dict[str, int]:
        return {name: keeper.pid for name, keeper in self._keepers.items() if keeper.pid is not None}

    async def start(self, parts: Sequence[Part], changed: Callable[[], None]) -> None:
        """Start parts side by side and wait until all are ready.

        Args:
            parts: what to start.
            changed: called whenever ``pids`` has changed later on.

        Raises:
            StackError: one can't be started; the others go on until ``stop``.
        """
        self._report.starting([part.name for part in parts])
        keepers = [Keeper(part, self._data_dir, self._report.note) for part in parts]
        self._keepers |= {keeper.part.name: keeper for keeper in keepers}
        tasks = [asyncio.create_task(self._start(keeper, changed)) for keeper in keepers]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop everything, one after the other, callers first."""
        for name in _STOP_ORDER:
            keeper = self._keepers.pop(name, None)
            if keeper is not None and not await keeper.stop():
                self._report.note(f"{name} did not stop within {keeper.part.stop_timeout:.0f} s and was killed")

    async def _start(self, keeper: Keeper, changed: Callable[[], None]) -> None:
        since = time.monotonic()
        version = await keeper.start(changed)
        self._report.ready(keeper.part.name, version, time.monotonic() - since)
