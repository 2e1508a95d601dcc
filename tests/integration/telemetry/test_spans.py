"""Spans: kept, linked, passed on, left out."""

from __future__ import annotations

import contextlib
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry import trace

from shared import telemetry
from shared.settings import Settings
from shared.telemetry import SpanKind
from shared.telemetry.span_store import SpanStore
from tests.integration.telemetry.kit import REMOTE, read_spans, trace_id_of


def test_spans_are_kept_with_service_parent_kind_attributes_and_failure(
    traced: telemetry.Telemetry, store: Path
) -> None:
    case = uuid.uuid4()
    with (
        contextlib.suppress(ValueError),
        telemetry.span("outer", kind=SpanKind.SERVER, case=case, seq=7) as current,
    ):
        with telemetry.span("inner", missing=None, words=["a", "b"]):
            pass
        int("broken")
    trace_id = trace_id_of(telemetry.traceparent_of(current))
    traced.flush()
    outer, inner = read_spans(store, trace_id)
    assert (outer.service, outer.name, outer.kind, outer.parent_id) == ("casebound-api", "outer", "server", None)
    assert outer.attributes == {"case": str(case), "seq": 7}
    assert outer.failed
    assert "broken" in outer.status
    assert (inner.parent_id, inner.attributes, inner.failed) == (outer.span_id, {"words": ["a", "b"]}, False)
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


def test_setup_is_idempotent_and_can_be_done_again_after_shutdown(store: Path) -> None:
    first = telemetry.setup("api", Settings(span_store=store))
    assert telemetry.setup("worker", Settings()) is first
    first.shutdown()
    first.shutdown()
    second = telemetry.setup("worker", Settings(span_store=store))
    with telemetry.span("again"):
        trace_id = trace_id_of(telemetry.current_traceparent())
    second.shutdown()
    assert [span.service for span in read_spans(store, trace_id)] == ["casebound-worker"]


def test_a_span_continues_a_remote_parent_and_names_its_links(traced: telemetry.Telemetry, store: Path) -> None:
    with telemetry.span("first"):
        one = telemetry.current_traceparent() or ""
    with telemetry.span("handle", parent=REMOTE, links=[one, one, "nonsense"]) as current:
        assert telemetry.traceparent_of(current) == telemetry.current_traceparent()
    with telemetry.span("root", parent="nonsense") as current:
        assert trace_id_of(telemetry.traceparent_of(current)) != trace_id_of(REMOTE)
    traced.flush()
    (handled,) = read_spans(store, trace_id_of(REMOTE))
    assert handled.parent_id == REMOTE.split("-")[2]
    assert handled.links == ((one.split("-")[1], one.split("-")[2]),)
    with contextlib.closing(SpanStore(store)) as reader:
        assert [span.name for span in reader.linked_to(trace_id_of(one))] == ["handle"]


def test_a_batch_of_a_thousand_keeps_all_its_links(traced: telemetry.Telemetry, store: Path) -> None:
    links = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 1001)]
    with telemetry.span("index", links=links) as current:
        trace_id = trace_id_of(telemetry.traceparent_of(current))
    traced.flush()
    assert len(read_spans(store, trace_id)[0].links) == 1000


def test_trace_context_goes_through_message_headers(traced: telemetry.Telemetry) -> None:
    assert telemetry.inject() == {}
    with telemetry.span("publish"):
        headers = telemetry.inject({"Nats-Msg-Id": "7"})
        assert headers == {"Nats-Msg-Id": "7", "traceparent": telemetry.current_traceparent()}
    assert telemetry.extract({"Traceparent": headers["traceparent"]}) == headers["traceparent"]
    assert telemetry.extract({"traceparent": "00-zz-1-01"}) is None
    assert telemetry.extract(None) is None


@pytest.mark.parametrize("disabled", [False, True])
def test_unconfigured_tracing_makes_no_span_but_passes_the_context_on(
    disabled: bool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if disabled:
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    active = telemetry.setup("api", Settings(span_store=store if disabled else None))
    try:
        assert not active.tracing
        with telemetry.span("nothing") as current:
            assert not current.is_recording()
            assert telemetry.current_traceparent() is None
        with telemetry.span("handle", parent=REMOTE):
            assert telemetry.inject() == {"traceparent": REMOTE}
        assert not store.exists()
    finally:
        active.shutdown()


def test_the_sampler_of_the_environment_is_honoured(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    active = telemetry.setup("api", Settings(span_store=store))
    with telemetry.span("left out") as current:
        assert not current.is_recording()
        flags = int((telemetry.current_traceparent() or "-1").rpartition("-")[2], 16)
        assert flags & trace.TraceFlags.SAMPLED == 0
    active.shutdown()
    assert not store.exists()


def test_spans_go_to_an_otlp_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        active = telemetry.setup("search", Settings())
        with telemetry.span("over the wire"):
            pass
        active.shutdown()
        server.shutdown()
    assert [path for path, _ in bodies] == ["/v1/traces"]
    assert b"over the wire" in bodies[0][1]
    assert b"casebound-search" in bodies[0][1]


def test_a_span_with_the_store_on_is_cheap(traced: telemetry.Telemetry) -> None:
    rounds = 2000
    start = time.perf_counter()
    for number in range(rounds):
        with telemetry.span("measured", seq=number):
            pass
    each = (time.perf_counter() - start) / rounds
    assert each < 0.002, f"{each * 1e6:.0f} µs a span"
