"""The real product as a test sees it: `casebound up` as a process of its own on a directory of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.local.data_dir import DataDir
from shared.settings import STACK_JSON, Settings, load_settings

PARTS = ("postgres", "nats", "temporal", "api", "worker", "search", "notifier")
SETTINGS = {
    "CASEBOUND_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "CASEBOUND_WEBHOOK_RETRY_SECONDS": "[0.5, 0.5, 1, 2, 5]",
}
START_TIMEOUT = 120.0
STOP_TIMEOUT = 60.0


@dataclass
class Stack:
    """A stack that runs on a data directory, whoever started it."""

    data_dir: Path

    @property
    def addresses(self) -> dict[str, Any]:
        """`stack.json` as it is now."""
        found: dict[str, Any] = json.loads((self.data_dir / STACK_JSON).read_text())
        return found

    @property
    def api(self) -> str:
        return str(self.addresses["api"])

    @property
    def settings(self) -> Settings:
        return load_settings(self.data_dir)

    def pid(self, part: str) -> int:
        return int(self.addresses["pids"][part])

    def casebound(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command against this stack."""
        return casebound(*arguments, "--data-dir", str(self.data_dir), timeout=timeout)

    def logs(self) -> str:
        """What the supervisor printed, and the end of every part's log."""
        return logs(self.data_dir)


@dataclass
class RunningStack(Stack):
    """A stack that was started by `start_stack`."""

    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop it as an operator would, and fail unless it stops cleanly."""
        self.process.terminate()
        try:
            code = self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its children end with it
            self.process.wait()
            raise AssertionError(f"did not stop within {STOP_TIMEOUT} s\n{self.logs()}") from None
        output = (self.data_dir / "up.out").read_text()
        assert code == 0, f"ended with {code}\n{self.logs()}"
        assert "was killed" not in output, f"a part did not stop when asked\n{self.logs()}"
        assert not (self.data_dir / STACK_JSON).exists(), "stack.json was left behind"


def casebound(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the command `casebound` to its end."""
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def start_stack(data_dir: Path, *, demo: bool = False) -> RunningStack:
    """Start the product on free ports, without demo desks unless told so, and wait until it says that it is ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / STACK_JSON).unlink(missing_ok=True)
    command = [sys.executable, "-m", "services.cli", "up", "--data-dir", str(data_dir), "--port", "0"]
    command.append("--demo" if demo else "--no-demo")
    with (data_dir / "up.out").open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | SETTINGS
        )
    stack = RunningStack(data_dir, process)
    try:
        wait_for(lambda: (data_dir / STACK_JSON).exists() or process.poll() is not None, START_TIMEOUT, "a start")
        assert process.poll() is None, "the stack did not start"
    except BaseException as error:
        process.terminate()
        process.wait(STOP_TIMEOUT)
        raise AssertionError(f"{error}\n{stack.logs()}") from error
    return stack


@contextmanager
def stack_directory() -> Iterator[Path]:
    """A new directory, removed at the end.

    Not under pytest's own: every pytest that starts closes that one again to other users, of whom Postgres is one when
    root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="casebound-", ignore_cleanup_errors=True) as directory:
        yield Path(directory).resolve()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Poll until the condition holds; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.05)


def logs(data_dir: Path) -> str:
    """The ends of all logs in a stack's directory."""
    output = data_dir / "up.out"
    parts = [f"--- casebound up\n{output.read_text()}"] if output.exists() else []
    names = sorted(log.stem for log in (data_dir / "logs").glob("*.log"))
    parts += [f"--- {name}\n" + "\n".join(DataDir(data_dir).log_tail(name, lines=25)) for name in names]
    return "\n".join(parts)
