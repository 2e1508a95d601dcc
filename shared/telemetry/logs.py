"""Structured logs: one renderer for our own messages and for every library that uses the standard logging module."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import orjson
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

_QUIET = ("uvicorn.access", "httpx", "httpcore", "opentelemetry.attributes")
"""Loggers that repeat what spans say, or print addresses with search words in them: warnings and worse only."""
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class _Handler(logging.StreamHandler[Any]):
    """Our handler, told from those of others (a test runner's, say), which stay."""


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger: `get_logger(__name__).info("relay started", backlog=3)`.

    Events are plain phrases, facts are fields. Neither holds text that a user wrote, names or mail addresses.
    """
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure(service: str, log_format: Literal["json", "console"]) -> None:
    """Send all logging of this process to standard output, one record a line.

    Args:
        service: the value of the field `service`.
        log_format: `json` for machines, `console` for people.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stdout)
    handler.setFormatter(_formatter(service, log_format))
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if not isinstance(other, _Handler)), handler]
    root.setLevel(logging.INFO)
    for name in _OWN_HANDLERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _formatter(service: str, log_format: Literal["json", "console"]) -> logging.Formatter:
    def identify(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
        return event

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            identify,
            *_renderers(log_format),
        ],
    )


def _renderers(log_format: Literal["json", "console"]) -> list[Processor]:
    # Tracebacks are plain in both: structlog's richer ones print local variables, which hold what users wrote.
    if log_format == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _dumps(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
