"""Keeps one process running."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

from services.local.data_dir import DataDir
from services.local.errors import StackError, UnreachableError
from services.local.part import Part

_POLL = 0.05
_PROBE_TIMEOUT = 8.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 4.0
_STEADY = 30.0
"""Seconds of running after which a process that dies is started again without a growing delay."""
_START_TRIES = 5


class Keeper:
    """Starts a part, starts it again when it dies, stops it."""

    def __init__(self, part: Part, data_dir: DataDir, announce: Callable[[str], None]) -> None:
        """Take charge of a part.

        Args:
            part: what to run.
            data_dir: where its log is.
            announce: is told in a sentence what happens to the part once it has been started.
        """
        self.part = part
        self.pid: int | None = None
        """Of the process that was last ready."""
        self._data_dir = data_dir
        self._announce = announce
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, changed: Callable[[], None]) -> str:
        """Start the part, wait until it is ready, and watch it from then on.

        Args:
            changed: called when a new process has taken the old one's place.

        Returns:
            Its version.

        Raises:
            StackError: it can't be started; the message ends with the last lines of its log.
        """
        delay = _FIRST_DELAY
        for attempt in range(1, _START_TRIES + 1):
            try:
                version = await self._start_once()
                break
            except UnreachableError as error:
                # What an earlier run left behind, a killed Postgres' backends say, may take a moment to go.
                if attempt == _START_TRIES or self._is_alive():
                    raise StackError(self._failure(str(error))) from error
            await asyncio.sleep(delay)
            delay *= 2
        self._watch = asyncio.create_task(self._keep(changed), name=f"keep {self.part.name}")
        return version

    async def stop(self) -> bool:
        """Stop the process and watch it no longer.

        Returns:
            Whether it stopped in time; otherwise it has been killed.
        """
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        process = self._process
        if process is None or process.returncode is not None:
            return True
        _send(process, self.part.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.part.stop_timeout)
        except TimeoutError:
            await self._kill()
            return False
        return True

    async def _start_once(self) -> str:
        """Run the process until it is ready.

        Raises:
            UnreachableError: it ended before, or was not ready in time (then it still runs).
        """
        await asyncio.to_thread(self.part.prepare)
        process = self._process = await self.part.launch(self._data_dir)
        deadline = time.monotonic() + self.part.ready_timeout
        while True:
            try:
                version = await asyncio.wait_for(self.part.probe(), _PROBE_TIMEOUT)
            except (UnreachableError, TimeoutError) as error:
                reason = str(error) or "no answer"
            else:
                self.pid = process.pid
                return version
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _POLL)
            if process.returncode is not None:
                raise UnreachableError(f"it {_how_it_ended(process.returncode)} before it was ready")
            if time.monotonic() > deadline:
                raise UnreachableError(f"it was not ready within {self.part.ready_timeout:.0f} s: {reason}")

    async def _keep(self, changed: Callable[[], None]) -> None:
        delay = _FIRST_DELAY
        while True:
            since = time.monotonic()
            code = await self._wait()
            if time.monotonic() - since > _STEADY:
                delay = _FIRST_DELAY
            self._announce(f"{self.part.name} {_how_it_ended(code)}; starting it again")
            delay = await self._restart(delay)
            changed()
            self._announce(f"{self.part.name} is ready again (process {self.pid})")

    async def _restart(self, delay: float) -> float:
        """Try until the part is ready; returns the delay to go on with."""
        while True:
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
            try:
                await self._start_once()
            except (UnreachableError, StackError) as error:
                self._announce(self._failure(str(error)))
                await self._kill()
            else:
                return delay

    async def _wait(self) -> int:
        assert self._process is not None  # noqa: S101 - only a started part is watched
        return await self._process.wait()

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            _send(self._process, signal.SIGKILL)
            await self._process.wait()

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def _failure(self, reason: str) -> str:
        log = "".join(f"\n  | {line}" for line in self._data_dir.log_tail(self.part.name))
        return f"{self.part.name} can't be started: {reason}. Its log, {self._data_dir.log(self.part.name)}:{log}"


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
