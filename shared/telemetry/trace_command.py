"""`casebound trace DESK/NUMBER`: the spans of a case's latest command, from HTTP to SMTP."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import asyncpg
from rich.console import Console

from shared.db.roles import Role
from shared.settings import Settings
from shared.telemetry.span_store import SpanStore
from shared.telemetry.trace_view import Node, load, render
from shared.telemetry.tracing import SERVICE_PREFIX, STORE_DELAY_MS, remote_span

WAIT = 5.0
"""Seconds to wait for spans that are still on their way."""
_STABLE = 3 * STORE_DELAY_MS / 1000
_POLL = 0.1
_LAST_SERVICE = f"{SERVICE_PREFIX}notifier"
_RECENT = timedelta(seconds=30)
_WIDE = 110
WIDTH_IN_A_FILE = 160

_LATEST = """
SELECT c.id IS NOT NULL AS found, e.seq, e.command, e.at, e.recorded_at, e.traceparent
FROM desk d
LEFT JOIN "case" c ON c.desk_id = d.id AND c.number = $2
LEFT JOIN LATERAL (
    SELECT seq, command, at, recorded_at, traceparent FROM case_event
    WHERE case_id = c.id AND traceparent IS NOT NULL ORDER BY seq DESC LIMIT 1
) e ON true
WHERE d.slug = $1
"""


@dataclass(frozen=True)
class LatestCommand:
    """The latest command of a case that was traced."""

    name: str
    seq: int
    at: datetime
    """By the case's own clock, which `casebound fast-forward` moves."""
    recorded_at: datetime
    trace_id: str


def run(settings: Settings, desk: str, number: int) -> None:
    """Print the spans of a case's latest command as a tree with times.

    Args:
        settings: the stack's settings.
        desk: the desk's slug.
        number: the case's number.

    Raises:
        SystemExit: with status 1 after a message, if there is no stack, case, or span to show.
    """
    command = asyncio.run(_latest_command(settings, desk, number))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_IN_A_FILE)
    console.print(
        f"[bold]{desk}/{number}[/] {command.name} (seq {command.seq}, {command.at.astimezone(UTC):%F %T} UTC) "
        f"· trace {command.trace_id}",
        highlight=False,
    )
    root = _read(settings, command)
    console.print(render(root, bars=console.width >= _WIDE))
    if _awaits_notifier(command) and not _has_notifier(root):
        console.print(f"The notifier's spans had not arrived after {WAIT:g} s; ask again, or see `casebound doctor`.")


async def _latest_command(settings: Settings, desk: str, number: int) -> LatestCommand:
    row = await _query(settings, desk, number)
    if row is None:
        _fail(f"There is no desk {desk}. `casebound desk apply FILE.yaml` makes one.")
    if not row["found"]:
        _fail(f"Desk {desk} has no case {number}.")
    remote = remote_span(row["traceparent"])
    if not remote:
        _fail(f"No command of {desk}/{number} was traced. {_how_to_trace(settings)}")
    trace_id = f"{remote.get_span_context().trace_id:032x}"
    return LatestCommand(row["command"], row["seq"], row["at"], row["recorded_at"], trace_id)


async def _query(settings: Settings, desk: str, number: int) -> asyncpg.Record | None:
    dsn = settings.database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        connection = await asyncpg.connect(dsn, timeout=WAIT, server_settings=Role.SERVICE.settings)
        try:
            return await connection.fetchrow(_LATEST, desk, number, timeout=WAIT)
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        _fail(
            f"The database can't be asked ({type(error).__name__}: {error}). Is the stack running? Start it with "
            "`casebound up`, or name its folder with --data-dir."
        )


def _read(settings: Settings, command: LatestCommand) -> Node:
    if not settings.span_store:
        _fail(f"This stack keeps no spans of its own. {_how_to_trace(settings)} Trace: {command.trace_id}.")
    try:
        with closing(SpanStore(settings.span_store)) as store:
            root = _settled(store, command)
    except FileNotFoundError:
        _fail(f"There is no span store at {settings.span_store}: no service has written a span yet.")
    except sqlite3.Error as error:
        _fail(f"The span store {settings.span_store} can't be read: {error}. Delete it; the services make a new one.")
    if not root:
        _fail(
            f"The span store has no spans of trace {command.trace_id}. It keeps seven days, and nothing of commands "
            "that came while OTEL_SDK_DISABLED was set or that OTEL_TRACES_SAMPLER left out."
        )
    return root


def _settled(store: SpanStore, command: LatestCommand) -> Node | None:
    """Read until no more spans come and, for a recent command, the notifier's are there; at most `WAIT` seconds."""
    deadline = time.monotonic() + WAIT
    seen, since = -1, time.monotonic()
    while True:
        root = load(store, command.trace_id)
        count = sum(1 for _ in root.walk()) if root else 0
        now = time.monotonic()
        if count != seen:
            seen, since = count, now
        complete = root is not None and (not _awaits_notifier(command) or _has_notifier(root))
        if now > deadline or (complete and now - since >= _STABLE):
            return root
        time.sleep(_POLL)


def _awaits_notifier(command: LatestCommand) -> bool:
    return datetime.now(UTC) - command.recorded_at < _RECENT


def _has_notifier(root: Node) -> bool:
    return any(node.span.service == _LAST_SERVICE for node in root.walk())


def _how_to_trace(settings: Settings) -> str:
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if settings.span_store:
        return "Send it a command while OTEL_SDK_DISABLED is not set, and ask again."
    if endpoint:
        return f"Its spans go to {endpoint}: look there."
    return (
        "Set CASEBOUND_SPAN_STORE to a file to keep spans here (`casebound up` does), "
        "or look in the collector that OTEL_EXPORTER_OTLP_ENDPOINT names for the services."
    )


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(message, style="red", highlight=False, markup=False)
    raise SystemExit(1)
