"""What a service shows of itself: logs, health, metrics, traceparent with every answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from shared import telemetry
from shared.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.instrument import fastapi_telemetry, instrument_app
from tests.integration.telemetry.kit import REMOTE, read_spans, trace_id_of


def _logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_logs_of_our_own_and_of_libraries_carry_service_and_trace(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    active = telemetry.setup("worker", Settings(span_store=store))
    with telemetry.span("work"):
        trace_id = trace_id_of(telemetry.current_traceparent())
        telemetry.get_logger("casebound.test").info("relay started", backlog=3)
        logging.getLogger("temporalio.worker").warning("poll %s", "failed")
        _fail_and_log()
    logging.getLogger("uvicorn.access").info("GET /cases?q=bob@acme.example")
    active.shutdown()
    own, foreign, failure = _logged(capsys)
    assert (own["message"], own["backlog"], own["logger"], own["level"]) == (
        "relay started",
        3,
        "casebound.test",
        "info",
    )
    assert (foreign["message"], foreign["logger"], foreign["level"]) == ("poll failed", "temporalio.worker", "warning")
    assert "ZeroDivisionError" in failure["exception"]
    assert "what Bob wrote" not in failure["exception"]
    for record in (own, foreign, failure):
        assert (record["service"], record["trace_id"]) == ("worker", trace_id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", record["timestamp"])


def _fail_and_log() -> None:
    body = " ".join(["what", "Bob", "wrote"])
    try:
        len(body) // 0
    except ZeroDivisionError:
        telemetry.get_logger("casebound.test").exception("record failed", seq=4)


def test_console_logs_are_for_people_and_show_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    active = telemetry.setup("worker", Settings(log_format="console"))
    _fail_and_log()
    active.shutdown()
    out = capsys.readouterr().out
    assert "record failed" in out
    assert "seq=4" in out
    assert "ZeroDivisionError" in out
    assert "what Bob wrote" not in out


async def test_health_ready_and_metrics_are_served() -> None:
    answer: bool | str = "the database does not answer"

    async def ready() -> bool | str:
        if answer == "raise":
            raise ConnectionError("refused")
        return answer

    metrics.deliveries.labels("email", "sent").inc()
    async with telemetry.serve_health(0, ready) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/healthz")).text == "ok\n"
        not_ready = await http.get("/readyz")
        assert (not_ready.status_code, not_ready.text) == (503, "not ready: the database does not answer\n")
        answer = "raise"
        assert (await http.get("/readyz")).text == "not ready: ConnectionError: refused\n"
        answer = False
        assert (await http.get("/readyz")).status_code == 503
        answer = True
        assert (await http.get("/readyz")).status_code == 200
        page = await http.get("/metrics")
        assert 'casebound_deliveries_total{channel="email",outcome="sent"} ' in page.text
        assert page.headers["content-type"].startswith("text/plain; version=")
        with pytest.raises(OSError, match="in use"):
            async with telemetry.serve_health(port, ready):
                pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    async with telemetry.serve_health(None, ready) as port:
        assert port is None


async def test_a_readiness_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry.health, "READY_TIMEOUT", 0.05)

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    async with telemetry.serve_health(0, hangs) as port, httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/readyz")
    assert answer.status_code == 503
    assert "within 0.05 s" in answer.text


def _app(seen: list[str | None]) -> FastAPI:
    app = FastAPI(telemetry=fastapi_telemetry())

    @app.get("/cases/{number}")
    @app.post("/cases/{number}")
    async def case(number: int) -> int:
        seen.append(telemetry.current_traceparent())
        return number

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("unexpected")

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    instrument_app(app)
    return app


@contextlib.asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("share", [1.0, 0.0])
async def test_of_requests_that_only_read_a_share_is_traced_and_every_command(store: Path, share: float) -> None:
    active = telemetry.setup("api", Settings(span_store=store, traced_reads=share))
    async with _client(_app([])) as http:
        command = await http.post("/cases/7")
        asked_for = await http.get("/cases/7", headers={"traceparent": REMOTE})
        read = await http.get("/cases/7")
    active.shutdown()
    assert [s.name for s in read_spans(store, trace_id_of(command.headers["traceparent"]))] == ["POST /cases/{number}"]
    assert len(read_spans(store, trace_id_of(asked_for.headers["traceparent"]))) == 1
    assert len(read_spans(store, trace_id_of(read.headers["traceparent"]))) == share


async def test_every_answer_carries_a_traceparent_and_every_request_one_span(
    traced: telemetry.Telemetry, store: Path
) -> None:
    seen: list[str | None] = []
    async with _client(_app(seen)) as http:
        fine = await http.get("/cases/7?q=bob@acme.example", headers={"traceparent": REMOTE})
        broken = await http.get("/broken")
        invalid = await http.get("/cases/x")
        missing = await http.get("/nowhere")
        health = await http.get("/healthz")
    assert [a.status_code for a in (fine, broken, invalid, missing, health)] == [200, 500, 422, 404, 200]
    assert fine.headers.get_list("traceparent") == seen
    traced.flush()
    (span,) = read_spans(store, trace_id_of(REMOTE))
    assert fine.headers["traceparent"].startswith(f"00-{span.trace_id}-{span.span_id}-")
    assert span.attributes["url.query"] == "REDACTED"
    assert (span.name, span.kind, span.parent_id) == ("GET /cases/{number}", "server", REMOTE.split("-")[2])
    assert "bob@" not in json.dumps(span.attributes)
    assert [s.failed for s in read_spans(store, trace_id_of(broken.headers["traceparent"]))] == [True]
    for answer in (invalid, missing):
        assert [s.failed for s in read_spans(store, trace_id_of(answer.headers["traceparent"]))] == [False]
    assert read_spans(store, trace_id_of(health.headers["traceparent"])) == []


async def test_without_tracing_answers_and_commands_carry_a_traceparent_all_the_same() -> None:
    seen: list[str | None] = []
    async with _client(_app(seen)) as http:
        own = await http.get("/cases/7")
        callers = await http.get("/cases/7", headers={"traceparent": REMOTE})
        broken = await http.get("/broken")
    assert own.headers["traceparent"] == seen[0]
    assert own.headers["traceparent"].endswith("-00")
    assert callers.headers["traceparent"] == seen[1] == REMOTE
    assert trace_id_of(broken.headers["traceparent"])
