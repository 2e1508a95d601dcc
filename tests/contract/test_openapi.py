"""``/openapi.json`` has every route of the contract with the answers it may give."""

from __future__ import annotations

from typing import Any

import pytest

from services.api.app import create_app
from services.api.problems import MEANINGS
from shared.settings import Settings

DESK = "/api/v1/desks/{desk}"
CASE = f"{DESK}/cases/{{number}}"
CHANGE = {401, 403, 404, 409, 422, 503}
ROUTES = {
    ("post", f"{DESK}/cases"): {201} | CHANGE,
    ("get", f"{DESK}/cases"): {200, 401, 404, 422, 503},
    ("get", f"{DESK}/cases/export"): {200, 401, 404, 422, 503},
    ("get", CASE): {200, 401, 404, 503},
    ("patch", CASE): {200} | CHANGE,
    ("post", f"{CASE}/comments"): {201} | CHANGE,
    ("post", f"{CASE}/follow-up"): {201} | CHANGE,
    ("post", f"{DESK}/attachments"): {201, 401, 403, 404, 408, 409, 413, 415, 422, 503},
    ("get", f"{CASE}/attachments"): {200, 401, 404, 503},
    ("get", f"{CASE}/attachments/{{attachment}}"): {200, 206, 401, 404, 410, 416, 503},
    ("delete", f"{CASE}/attachments/{{attachment}}"): {200, 410} | CHANGE,
    ("get", f"{CASE}/events"): {200, 401, 404, 422, 503},
    ("get", f"{DESK}/events/stream"): {200, 401, 404, 503},
    ("get", f"{DESK}/webhooks"): {200, 401, 403, 404, 503},
    ("get", f"{DESK}/webhooks/{{webhook}}/deliveries"): {200, 401, 403, 404, 422, 503},
    ("post", f"{DESK}/webhooks/{{webhook}}/deliveries/{{delivery}}/replay"): {200, 401, 403, 404, 422, 503},
    ("post", f"{DESK}/webhooks/{{webhook}}/test"): {200, 401, 403, 404, 422, 503},
    ("get", f"{DESK}/policy"): {200, 401, 404, 503},
    ("get", "/dev/mailbox"): {200},
    ("get", "/healthz"): {200},
    ("get", "/readyz"): {200, 503},
    ("post", "/api/v1/session"): {200, 401, 422, 429},
    ("get", "/api/v1/session"): {200, 401},
    ("delete", "/api/v1/session"): {204, 401, 403},
    **{
        ("post", f"{CASE}/{action}"): {200} | CHANGE
        for action in (
            "assign", "escalate", "request-close", "resolve", "accept", "reject", "close", "reopen", "survey",
            "attach",
        )
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return create_app(Settings(development=True)).openapi()


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
def test_a_route_of_the_contract_is_documented(schema: dict[str, Any], method: str, path: str) -> None:
    operation = schema["paths"][path][method]
    assert {str(status) for status in ROUTES[(method, path)]} <= set(operation["responses"])
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert operation["tags"]


def test_errors_are_problems_and_nothing_else(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and path != "/readyz" and status != "500":
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_every_post_on_a_desk_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        if path.startswith(DESK) and "post" in operations:
            headers = {each["name"].lower() for each in operations["post"]["parameters"] if each["in"] == "header"}
            assert "idempotency-key" in headers, path


def test_a_case_has_the_fields_of_the_contract(schema: dict[str, Any]) -> None:
    fields = (
        "number desk subject description status status_label product type severity impact account environment reporter "
        "contact cc assignee internal_reference follow_up_of follow_ups resolution survey closure_requested_at "
        "escalated_at resolved_at closed_at closed_reason auto_close_at reopen_until sealed created_at updated_at seq "
        "actions"
    )
    assert set(fields.split()) <= set(schema["components"]["schemas"]["CaseOut"]["required"])


def test_what_only_development_offers_is_not_there_otherwise() -> None:
    paths = create_app(Settings(development=False)).openapi()["paths"]
    assert not [path for path in paths if path.startswith("/dev")]


def test_refused_fields_of_the_contract_have_statuses() -> None:
    for code in ("not_allowed_in_status", "already_escalated", "reopen_window_passed", "case_closed", "case_sealed"):
        assert MEANINGS[code].status == 409
    assert MEANINGS["reason_required"].status == 409
    assert MEANINGS["idempotency_key_reused"].status == MEANINGS["filter_required"].status == 422
