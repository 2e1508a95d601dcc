"""`casebound trace` from the store and the database to the terminal."""

from __future__ import annotations

import contextlib
import io
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared import telemetry
from shared.settings import Settings
from shared.telemetry import SpanKind, trace_command
from shared.telemetry.span_store import SpanStore, SpanStoreExporter
from shared.telemetry.trace_view import load, render
from tests.integration.telemetry.kit import REMOTE, export, read_spans, trace_id_of, write_as


def _made_trace(traced: telemetry.Telemetry, store: Path) -> str:
    """One command as the services make it, the search service's batch serving another command too."""
    with telemetry.span("POST /comments", kind=SpanKind.SERVER):
        command = telemetry.current_traceparent() or ""
        with telemetry.span("execute"):
            pass
    with telemetry.span("another command"):
        other = telemetry.current_traceparent() or ""
    traced.flush()
    code = (
        f"with t.span('publish', parent={command!r}):\n"
        "  with t.span('INSERT', **{'db.query.text': 'INSERT INTO  case_event VALUES ($1)'}): pass\n"
        f"with t.span('orphan', parent='00-{trace_id_of(command)}-00000000000000ff-01'): pass\n"
    )
    assert write_as("worker", store, code).wait(30) == 0
    published = next(span for span in read_spans(store, trace_id_of(command)) if span.name == "publish")
    link = f"00-{published.trace_id}-{published.span_id}-01"
    code = f"with t.span('index', links=[{link!r}, {other!r}]):\n  with t.span('commit'): pass"
    assert write_as("search", store, code).wait(30) == 0
    code = (
        f"try:\n  with t.span('notify', parent={link!r}):\n    with t.span('mail'): raise OSError('451 try later')\n"
        "except OSError: pass"
    )
    assert write_as("notifier", store, code).wait(30) == 0
    return command


def _rendered(root: Any, width: int = 160) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(render(root, bars=width >= 110))
    return out.getvalue().splitlines()


def test_a_trace_is_one_tree_over_all_services_with_batches_and_failures(
    traced: telemetry.Telemetry, store: Path
) -> None:
    trace_id = trace_id_of(_made_trace(traced, store))
    with contextlib.closing(SpanStore(store)) as reader:
        root = load(reader, trace_id)
    assert root
    lines = _rendered(root)
    tree = [re.sub(r"\s*━+\s*$", "", line).split(maxsplit=3)[2:] for line in lines[1:-1]]
    assert tree == [
        ["api", "POST /comments"],
        ["api", "├─ execute"],
        ["worker", "├─ publish"],
        ["worker", "│  ├─ INSERT  INSERT INTO case_event VALUES ($1)"],
        ["search", "│  ├─ index  [shared by 2 commands]"],
        ["search", "│  │  └─ commit"],
        ["notifier", "│  └─ notify  ✗ error: OSError: 451 try later"],
        ["notifier", "│     └─ mail  ✗ error: OSError: 451 try later"],
        ["worker", "└─ orphan  [parent not recorded]"],
    ]
    starts = [float(line.split()[0].replace(",", "")) for line in lines[1:-1]]
    assert starts[0] == 0.0
    assert starts[4] > starts[2] > 0
    assert lines[-1].startswith("9 spans · POST /comments took ")
    assert lines[-1].endswith("2 failed")
    assert all("━" in line for line in lines[1:-1])
    assert not any("━" in line for line in _rendered(root, width=80))


def test_the_command_waits_for_the_notifier(
    traced: telemetry.Telemetry, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with telemetry.span("POST /comments"):
        command = telemetry.current_traceparent() or ""
    traced.flush()

    async def row(*_: object) -> dict[str, object]:
        now = datetime.now(UTC)
        return {"found": True, "seq": 4, "command": "comment", "at": now, "recorded_at": now, "traceparent": command}

    monkeypatch.setattr(trace_command, "_query", row)
    late = write_as("notifier", store, f"import time; time.sleep(0.5)\nwith t.span('mail', parent={command!r}): pass")
    trace_command.run(Settings(span_store=store), "connect", 7)
    assert late.wait(30) == 0
    out = capsys.readouterr().out
    assert "connect/7 comment (seq 4" in out
    assert "└─ mail" in out
    assert "had not arrived" not in out


def test_the_command_says_what_is_missing_and_what_to_do(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(settings: Settings) -> str:
        with pytest.raises(SystemExit) as stopped:
            trace_command.run(settings, "connect", 7)
        assert stopped.value.code == 1
        return " ".join(capsys.readouterr().err.split())

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "`casebound up`" in refused(Settings(database_url=f"postgresql://nobody@127.0.0.1:{port}/none"))

    row: dict[str, object] | None = None

    async def query(*_: object) -> dict[str, object] | None:
        return row

    monkeypatch.setattr(trace_command, "_query", query)
    monkeypatch.setattr(trace_command, "WAIT", 0.2)
    assert "no desk connect" in refused(Settings())
    row = {"found": False, "seq": None, "command": None, "at": None, "traceparent": None}
    assert "has no case 7" in refused(Settings())
    row |= {"found": True}
    assert "Set CASEBOUND_SPAN_STORE" in refused(Settings())
    at = datetime(2026, 1, 5, tzinfo=UTC)
    row |= {"seq": 4, "command": "comment", "at": at, "recorded_at": at, "traceparent": REMOTE}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert "spans go to http://collector:4318" in refused(Settings())
    assert "no service has written a span yet" in refused(Settings(span_store=store))
    exporter = SpanStoreExporter(store)
    export(exporter, ["of another trace"])
    exporter.shutdown()
    assert "seven days" in refused(Settings(span_store=store))
