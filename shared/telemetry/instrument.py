"""Spans of the libraries a service stands on: FastAPI and SQLAlchemy. Call after `setup`."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, Tracer

from shared.telemetry.tracing import TRACEPARENT, current_traceparent, provider, remote_span, traceparent_of, tracer

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.telemetry import TelemetryConfig
    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})


def fastapi_telemetry() -> TelemetryConfig:
    """Return the application's own telemetry settings, for `FastAPI(telemetry=fastapi_telemetry())`.

    One span for a request, none for health checks and metrics. FastAPI's metrics and logs are off: ours are in
    `shared.telemetry.metrics`, and its logs hold messages of exceptions.
    """
    active = provider()
    return {
        "tracer_provider": active,
        "tracing": active is not None,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope.get("path") in _UNTRACED,
    }


def instrument_app(app: FastAPI) -> None:
    """Send `traceparent` with every answer: with errors and health checks too, and when tracing is off.

    Without tracing the caller's trace context, or else a new one, still goes through logs, commands and the answer.
    Call before the first request.

    Args:
        app: an application made with `telemetry=fastapi_telemetry()`; changed in place.
    """
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: _TraceparentAnswer(build())  # type: ignore[method-assign]


def instrument_engine(engine: AsyncEngine) -> None:
    """Open a span for every statement that runs inside a span: text of the statement, never its values.

    Statements outside any span (a poll, a readiness check) make none: they would be traces of their own.

    Args:
        engine: the engine; changed in place.
    """
    if provider() is None:
        return
    # The names of OpenTelemetry's stable conventions; read by the instrumentation when it is first used.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer

    usage = metrics.NoOpMeter("casebound").create_up_down_counter("db.client.connections.usage")
    EngineTracer(_ChildrenOnly(tracer()), engine.sync_engine, usage)  # type: ignore[no-untyped-call]


class _TraceparentAnswer:
    """Goes round all other middlewares: those that turn an unexpected error into an answer too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traceparent = current_traceparent()
        token = None
        if not traceparent:
            substitute = remote_span(_header(scope)) or _new_span()
            traceparent = traceparent_of(substitute) or ""
            token = context.attach(trace.set_span_in_context(substitute))
        header = (TRACEPARENT.encode(), traceparent.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            if token:
                context.detach(token)


class _ChildrenOnly(Tracer):
    """A tracer that starts no traces of its own."""

    def __init__(self, inner: Tracer) -> None:
        self._inner = inner

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        if not trace.get_current_span(kwargs.get("context")).is_recording():
            return trace.INVALID_SPAN
        return self._inner.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return trace.use_span(self.start_span(*args, **kwargs), end_on_exit=True)


def _header(scope: Scope) -> str | None:
    wanted = TRACEPARENT.encode()
    return next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted), None)


def _new_span() -> Span:
    return NonRecordingSpan(
        SpanContext(
            trace_id=secrets.randbits(128) | 1,
            span_id=secrets.randbits(64) | 1,
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.DEFAULT),
        )
    )
