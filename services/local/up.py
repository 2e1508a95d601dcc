"""``casebound up``: the embedded stack in the foreground."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from services.local.data_dir import DataDir
from services.local.demo import apply_demo_desks
from services.local.demo_stories import Story, untold_stories
from services.local.errors import StackError
from services.local.stack import Stack
from services.local.supervisor import Report, Supervisor
from shared.settings import Settings

DEMO_PATIENCE = 15.0
"""Seconds for which a first start waits for the demo cases; a slow machine finishes them when it is ready."""
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def up(data_dir: Path, *, port: int, demo: bool) -> int:
    """Run the stack until Ctrl-C or SIGTERM.

    Args:
        data_dir: where everything is kept; another start on it goes on from there.
        port: of the API; 0 for any that is free.
        demo: whether to create the demo desks.

    Returns:
        The exit code: 0 after a stop that was asked for, 1 when the stack could not be started.
    """
    console = Console(highlight=False)
    directory = DataDir(data_dir)
    try:
        with directory.lock():
            asyncio.run(_run(directory, port, _Progress(console), demo=demo))
    except StackError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


@asynccontextmanager
async def running_servers(directory: DataDir, report: Report) -> AsyncIterator[Settings]:
    """The embedded servers alone, migrated, without our services: for tests of one service.

    Args:
        directory: where they keep their data.
        report: is told how they start.

    Yields:
        The settings by which to reach them.
    """
    with directory.lock():
        stack = Stack(directory, api_port=0)
        supervisor = Supervisor(directory, report)
        try:
            await supervisor.start(stack.servers, changed=lambda: None)
            await _migrate(stack.settings)
            yield stack.settings
        finally:
            await supervisor.stop()


async def _run(directory: DataDir, port: int, progress: _Progress, *, demo: bool) -> None:
    """Start, wait for a signal, stop; a signal while starting stops what has been started."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in _STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # under nohup it stays ignored
            loop.add_signal_handler(number, asked.set)
    directory.stack_json.unlink(missing_ok=True)
    supervisor = Supervisor(directory, progress)
    serving = asyncio.create_task(_serve(directory, port, supervisor, progress, demo=demo))
    waiting = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            await waiting
    finally:
        waiting.cancel()
        serving.cancel()
        await asyncio.wait([serving])
        directory.stack_json.unlink(missing_ok=True)
        progress.stopping()
        await supervisor.stop()
        progress.stopped()


async def _serve(directory: DataDir, port: int, supervisor: Supervisor, progress: _Progress, *, demo: bool) -> None:
    """Bring everything up and return when it is ready."""
    stack = Stack(directory, port)

    def write_stack() -> None:
        directory.write_stack({**stack.addresses, "pids": supervisor.pids})

    for name, version in await stack.check_external():
        progress.ready(f"{name} (yours)", version, 0.0)

    def changed() -> None:
        if directory.stack_json.exists():
            write_stack()

    await supervisor.start(stack.servers, changed)
    progress.starting(["database schema"])
    since = time.monotonic()
    await _migrate(stack.settings)
    progress.ready("schema", "newest", time.monotonic() - since)
    log_ins = await asyncio.to_thread(apply_demo_desks, stack.settings) if demo else []
    stories = await untold_stories(stack.settings) if demo and stack.settings.development else {}
    await supervisor.start(stack.services, changed)
    async with asyncio.TaskGroup() as tasks:
        if stories:
            playing = tasks.create_task(_play(stack, stories, progress))
            await asyncio.wait([playing], timeout=DEMO_PATIENCE)
            if not playing.done():
                progress.note("The demo desks get their cases in the background; a line here says when they have all.")
        write_stack()
        progress.all_ready(stack.addresses, log_ins)


async def _play(stack: Stack, stories: Mapping[str, Sequence[Story]], progress: _Progress) -> None:
    """Give the demo desks their cases."""
    from services.local.demo_player import play_stories

    since = time.monotonic()
    progress.starting(["demo cases"])
    try:
        await play_stories(stack.settings, stack.addresses["api"], stories)
    except Exception as error:  # whatever it is, a stack is of use without them
        progress.note(f"The demo cases are not complete; the next start goes on with them. {str(error) or repr(error)}")
    else:
        progress.ready("demo cases", f"{sum(map(len, stories.values()))} played", time.monotonic() - since)


async def _migrate(settings: Settings) -> None:
    from shared.db.migrate import upgrade

    try:
        await asyncio.to_thread(upgrade, settings)
    except PermissionError as error:
        raise StackError(str(error)) from error


class _Progress:
    """Prints a line for each part, and on a terminal what is being waited for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._waiting: list[str] = []
        self._since = time.monotonic()

    def starting(self, names: Sequence[str]) -> None:
        self._waiting = list(names)
        self._show()

    def ready(self, name: str, version: str, seconds: float) -> None:
        self._waiting = [each for each in self._waiting if each != name]
        self._console.print(f"[green]✓[/green] {name:<10} {escape(version):<10} {seconds:5.1f} s")
        self._show()

    def note(self, sentence: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {escape(sentence)}", soft_wrap=True)

    def all_ready(self, addresses: dict[str, str], log_ins: Sequence[str]) -> None:
        self._hide()
        self._console.print(f"\nReady after {time.monotonic() - self._since:.1f} s.\n")
        shown = {
            "Casebound": addresses["api"],
            "API pages": f"{addresses['api']}/docs",
            "Mailbox": addresses["mailbox"],
            "Temporal": addresses["temporal_ui"],
        }
        for name, address in shown.items():
            if address:
                self._console.print(f"  {name:<10} {address}", soft_wrap=True)
        if log_ins:
            self._console.print("\nDemo log-ins:")
        for line in log_ins:
            self._console.print(f"  {escape(line)}", soft_wrap=True)
        self._console.print("\nCtrl-C stops it.")

    def stopping(self) -> None:
        self._hide()
        self._console.print("Stopping …")

    def stopped(self) -> None:
        self._console.print("Stopped.")

    def _show(self) -> None:
        self._hide()
        if self._waiting and self._console.is_terminal:
            self._status = self._console.status(f"starting {', '.join(self._waiting)}")
            self._status.start()

    def _hide(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
