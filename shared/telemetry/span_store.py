"""The local span store: recent spans of all services of one machine, in one SQLite file.

Several processes write at once, each through a connection of its own. It is a convenience for `casebound trace`: what
can't be written is dropped and counted, the service never notices.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import SERVICE_NAME
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from shared.telemetry.metrics import spans_dropped

MAX_SPANS = 200_000
MAX_AGE_NS = 7 * 24 * 3600 * 10**9
BUSY_TIMEOUT = 2.0
_PRUNE_EVERY = 5_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS span (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_id TEXT,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    status TEXT NOT NULL,
    attributes TEXT NOT NULL,
    links TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS span_trace ON span (trace_id);
CREATE TABLE IF NOT EXISTS link (trace_id TEXT NOT NULL, span INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS link_trace ON link (trace_id);
CREATE INDEX IF NOT EXISTS link_span ON link (span);
"""
_INSERT = """
INSERT INTO span (trace_id, span_id, parent_id, service, name, kind, start_ns, end_ns, status, attributes, links)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_COLUMNS = "trace_id, span_id, parent_id, service, name, kind, start_ns, end_ns, status, attributes, links"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span as read from the store. Times in nanoseconds since the epoch; `links` are (trace id, span id)."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        return self.status.startswith("error")


class SpanStoreExporter(SpanExporter):
    """Writes ended spans into the store; runs in the batch processor's thread.

    Args:
        path: the SQLite file; made, with its folder, when it is missing.
        max_spans: how many spans are kept, about.
        max_age_ns: how long they are kept, in nanoseconds.
    """

    def __init__(self, path: Path, *, max_spans: int = MAX_SPANS, max_age_ns: int = MAX_AGE_NS) -> None:
        self.path = path
        self.dropped = 0
        self._max_spans = max_spans
        self._max_age_ns = max_age_ns
        self._connection: sqlite3.Connection | None = None
        self._written_since_prune = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            connection = self._connected()
            with _transaction(connection):
                for span in spans:
                    _insert(connection, span)
                self._prune(connection, len(spans))
        except (sqlite3.Error, OSError) as error:
            self._drop(len(spans), error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        if self._connection:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _connected(self) -> sqlite3.Connection:
        # A file that was deleted under us would go on taking spans that nobody can read.
        if self._connection and not self.path.exists():
            self.shutdown()
        if not self._connection:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open(self.path)
        return self._connection

    def _prune(self, connection: sqlite3.Connection, written: int) -> None:
        self._written_since_prune += written
        if self._written_since_prune < min(_PRUNE_EVERY, self._max_spans):
            return
        self._written_since_prune = 0
        newest = connection.execute("SELECT max(id) FROM span").fetchone()[0]
        # Ids follow time, so the first one that is young enough ends the walk.
        young = connection.execute(
            "SELECT id FROM span WHERE end_ns >= ? ORDER BY id LIMIT 1", (time.time_ns() - self._max_age_ns,)
        ).fetchone()
        keep_from = max(newest - self._max_spans + 1, young[0] if young else newest)
        connection.execute("DELETE FROM link WHERE span < ?", (keep_from,))
        connection.execute("DELETE FROM span WHERE id < ?", (keep_from,))

    def _drop(self, count: int, error: Exception) -> None:
        if not self.dropped:
            _logger.warning("The span store %s can't be written, spans are dropped: %s", self.path, error)
        self.dropped += count
        spans_dropped.inc(count)
        self.shutdown()


class SpanStore:
    """Reads the store.

    Args:
        path: the SQLite file.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(path)
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT)

    def close(self) -> None:
        self._connection.close()

    def trace(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of a trace, in the order of their start."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM span WHERE trace_id = ? ORDER BY start_ns, id",  # noqa: S608 - a constant
            (trace_id,),
        )
        return [_read(row) for row in rows]

    def linked_to(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of other traces that work for this one too, in the order of their start."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM span WHERE id IN (SELECT span FROM link WHERE trace_id = ?) "  # noqa: S608
            "AND trace_id <> ? ORDER BY start_ns, id",
            (trace_id, trace_id),
        )
        return [_read(row) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself while another process switches the journal mode.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, span: ReadableSpan) -> None:
    context = span.context
    links = [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links]
    row = connection.execute(
        _INSERT,
        (
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            f"{span.parent.span_id:016x}" if span.parent else None,
            str(span.resource.attributes.get(SERVICE_NAME, "")),
            span.name,
            span.kind.name.lower(),
            span.start_time,
            span.end_time,
            _status(span),
            json.dumps(dict(span.attributes or {}), default=str),
            json.dumps(links),
        ),
    ).lastrowid
    for trace_id in {trace_id for trace_id, _ in links}:
        connection.execute("INSERT INTO link (trace_id, span) VALUES (?, ?)", (trace_id, row))


def _status(span: ReadableSpan) -> str:
    if span.status.status_code is not StatusCode.ERROR:
        return span.status.status_code.name.lower()
    return f"error: {span.status.description}" if span.status.description else "error"


def _read(row: tuple[Any, ...]) -> StoredSpan:
    *columns, attributes, links = row
    linked = tuple((trace_id, span_id) for trace_id, span_id in json.loads(links))
    fields = (*columns, json.loads(attributes), linked)
    return StoredSpan(*fields)
