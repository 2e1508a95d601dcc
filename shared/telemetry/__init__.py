"""Traces, metrics and logs: what a service needs to be seen from outside.

A service calls `setup` once, `shutdown` at its end, and opens spans with `span`. Everything costs next to nothing when
neither a span store nor an OTLP endpoint is configured. Metrics are in `shared.telemetry.metrics`, the Temporal
interceptors in `shared.telemetry.temporal`, instrumentation of FastAPI and SQLAlchemy in `shared.telemetry.instrument`.
"""

from shared.telemetry.health import serve_health
from shared.telemetry.logs import get_logger
from shared.telemetry.tracing import (
    SpanKind,
    Telemetry,
    current_traceparent,
    extract,
    inject,
    setup,
    span,
    traceparent_of,
    tracer,
)

__all__ = [
    "SpanKind",
    "Telemetry",
    "current_traceparent",
    "extract",
    "get_logger",
    "inject",
    "serve_health",
    "setup",
    "span",
    "traceparent_of",
    "tracer",
]
