"""The span store: several writers, bounds, bad days."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from shared import telemetry
from shared.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.span_store import SpanStoreExporter
from tests.integration.telemetry.kit import REMOTE, export, read_spans, trace_id_of, write_as


def test_processes_write_at_once_into_a_store_that_does_not_exist_yet(store: Path) -> None:
    code = (
        f"for n in range(2000):\n  with t.span('work', parent={REMOTE!r}): pass\n  if n % 50 == 0: active.flush()\n"
        "from shared.telemetry.metrics import spans_dropped\nassert spans_dropped._value.get() == 0"
    )
    writers = [write_as(f"writer{number}", store, code) for number in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    spans = read_spans(store, trace_id_of(REMOTE))
    assert len(spans) == len({span.span_id for span in spans}) == 6000
    assert {span.service for span in spans} == {f"casebound-writer{number}" for number in range(3)}
    with contextlib.closing(sqlite3.connect(store)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_store_keeps_only_the_newest_spans(store: Path) -> None:
    exporter = SpanStoreExporter(store, max_spans=100)
    for batch in range(10):
        export(exporter, [f"{batch}-{number}" for number in range(50)], links=1)
    exporter.shutdown()
    with contextlib.closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT count(*), min(id), max(id) FROM span").fetchone() == (100, 401, 500)
        assert connection.execute("SELECT count(*), min(span) FROM link").fetchone() == (100, 401)


def test_the_store_forgets_spans_that_are_too_old(store: Path) -> None:
    exporter = SpanStoreExporter(store, max_spans=1, max_age_ns=0)
    export(exporter, ["old"])
    exporter.shutdown()
    keeper = SpanStoreExporter(store, max_spans=3, max_age_ns=3600 * 10**9)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE span SET end_ns = end_ns - 7200 * 1000000000")
        connection.commit()
        export(keeper, ["one", "two", "three"])
        assert connection.execute("SELECT name FROM span ORDER BY id").fetchall() == [("one",), ("two",), ("three",)]
    keeper.shutdown()


def test_a_locked_store_drops_and_counts_and_works_again_later(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    exporter = SpanStoreExporter(store)
    export(exporter, ["before"])
    dropped = metrics.spans_dropped._value.get()
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        export(exporter, ["lost", "lost"])
        other.execute("ROLLBACK")
    assert exporter.dropped == 2
    assert metrics.spans_dropped._value.get() - dropped == 2
    assert "can't be written" in caplog.text
    export(exporter, ["after"])
    exporter.shutdown()
    assert _names(store) == ["before", "after"]


def test_a_deleted_store_is_made_again_and_an_impossible_one_hurts_nobody(store: Path, tmp_path: Path) -> None:
    exporter = SpanStoreExporter(store)
    export(exporter, ["before"])
    for file in store.parent.iterdir():
        file.unlink()
    export(exporter, ["after"])
    exporter.shutdown()
    assert _names(store) == ["after"]

    (tmp_path / "file").touch()
    active = telemetry.setup("api", Settings(span_store=tmp_path / "file" / "spans.sqlite"))
    dropped = metrics.spans_dropped._value.get()
    with telemetry.span("dropped"):
        pass
    active.shutdown()
    assert metrics.spans_dropped._value.get() - dropped == 1


def _names(store: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM span ORDER BY id")]
