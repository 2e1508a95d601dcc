"""What ``/openapi.json`` says beyond the routes themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.answers import PROBLEM_JSON

DESCRIPTION = """\
Support cases. Every case has one workflow that decides what may happen to it; this API asks it and shows what the
record holds.

- **Who you are**: `Authorization: Bearer …` (from `casebound token EMAIL`), or a session cookie with `X-CSRF-Token`.
- **What you see**: cases you may not see are 404, as if they did not exist.
- **Errors** are `application/problem+json` with a `code`; `errors` names the fields at fault. A refused action is 409
  and names the `actions` that would be possible.
- **Repeating** a POST is safe with the same `Idempotency-Key`: it is carried out once and answered the same.
- **503** with `Retry-After`: what you asked may still be carried out; repeat it with the same `Idempotency-Key`.
"""
TAGS = [
    {"name": "cases", "description": "Open, list, read and change cases."},
    {"name": "comments", "description": "Say something on a case."},
    {
        "name": "actions",
        "description": "What moves a case through its life; each case's `actions` lists those possible.",
    },
    {"name": "attachments", "description": "Files and recordings: upload, attach, list, download, remove."},
    {"name": "events", "description": "What has happened: of one case, and live."},
    {"name": "policy", "description": "A desk's habits and lists."},
    {"name": "filters", "description": "Lists of cases that somebody keeps under a name."},
    {"name": "replies", "description": "Words that the desk's staff send often, kept under names."},
    {"name": "webhooks", "description": "What other programs are told of the desk's events."},
    {"name": "dead letters", "description": "What a service gave up on, and the way back."},
    {"name": "overview", "description": "A desk in figures."},
    {"name": "setup", "description": "How a desk is set up; its desk file changes it."},
    {"name": "session", "description": "Log-in for browsers."},
    {"name": "operation", "description": "Health of the service."},
    {"name": "development", "description": "Only where CASEBOUND_DEVELOPMENT is set."},
]


def install_openapi(app: FastAPI) -> None:
    """Make ``/openapi.json`` state errors as problem+json and nothing else."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _state_problems(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _state_problems(schema: dict[str, Any]) -> None:
    for path in schema["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                if PROBLEM_JSON in answer.get("content", {}) or _is_validation_error(answer):
                    answer["content"] = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
            operation["responses"].setdefault("500", {"description": "A problem: `internal_error`"})
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _is_validation_error(answer: dict[str, Any]) -> bool:
    """What FastAPI adds by itself to every route with parameters, and we answer otherwise."""
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return str(reference).endswith("/HTTPValidationError")
