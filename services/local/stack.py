"""The parts of one stack and the settings that tie them together."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from services.local.checks import nats_version, postgres_version, temporal_version
from services.local.data_dir import DataDir
from services.local.errors import StackError, UnreachableError
from services.local.leftovers import end_leftovers
from services.local.nats import Nats
from services.local.part import Part
from services.local.ports import LOOPBACK, choose_ports, is_free
from services.local.postgres import Postgres
from services.local.service import SERVICES, Service
from services.local.temporal import Temporal
from shared.settings import load_settings

_SERVER_PORTS = ("postgres", "nats", "nats_monitor", "temporal", "temporal_ui")


class Stack:
    """Which servers and services run, on which ports, with which settings."""

    def __init__(self, data_dir: DataDir, api_port: int) -> None:
        """Plan a stack; nothing is started.

        Args:
            data_dir: locked by the caller.
            api_port: of the API; 0 for any that is free.

        Raises:
            StackError: the port is taken, or a server's program is not installed.
        """
        self.data_dir = data_dir
        self._given = {name: value for name, value in os.environ.items() if name.startswith("CASEBOUND_")}
        self._kept = data_dir.load_kept()
        self._ports = dict.fromkeys([*_SERVER_PORTS, *SERVICES], 0)
        end_leftovers([*self._plan_servers(), *self._plan_services({})])

        self._ports = self._kept.ports = choose_ports(self._ports, self._kept.ports)
        data_dir.save_kept(self._kept)
        if api_port:
            self._ports = self._ports | {"api": _require_free(api_port)}
        self.servers = self._plan_servers()
        values = self._values()
        self.services = self._plan_services(values)
        data_dir.write_env(values)
        self.settings = load_settings(data_dir.path)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each part is reached, as ``stack.json`` has it."""
        ui = f"http://{LOOPBACK}:{self._ports['temporal_ui']}"
        api = f"http://{LOOPBACK}:{self._ports['api']}"
        return {
            "api": api,
            "temporal": self.settings.temporal_address,
            "temporal_ui": ui if any(part.name == "temporal" for part in self.servers) else "",
            "nats": self.settings.nats_url,
            "postgres": self.settings.database_url,
            "mailbox": f"{api}/dev/mailbox",
        }

    async def check_external(self) -> list[tuple[str, str]]:
        """Connect to the servers that settings name in place of embedded ones.

        Returns:
            Name and version of each.

        Raises:
            StackError: one does not answer.
        """
        settings = self.settings
        checks: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
            ("postgres", "CASEBOUND_DATABASE_URL", partial(postgres_version, settings.database_url)),
            ("nats", "CASEBOUND_NATS_URL", partial(nats_version, settings.nats_url)),
            (
                "temporal",
                "CASEBOUND_TEMPORAL_ADDRESS",
                partial(temporal_version, settings.temporal_address, settings.temporal_namespace),
            ),
        ]
        found = []
        for name, setting, check in checks:
            if not self._given.get(setting):
                continue
            try:
                found.append((name, await check()))
            except UnreachableError as error:
                raise StackError(f"can't reach the {name} that {setting} names: {error}") from error
        return found

    def _plan_servers(self) -> list[Part]:
        ports, kept, given = self._ports, self._kept, self._given
        servers: list[Part] = []
        if not given.get("CASEBOUND_DATABASE_URL"):
            servers.append(Postgres(self.data_dir, ports["postgres"], kept.postgres_password))
        if not given.get("CASEBOUND_NATS_URL"):
            servers.append(Nats(self.data_dir, ports["nats"], ports["nats_monitor"]))
        if not given.get("CASEBOUND_TEMPORAL_ADDRESS"):
            namespace = given.get("CASEBOUND_TEMPORAL_NAMESPACE", "default")
            servers.append(
                Temporal(self.data_dir, port=ports["temporal"], ui_port=ports["temporal_ui"], namespace=namespace)
            )
        return servers

    def _plan_services(self, values: Mapping[str, str]) -> list[Part]:
        return [Service(name, self.data_dir, self._ports[name], values) for name in SERVICES]

    def _values(self) -> dict[str, str]:
        """Every ``CASEBOUND_`` variable of this stack: generated, then those given from outside, then fixed ones."""
        directory = self.data_dir.path
        generated = {
            "CASEBOUND_DEVELOPMENT": "true",
            "CASEBOUND_SECRET_KEY": self._kept.secret_key,
            "CASEBOUND_PAYLOAD_KEYS": self._kept.payload_keys,
            "CASEBOUND_SPAN_STORE": str(directory / "spans.db"),
            "CASEBOUND_PUBLIC_URL": f"http://{LOOPBACK}:{self._ports['api']}",
        }
        for server in self.servers:
            generated |= server.settings
        fixed = {"CASEBOUND_DATA_DIR": str(directory), "CASEBOUND_API_PORT": str(self._ports["api"])}
        return generated | self._given | fixed


def _require_free(port: int) -> int:
    if not is_free(port):
        raise StackError(f"port {port} is in use: stop what uses it, or give another with --port (0 for any)")
    return port
