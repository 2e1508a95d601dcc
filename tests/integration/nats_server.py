"""A nats-server that a test may kill and start again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.local.programs import installed
from shared.settings import Settings
from tests.stack import free_port


class Server:
    """One nats-server with a store of its own; the same port and store after a restart."""

    def __init__(self, directory: Path, **config: Any) -> None:
        self.port = free_port()
        self._config = directory / "nats.conf"
        self._config.write_text(
            json.dumps(
                {
                    "listen": f"127.0.0.1:{self.port}",
                    "jetstream": {"store_dir": str(directory / "store"), "sync_interval": "always"},
                    **config,
                }
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        return Settings(nats_url=f"nats://127.0.0.1:{self.port}")

    def start(self) -> None:
        program = installed("nats-server", setting="CASEBOUND_NATS_URL")
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < deadline, "nats-server does not start"
            time.sleep(0.02)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self) -> None:
        if self._process:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
