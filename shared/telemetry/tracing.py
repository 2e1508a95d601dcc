"""Spans, W3C trace context, and the set-up of a process's telemetry."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NoOpTracer, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from shared.settings import Settings
from shared.telemetry import logs
from shared.telemetry.sampling import commands_and_some_reads
from shared.telemetry.span_store import SpanStoreExporter

__all__ = [
    "SpanKind",
    "Telemetry",
    "current_traceparent",
    "extract",
    "inject",
    "provider",
    "remote_context",
    "remote_span",
    "setup",
    "span",
    "traceparent_of",
    "tracer",
]


TRACEPARENT: Final = "traceparent"
SERVICE_PREFIX: Final = "casebound-"
STORE_DELAY_MS: Final = 200
"""How long a span waits for others before it is written to the span store: what `casebound trace` waits for."""
_STORE_QUEUE: Final = 16_384
_MAX_LINKS: Final = 1024
"""A span of a batch names every command in it; the SDK's default of 128 would forget some."""

_OTLP_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_propagator: Final = TraceContextTextMapPropagator()
_lock: Final = threading.Lock()
_tracer: Tracer = NoOpTracer()
_telemetry: Telemetry | None = None


class Telemetry:
    """The telemetry of this process, as `setup` made it."""

    def __init__(self, service: str, provider: TracerProvider | None) -> None:
        self.service = service
        self.provider = provider

    @property
    def tracing(self) -> bool:
        """Whether spans are kept or sent anywhere."""
        return self.provider is not None

    def flush(self) -> None:
        """Write out the spans that have ended so far. Blocks until it is done."""
        if self.provider:
            self.provider.force_flush()

    def shutdown(self) -> None:
        """Flush and stop; later spans are dropped. A second call does nothing."""
        global _tracer, _telemetry
        with _lock:
            if _telemetry is not self:
                return
            _tracer, _telemetry = NoOpTracer(), None
        if self.provider:
            self.provider.shutdown()


def setup(service: str, settings: Settings) -> Telemetry:
    """Set up logging and tracing of this process. Call once, before clients and engines are made.

    Spans go to the local span store if `settings.span_store` is set, and to an OTLP collector over HTTP if
    `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. Every command is traced and
    `settings.traced_reads` of what is only read. Other `OTEL_*` variables mean what OpenTelemetry says
    (`OTEL_SDK_DISABLED`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, …).

    Args:
        service: `api`, `worker`, `search` or `notifier`; spans carry `service.name` `casebound-{service}`.
        settings: the stack's settings.

    Returns:
        The process's telemetry; the one that exists if this was called before.
    """
    global _tracer, _telemetry  # noqa: PLW0603 - one telemetry per process is what this module is about
    with _lock:
        if _telemetry:
            return _telemetry
        logs.configure(service, settings.log_format)
        made = _make_provider(service, settings)
        if made:
            _tracer = made.get_tracer("casebound", _version())
            if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
                trace.set_tracer_provider(made)
        _telemetry = Telemetry(service, made)
        return _telemetry


def _make_provider(service: str, settings: Settings) -> TracerProvider | None:
    processors: list[BatchSpanProcessor] = []
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if settings.span_store:
        delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else STORE_DELAY_MS
        exporter = SpanStoreExporter(settings.span_store)
        processors.append(BatchSpanProcessor(exporter, max_queue_size=_STORE_QUEUE, schedule_delay_millis=delay))
    if any(os.environ.get(name) for name in _OTLP_ENDPOINTS):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        processors.append(BatchSpanProcessor(OTLPSpanExporter()))
    if not processors:
        return None
    resource = Resource.create(
        {
            SERVICE_NAME: f"{SERVICE_PREFIX}{service}",
            SERVICE_VERSION: _version(),
            SERVICE_INSTANCE_ID: str(uuid.uuid4()),
        }
    )
    max_links = None if "OTEL_SPAN_LINK_COUNT_LIMIT" in os.environ else _MAX_LINKS
    sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else commands_and_some_reads(settings.traced_reads)
    limits = SpanLimits(max_links=max_links)
    made = TracerProvider(sampler, resource, shutdown_on_exit=False, span_limits=limits)
    made.add_span_processor(_Redaction())
    for processor in processors:
        made.add_span_processor(processor)
    return made


class _Redaction(SpanProcessor):
    """Keeps query strings out of spans: they hold what people search for, names and addresses among it."""

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "REDACTED")


def _version() -> str:
    try:
        return version("casebound")
    except PackageNotFoundError:  # a checkout that runs without being installed
        return "unknown"


def tracer() -> Tracer:
    """Return the process's tracer: one that does nothing before `setup`, or when nothing is configured."""
    return _tracer


def provider() -> TracerProvider | None:
    """Return the process's tracer provider, for libraries that want one; None when spans go nowhere."""
    return _telemetry.provider if _telemetry else None


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[str] = (),
    **attributes: object,
) -> Iterator[Span]:
    """Open a span around a block and make it the current one. An exception marks it as failed and goes on.

    Args:
        name: what is done, with few distinct values: `record`, not `record CON-17`.
        kind: PRODUCER and CONSUMER for messages, CLIENT and SERVER for calls.
        parent: a W3C traceparent that the span continues; None or a malformed one: the current span.
        links: traceparents of the spans that this one works for together; malformed ones are left out.
        attributes: what describes it; None is left out, other types than OpenTelemetry's become text. No bodies, no
            addresses. Names with dots go as `**{"case.number": 7}`.

    Yields:
        The span; one that ignores everything when tracing is off, the trace context being passed on all the same.
    """
    with _tracer.start_as_current_span(
        name,
        context=remote_context(parent),
        kind=kind,
        links=[link for link in map(_link, dict.fromkeys(links)) if link],
        attributes={key: _attribute(value) for key, value in attributes.items() if value is not None},
    ) as current:
        yield current


def current_traceparent() -> str | None:
    """Return the W3C traceparent of the current span; None outside any trace."""
    return traceparent_of(trace.get_current_span())


def traceparent_of(span: Span) -> str | None:
    """Return a span's W3C traceparent; None if it belongs to no trace."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def inject(headers: dict[str, str] | None = None) -> dict[str, str]:
    """Add the current trace context to message headers.

    Args:
        headers: NATS headers, changed in place; None: new ones.

    Returns:
        The headers, with `traceparent` if there is a current trace.
    """
    headers = {} if headers is None else headers
    if traceparent := current_traceparent():
        headers[TRACEPARENT] = traceparent
    return headers


def extract(headers: Mapping[str, str] | None) -> str | None:
    """Return the valid traceparent among message headers, whatever its case is; None if there is none."""
    for name, value in (headers or {}).items():
        if name.lower() == TRACEPARENT:
            return value if remote_span(value) else None
    return None


def remote_span(traceparent: str | None) -> Span | None:
    """Return the span that a traceparent names, as a parent for others; None if it is missing or malformed."""
    if not traceparent:
        return None
    found = trace.get_current_span(_propagator.extract({TRACEPARENT: traceparent}, Context()))
    return found if found.get_span_context().is_valid else None


def remote_context(traceparent: str | None) -> Context | None:
    """Return a context whose current span is the one that a traceparent names; None if there is none."""
    remote = remote_span(traceparent)
    return trace.set_span_in_context(remote) if remote else None


def _link(traceparent: str) -> Link | None:
    remote = remote_span(traceparent)
    return Link(remote.get_span_context()) if remote else None


def _attribute(value: object) -> AttributeValue:
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return str(value)
