"""What the telemetry tests share."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.telemetry.span_store import SpanStore, SpanStoreExporter, StoredSpan

TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")
REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read_spans(store: Path, trace_id: str) -> list[StoredSpan]:
    with contextlib.closing(SpanStore(store)) as reader:
        return reader.trace(trace_id)


def trace_id_of(traceparent: str | None) -> str:
    match = TRACEPARENT.fullmatch(traceparent or "")
    assert match, traceparent
    return match["trace"]


def write_as(service: str, store: Path, code: str) -> subprocess.Popen[bytes]:
    """Run code in another process that is set up as `service`; `t` is the telemetry module."""
    program = (
        "from pathlib import Path; from shared import telemetry as t; from shared.settings import Settings\n"
        f"active = t.setup({service!r}, Settings(span_store=Path({str(store)!r})))\n{code}\nactive.shutdown()\n"
    )
    return subprocess.Popen([sys.executable, "-W", "error", "-c", program])


def export(exporter: SpanStoreExporter, names: list[str], links: int = 0) -> None:
    maker = TracerProvider().get_tracer("test")
    linked = [trace.Link(trace.SpanContext(number + 1, 1, is_remote=True)) for number in range(links)]
    spans = [maker.start_span(name, links=linked) for name in names]
    for span in spans:
        span.end()
    exporter.export(spans)  # type: ignore[arg-type]  # spans of the SDK are readable
