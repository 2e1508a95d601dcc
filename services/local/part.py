"""One process of the stack, as the supervisor sees it."""

from __future__ import annotations

import abc
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import ClassVar

from services.local.data_dir import DataDir

_CHILD = str(Path(__file__).with_name("child.py"))


class Part(abc.ABC):
    """A server or a service: how to start it, know it ready, and stop it."""

    name: str
    user: ClassVar[str] = ""
    """System user to run as; empty for the supervisor's own."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    orphan_signal: ClassVar[signal.Signals] = signal.SIGKILL
    """What it is sent when the supervisor was killed. No part depends on a clean stop."""
    ready_timeout: ClassVar[float] = 60.0
    stop_timeout: ClassVar[float] = 15.0

    @property
    def niceness(self) -> int:
        """How far the process stands back for the others when processors are busy: 0 to 19."""
        return 0

    def prepare(self) -> None:
        """Make or repair what the process needs before each start; may block."""
        return

    @property
    @abc.abstractmethod
    def identity(self) -> list[str]:
        """The beginning of the command line by which a process of this stack and part is known."""

    @property
    @abc.abstractmethod
    def arguments(self) -> list[str]:
        """The rest of the command line."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables over the supervisor's own."""
        return {}

    @property
    def settings(self) -> dict[str, str]:
        """The ``CASEBOUND_`` variables by which services find it."""
        return {}

    @abc.abstractmethod
    async def probe(self) -> str:
        """Use the process for what it is there for.

        Returns:
            Its version.

        Raises:
            UnreachableError: not ready (yet).
        """

    async def launch(self, data_dir: DataDir) -> asyncio.subprocess.Process:
        """Start the process, in a process group of its own: Ctrl-C reaches the supervisor alone.

        Not in a session of its own: Linux shares processors out among sessions before it looks at niceness.
        """
        bonds = [str(os.getpid()), str(self.orphan_signal.value), str(self.niceness), self.user]
        wrapper = [sys.executable, "-I", "-S", _CHILD, *bonds]
        data_dir.limit_log(self.name)
        with data_dir.log(self.name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *wrapper,
                *self.identity,
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
                process_group=0,
            )
