"""Fixtures around the embedded stack. Nothing is shared between pytest-xdist workers."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import structlog

from services.local.data_dir import DataDir
from services.local.ports import choose_ports
from services.local.postgres import Postgres
from services.local.supervisor import Supervisor
from services.local.up import running_servers
from shared.db.migrate import upgrade
from shared.settings import Settings
from tests.stack import RunningStack, logs, stack_directory, start_stack

# What a developer's shell has set must not reach the tests.
for _name in [name for name in os.environ if name.startswith(("CASEBOUND_", "OTEL_"))]:
    del os.environ[_name]


structlog.configure(  # as by default, without the values of all variables: SQLAlchemy's fill thousands of lines
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory for a stack of the test's own."""
    with stack_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The whole product, started once for each worker; it must stop cleanly at the end."""
    with stack_directory() as directory:
        running = start_stack(directory)
        try:
            yield running
        finally:
            running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster() -> AsyncIterator[Settings]:
    """A Postgres, started once for each worker; each file gets a copy of its database."""
    with stack_directory() as path:
        directory = DataDir(path)
        server = Postgres(directory, choose_ports({"postgres": 0}, {})["postgres"], "only-for-tests")
        supervisor = Supervisor(directory, Quiet())
        with directory.lock():
            await supervisor.start([server], changed=lambda: None)
            try:
                settings = Settings(data_dir=path, database_url=server.url)
                await asyncio.to_thread(upgrade, settings)
                yield settings
            finally:
                await supervisor.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(cluster: Settings) -> Settings:
    """Postgres (migrated) alone: a database of the file's own."""
    server, _, template = cluster.database_url.rpartition("/")
    name = f"file_{uuid.uuid4().hex}"
    superuser = await asyncpg.connect(server.replace("//casebound:", "//postgres:") + "/postgres")
    await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER casebound")
    await superuser.close()
    return cluster.model_copy(update={"database_url": f"{server}/{name}"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(postgres: Settings) -> AsyncIterator[Settings]:
    """Postgres, NATS and Temporal alone, for tests that run a service in their own process.

    New for each file: a worker, a notifier or an index of one would go on to live on what the next one does.
    """
    with stack_directory() as directory:
        async with AsyncExitStack() as running:
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("CASEBOUND_DATABASE_URL", postgres.database_url)
                settings = await running.enter_async_context(running_servers(DataDir(directory), Quiet()))
            (directory / "logs" / "postgres.log").symlink_to(postgres.data_dir / "logs" / "postgres.log")
            yield settings


Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print a figure, in a run that passes too."""

    def _say(sentence: str) -> None:
        with capsys.disabled():
            print(f"\n  {sentence}", end="")  # noqa: T201

    return _say


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the servers that a failed test used."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for used in item.funcargs.values():
            if isinstance(used, RunningStack):
                report.sections.append(("logs of the stack", used.logs()))
            elif isinstance(used, Settings):
                report.sections.append(("logs of the servers", logs(used.data_dir)))
    return report


class Quiet:
    def starting(self, names: Sequence[str]) -> None: ...

    def ready(self, name: str, version: str, seconds: float) -> None: ...

    def note(self, sentence: str) -> None: ...
