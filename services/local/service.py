"""The four services as processes of their own."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from services.local.checks import http_ready
from services.local.data_dir import DataDir
from services.local.errors import NotReadyError
from services.local.part import Part
from services.local.ports import LOOPBACK

SERVICES = ("api", "worker", "search", "notifier")
NICENESS = {"search": 5, "notifier": 5}
"""On one machine commands go first: nobody waits for a mail as for the answer to what they have just sent."""
INDEX_PATIENCE = 20.0
"""Seconds for which everything waits for the index. On a large desk it takes minutes to build; until then lists come
from the record."""


class Service(Part):
    """One of ours, started as ``casebound NAME`` and asked for ``/readyz``."""

    stop_timeout = 30.0

    def __init__(self, name: str, data_dir: DataDir, port: int, settings: Mapping[str, str]) -> None:
        """Describe a service.

        Args:
            name: the command that runs it.
            data_dir: of the stack.
            port: where ``/readyz`` is: of the API itself, else of the service's metrics.
            settings: the stack's ``CASEBOUND_`` variables.
        """
        self.name = name
        self._data_dir = data_dir
        self._port = port
        self._settings = settings
        self._patience_ends = 0.0

    def prepare(self) -> None:
        self._patience_ends = time.monotonic() + INDEX_PATIENCE

    @property
    def niceness(self) -> int:
        return NICENESS.get(self.name, 0)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def identity(self) -> list[str]:
        return [sys.executable, "-P", "-m", "services.cli", self.name, "--data-dir", str(self._data_dir.path)]

    @property
    def arguments(self) -> list[str]:
        return []

    @property
    def environment(self) -> dict[str, str]:
        port = "CASEBOUND_API_PORT" if self.name == "api" else "CASEBOUND_METRICS_PORT"
        return {**self._settings, port: str(self._port)}

    async def probe(self) -> str:
        unready = ""
        try:
            await http_ready(self.url)
        except NotReadyError as error:
            if self.name != "search" or time.monotonic() < self._patience_ends:
                raise
            unready = f" ({error})"
        try:
            return version("casebound") + unready
        except PackageNotFoundError:  # a checkout on the path, not installed
            return unready
