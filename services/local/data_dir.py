"""What the embedded stack keeps in its data directory."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.local.errors import StackError
from shared.settings import STACK_ENV, STACK_JSON

_LOG_LIMIT = 20 * 1024 * 1024


def _new_payload_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Kept:
    """What is generated at the first start and stays. Without ``payload_keys`` running cases can't be read."""

    payload_keys: str = field(default_factory=_new_payload_key)
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    postgres_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    ports: dict[str, int] = field(default_factory=dict)


class DataDir:
    """One stack's directory: its files, its lock, its logs."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.stack_env = self.path / STACK_ENV
        self.stack_json = self.path / STACK_JSON
        self._kept = self.path / "local.json"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for one supervisor.

        Raises:
            StackError: another stack runs here, or the directory can't be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.log("any").parent.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise StackError(f"can't make the data directory {self.path}: {error.strerror}") from error
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StackError(
                    f"a stack is already running in {self.path} (process {lock.read().strip()}): "
                    "stop it, or give another directory with --data-dir"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def load_kept(self) -> Kept:
        """What earlier starts generated, or new values.

        Raises:
            StackError: the file is there and can't be read.
        """
        if not self._kept.exists():
            return Kept()
        try:
            return Kept(**json.loads(self._kept.read_text()))
        except (ValueError, TypeError, OSError) as error:
            raise StackError(f"can't read {self._kept}, which holds this stack's keys: {error}") from error

    def save_kept(self, kept: Kept) -> None:
        _write_private(self._kept, json.dumps(asdict(kept), indent=2))

    def write_env(self, values: Mapping[str, str]) -> None:
        """Write the settings that services and commands read."""
        quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in sorted(values.items())}
        _write_private(self.stack_env, "".join(f"{name}='{value}'\n" for name, value in quoted.items()))

    def write_stack(self, stack: Mapping[str, Any]) -> None:
        """Say where everything is; private, because addresses may hold a password."""
        _write_private(self.stack_json, json.dumps(stack, indent=2))

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def limit_log(self, name: str) -> None:
        """Set a grown log aside as ``NAME.log.1``."""
        log = self.log(name)
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))

    def log_tail(self, name: str, lines: int = 12) -> list[str]:
        """The last lines of a part's log; empty when there is none."""
        try:
            with self.log(name).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16_384))
                return log.read().decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []


def _write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
