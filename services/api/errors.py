"""Whatever goes wrong becomes a problem+json answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from opentelemetry import trace
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from services.api.body_limit import MAX_BODY_BYTES
from services.api.commands import unavailable
from services.api.problems import FieldError, Problem, invalid
from shared.telemetry import get_logger

_log = get_logger(__name__)
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    PoolTimeoutError,
)
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large", 415: "unsupported_media_type"}


def install(app: FastAPI) -> None:
    """Answer every exception with a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    for kind in (*_AWAY, DBAPIError):
        app.add_exception_handler(kind, _perhaps_away)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(_request: Request, problem: Exception) -> Response:
    if not isinstance(problem, Problem):
        raise problem
    return problem.response()


async def _malformed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return invalid(*(field_error(item) for item in error.errors())).response()


def field_error(item: Mapping[str, Any]) -> FieldError:
    """What Pydantic found, for people.

    Args:
        item: one of its errors, the place where the value came from (``body``, ``query``) at the head of ``loc``.
    """
    source, *inside = item["loc"]
    place: Sequence[Any] = inside if source in {"body", "query", "path", "header"} else item["loc"]
    if item["type"] == "json_invalid":
        return FieldError(field="body", message=f"body: not valid JSON ({item['ctx']['error']}).")
    name = ".".join(str(part) for part in place if not str(part).startswith("function-")) or "body"
    match item["type"]:
        case "missing":
            message = f"{name} is required." if place else "body: send a JSON object."
        case "extra_forbidden":
            message = f"{name} is not a field of this request."
        case "value_error":
            message = str(item["ctx"]["error"])
        case "string_too_long":
            message = f"{name}: {len(item['input'])} characters; at most {item['ctx']['max_length']} are allowed."
        case "string_too_short" | "too_short":
            message = f"{name} must not be empty."
        case "string_unicode":
            message = f"{name} holds a character that can't be stored (half of a surrogate pair)."
        case _:
            message = f"{name}: {item['msg']}."
    expected = item.get("ctx", {}).get("expected") if item["type"] == "literal_error" else None
    allowed = [word.strip("' ") for word in expected.replace(" or ", ",").split(",")] if expected else None
    return FieldError(field=name, message=message, allowed=allowed)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {
        404: f"There is nothing at {request.url.path[:200]}.",
        405: f"{request.method} is not offered at {request.url.path[:200]}.",
        413: f"The request is larger than {MAX_BODY_BYTES} bytes (1 MiB).",
    }.get(error.status_code, str(error.detail))
    code = _CODES.get(error.status_code)
    if code is None:
        return invalid(FieldError(field="body", message=f"body: {detail}")).response()
    return Problem(code, detail, headers=error.headers or {}).response()


async def _perhaps_away(request: Request, error: Exception) -> Response:
    """Postgres or another server is away: that is no fault of the request, and passes."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if not lost and not isinstance(cause, _AWAY) and not isinstance(getattr(cause, "__cause__", None), _AWAY):
        return await _unexpected(request, error)
    _log.warning("a server is away", error=repr(cause)[:300])
    return unavailable(
        "A server that this needs does not answer. If you asked for a change, it may still be carried out; repeating "
        "the request with the same Idempotency-Key is safe."
    ).response()


async def _unexpected(_request: Request, error: Exception) -> Response:
    trace_id = f"{trace.get_current_span().get_span_context().trace_id:032x}"
    _log.error("unexpected error", exc_info=error)
    detail = f"Something went wrong on our side. Report the trace id {trace_id} to the people who run this."
    return Problem("internal_error", detail, more={"trace_id": trace_id}).response()
