"""Cases over HTTP: opening, reading, changing, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.api_world import NEW_CASE, ApiDesk, ApiWorld
from tests.desks import ADA, BOB, CAROL, DAVE, ERIN, MIA


async def test_a_case_is_opened_and_read_back(desk: ApiDesk) -> None:
    case = await desk.bob.opened(product="ERP", severity="High", cc=["X@Partner.example"], environment="Test")
    assert case["number"] >= 1
    assert case["key"] == f"CON-{case['number']}"
    assert (case["status"], case["status_label"]) == ("new", "New")
    assert (case["reporter"], case["contact"], case["account"]) == (BOB, BOB, "acme")
    assert case["cc"] == ["x@partner.example"]
    assert case["people"] == {BOB: "Bob Acme"}
    assert case["created_at"].endswith("Z")
    assert {"name": "escalate", "required": ["comment"]} in case["actions"]
    assert "assign" not in {action["name"] for action in case["actions"]}
    for name in (str(case["number"]), case["key"]):
        read = await desk.bob.get(f"/cases/{name}")
        assert read.status_code == 200
        assert read.json() == case


async def test_staff_see_other_actions_than_customers(desk: ApiDesk) -> None:
    case = await desk.bob.opened()
    read = (await desk.ada.get(f"/cases/{case['number']}")).json()
    names = {action["name"] for action in read["actions"]}
    assert {"assign", "note", "ask", "resolve", "attach", "remove-attachment"} <= names
    assert not {"request-close", "accept", "elapse"} & names


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"subject": ""}, {"subject"}),
        ({"subject": "x" * 201}, {"subject"}),
        ({"description": "ä" * 40_000}, {"description"}),
        ({"description": "a\0b"}, {"description"}),
        ({"subject": "\ud800"}, {"subject"}),
        ({"subject": None}, {"subject"}),
        ({"sevrity": "High"}, {"sevrity"}),
        ({"severity": "Urgent", "product": "CRM", "type": "Rant"}, {"severity", "product", "type"}),
        ({"impact": "Huge"}, {"impact"}),
        ({"cc": ["fine@x.example", "not an address", "also@bad@x"]}, {"cc.1", "cc.2"}),
        ({"contact": ERIN}, {"contact"}),
        ({"account": "other"}, {"account"}),
        ({"environment": "Live"}, {"environment"}),
        ({"attachments": ["8f14e45f-ceea-467f-a8f8-000000000000"]}, {"attachments.0"}),
        ({"follow_up_of": 99_999}, {"follow_up_of"}),
    ],
)
async def test_a_form_at_fault_is_refused_field_by_field(
    desk: ApiDesk, fields: dict[str, object], at_fault: set[str]
) -> None:
    body = json.dumps(NEW_CASE | fields)
    answer = await desk.bob.http.post(
        f"{desk.bob.base}/cases", content=body, headers=desk.bob.headers | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in problem["errors"]} == at_fault, problem
    assert problem["detail"]


async def test_a_wrong_value_is_answered_with_the_allowed_ones(desk: ApiDesk) -> None:
    problem = (await desk.bob.post("/cases", NEW_CASE | {"severity": "Urgent"})).json()
    assert problem["errors"] == [
        {
            "field": "severity",
            "message": "«Urgent» is not one of this desk's severities.",
            "allowed": ["Critical", "High", "Low"],
        }
    ]
    problem = (await desk.bob.post("/cases", NEW_CASE | {"impact": "Huge"})).json()
    assert problem["errors"][0]["allowed"] == ["High", "Medium", "Low"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
async def test_what_is_no_json_object_is_refused(desk: ApiDesk, body: bytes) -> None:
    headers = desk.bob.headers | {"Content-Type": "application/json"}
    answer = await desk.bob.http.post(f"{desk.bob.base}/cases", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_an_overlong_body_is_413(desk: ApiDesk) -> None:
    answer = await desk.bob.post("/cases", NEW_CASE | {"description": "x" * 2_000_000})
    assert answer.status_code == 413
    assert answer.json()["code"] == "payload_too_large"


async def test_what_a_desk_requires_fills_itself_where_one_value_is_possible(world: ApiWorld) -> None:
    desk = await world.desk("msp-portal")
    problem = (await desk.bob.post("/cases", NEW_CASE)).json()
    assert {error["field"] for error in problem["errors"]} == {"environment", "impact"}
    assert {tuple(error["allowed"]) for error in problem["errors"]} == {
        ("Production", "Test"),
        ("High", "Medium", "Low"),
    }
    case = await desk.erin.opened(impact="High")
    assert (case["account"], case["contact"], case["environment"]) == ("other", ERIN, "Live")


async def test_staff_open_for_a_customer(desk: ApiDesk) -> None:
    case = await desk.ada.opened(contact=DAVE)
    assert (case["reporter"], case["contact"], case["account"]) == (ADA, DAVE, "acme")
    assert (await desk.dave.get(f"/cases/{case['number']}")).status_code == 200
    problem = (await desk.ada.post("/cases", NEW_CASE | {"account": "acne"})).json()
    assert problem["errors"][0]["allowed"] == ["acme", "other"]
    problem = (await desk.ada.post("/cases", NEW_CASE | {"account": "acme", "contact": ERIN})).json()
    assert problem["errors"][0]["allowed"] == [BOB, CAROL, DAVE, MIA]


async def test_what_one_may_not_see_is_not_found(desk: ApiDesk, world: ApiWorld) -> None:
    number = (await desk.bob.opened(cc=[DAVE]))["number"]
    expected = {BOB: 200, CAROL: 200, DAVE: 200, ERIN: 404, ADA: 200}
    for email, status in expected.items():
        for path in ("", "/events"):
            answer = await desk.person(email).get(f"/cases/{number}{path}")
            assert answer.status_code == status, (email, path)
    hidden = (await desk.erin.get(f"/cases/{number}")).json()
    missing = (await desk.erin.get("/cases/99999")).json()
    assert hidden["code"] == missing["code"] == "not_found"
    assert hidden["detail"].replace(str(number), "99999") == missing["detail"]
    for action in ("comments", "escalate", "close", "assign", "survey", "follow-up"):
        body = {"comment": "x", "assignee": None, "q1": 1, "q2": 1, "description": "x", "body": "x"}
        wanted = {"comments": ["body"], "assign": ["assignee"], "survey": ["q1", "q2"], "follow-up": ["description"]}
        fields = {name: body[name] for name in wanted.get(action, ["comment"])}
        answer = await desk.erin.post(f"/cases/{number}/{action}", fields)
        assert answer.status_code == 404, (action, answer.text)
    elsewhere = await world.desk(accounts=[])
    assert (await elsewhere.bob.get("/cases")).status_code == 404
    assert (await elsewhere.bob.get("/policy")).status_code == 404


@pytest.mark.parametrize("number", ["0", "x", "-1", "1.5", "CON-", "ERP-1", "99999999999999999999", "%00", "\u0661"])
async def test_odd_numbers_are_not_found(desk: ApiDesk, number: str) -> None:
    assert (await desk.ada.get(f"/cases/{number}")).status_code == 404


async def test_fields_are_edited(desk: ApiDesk) -> None:
    number = (await desk.bob.opened(severity="High", internal_reference="PO-1"))["number"]
    changes = {"severity": "Low", "cc": [DAVE, DAVE], "internal_reference": None, "environment": "Production"}
    case = (await desk.bob.ask("PATCH", f"/cases/{number}", changes)).json()
    assert (case["severity"], case["cc"], case["internal_reference"]) == ("Low", [DAVE], None)
    events = (await desk.bob.get(f"/cases/{number}/events")).json()["items"]
    assert [event["kind"] for event in events] == ["opened", "edited"]
    assert {change["field"] for change in events[1]["changes"]} == set(changes)
    again = (await desk.bob.ask("PATCH", f"/cases/{number}", changes)).json()
    assert again["seq"] == case["seq"]


@pytest.mark.parametrize(
    ("changes", "at_fault"),
    [
        ({}, "body"),
        ({"severity": "Urgent"}, "severity"),
        ({"status": "closed"}, "status"),
        ({"contact": ERIN}, "contact"),
        ({"environment": "Live"}, "environment"),
        ({"cc": ["nobody"]}, "cc.0"),
        ({"cc": None}, "cc"),
    ],
)
async def test_an_edit_at_fault_is_refused(desk: ApiDesk, changes: dict[str, object], at_fault: str) -> None:
    number = (await desk.bob.opened())["number"]
    answer = await desk.bob.ask("PATCH", f"/cases/{number}", changes)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [at_fault]


async def test_a_service_account_does_what_its_scopes_allow(desk: ApiDesk) -> None:
    monitoring, reporting = desk.person("monitoring"), desk.person("reporting")
    case = await monitoring.opened(contact=BOB)
    assert case["reporter"].endswith(".service.invalid")
    commented = await monitoring.did(case["number"], "comments", body="Still down.")
    assert commented["actor"] == {"kind": "service", "email": None, "name": "monitoring"}
    for answer in (
        await monitoring.get(f"/cases/{case['number']}"),
        await monitoring.post(f"/cases/{case['number']}/escalate", {"comment": "!"}),
        await reporting.post("/cases", NEW_CASE),
    ):
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"
        assert "scope case." in answer.json()["detail"]
    assert (await reporting.get(f"/cases/{case['number']}")).status_code == 200
    assert (await reporting.get("/cases")).status_code == 200


async def test_the_policy_of_the_desk(desk: ApiDesk) -> None:
    policy = (await desk.bob.get("/policy")).json()
    assert policy["labels"]["awaiting_customer"] == "Awaiting your reply"
    assert policy["products"] == ["ERP", "Analytics"]
    assert (policy["policy"]["auto_close_after"], policy["policy"]["reopen_within"]) == (3, 14)
    assert policy["calendar"]["timezone"] == "Europe/London"
