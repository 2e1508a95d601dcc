"""Comments and actions over HTTP: the life of a case, what is refused and with which words."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.api_world import ApiDesk, ApiWorld, Person
from tests.desks import ADA, BOB, DAVE


async def test_the_tour_of_a_case(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    assert (await desk.ada.did(number, "assign", assignee="Ada@vendor.example"))["assignee"] == ADA
    asked = await desk.ada.did(number, "comments", body="Since when?", await_reply=True)
    assert (asked["kind"], asked["body"], asked["part"]) == ("commented", "Since when?", 0)
    assert (await desk.bob.get(f"/cases/{number}")).json()["status"] == "awaiting_customer"
    replied = await desk.bob.did(number, "comments", body="Since noon.", in_reply_to=asked["seq"])
    assert replied["in_reply_to"] == asked["seq"]
    escalated = await desk.bob.did(number, "escalate", comment="Month end!")
    assert escalated["status"] == "escalated"
    assert escalated["escalated_at"]
    done = {"resolution_type": "provided", "summary": "Extended the number range.", "root_cause": "Range full."}
    resolved = await desk.ada.did(number, "resolve", **done)
    assert (resolved["status"], resolved["resolution"]) == ("resolved", done)
    assert resolved["auto_close_at"] > resolved["resolved_at"]
    assert (await desk.bob.did(number, "reject", reason="Still fails."))["status"] == "open"
    await desk.ada.did(number, "resolve", **done)
    closed = await desk.bob.did(number, "accept")
    assert (closed["status"], closed["closed_reason"], closed["survey"]) == ("closed", "accepted", None)
    assert closed["reopen_until"] > closed["closed_at"]
    surveyed = await desk.bob.did(number, "survey", q1=5, q2="Quick.")
    assert surveyed["survey"] == {"q1": 5, "q2": "Quick."}
    reopened = await desk.bob.did(number, "reopen", reason="Again.")
    assert (reopened["status"], reopened["resolution"], reopened["reopen_until"]) == ("open", None, None)


@pytest.mark.parametrize("action", ["assign", "resolve"])
async def test_customers_may_not_do_what_is_for_staff(desk: ApiDesk, action: str) -> None:
    number = (await desk.bob.opened())["number"]
    body = {"assign": {"assignee": ADA}, "resolve": {"resolution_type": "x", "summary": "x"}}[action]
    answer = await desk.bob.post(f"/cases/{number}/{action}", body)
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("flag", ["internal", "await_reply"])
async def test_customers_write_no_notes_and_ask_nothing(desk: ApiDesk, flag: str) -> None:
    number = (await desk.bob.opened())["number"]
    answer = await desk.bob.post(f"/cases/{number}/comments", {"body": "x", flag: True})
    assert answer.status_code == 403


async def test_notes_are_for_staff_alone(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    note = await desk.ada.did(number, "comments", body="He is cross.", internal=True)
    assert note["kind"] == "noted"
    seen = {person: (await getattr(desk, person).get(f"/cases/{number}/events")).text for person in ("bob", "ada")}
    assert "He is cross." in seen["ada"]
    assert "noted" not in seen["bob"]
    reply = await desk.bob.post(f"/cases/{number}/comments", {"body": "?", "in_reply_to": note["seq"]})
    assert reply.status_code == 422
    reply = await desk.ada.post(f"/cases/{number}/comments", {"body": "?", "in_reply_to": note["seq"]})
    assert reply.json()["errors"][0]["field"] == "in_reply_to"
    reply = await desk.ada.post(f"/cases/{number}/comments", {"body": "?", "internal": True, "cc": [DAVE]})
    assert reply.json()["errors"][0]["field"] == "cc"


async def test_a_reply_answers_what_somebody_said_and_its_writer_may_see(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    note = (await desk.ada.did(number, "comments", body="He is cross.", internal=True))["seq"]
    assigned = (await desk.ada.did(number, "assign", assignee=ADA))["seq"]
    said = (await desk.ada.did(number, "comments", body="Since when?", in_reply_to=1))["seq"]
    assert (await desk.ada.did(number, "comments", body="Indeed.", internal=True, in_reply_to=note))[
        "in_reply_to"
    ] == note
    assert (await desk.bob.did(number, "comments", body="Since noon.", in_reply_to=said))["in_reply_to"] == said

    async def refused(who: Person, seq: int) -> str:
        answer = await who.post(f"/cases/{number}/comments", {"body": "?", "in_reply_to": seq})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["field"] == "in_reply_to"
        return str(error["message"]).replace(str(seq), "N")

    assert await refused(desk.bob, note) == await refused(desk.bob, 99), "a customer learns nothing of a note"
    assert "no comment to reply to" in await refused(desk.bob, assigned)
    assert "no comment to reply to" in await refused(desk.ada, assigned)


async def test_events_come_in_pages(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    for index in range(4):
        await desk.bob.did(number, "comments", body=f"{index}")
    page = (await desk.bob.get(f"/cases/{number}/events", after_seq=2, limit=2)).json()["items"]
    assert [event["seq"] for event in page] == [3, 4]
    assert page[0]["actor"] == {"kind": "customer", "email": BOB, "name": "Bob Acme"}
    assert page[0]["at"].endswith("Z")
    for params in ({"limit": 201}, {"limit": 0}, {"after_seq": -1}, {"limit": "x"}):
        assert (await desk.bob.get(f"/cases/{number}/events", **params)).status_code == 422


async def test_a_refused_action_says_what_would_be_possible(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    await desk.bob.did(number, "escalate", comment="Now!")
    answer = await desk.bob.post(f"/cases/{number}/escalate", {"comment": "Now!!"})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "already_escalated"
    names = {action["name"] for action in problem["actions"]}
    assert names == {action["name"] for action in (await desk.bob.get(f"/cases/{number}")).json()["actions"]}
    assert "escalate" not in names
    assert (await desk.bob.post(f"/cases/{number}/accept")).json()["code"] == "not_allowed_in_status"


@pytest.mark.parametrize("body", [{}, {"comment": ""}, {"comment": " \n"}])
async def test_a_blank_reason_is_refused(desk: ApiDesk, body: dict[str, str]) -> None:
    number = (await desk.bob.opened())["number"]
    answer = await desk.bob.post(f"/cases/{number}/escalate", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "reason_required")


@pytest.mark.parametrize(
    ("action", "body", "fields"),
    [
        ("resolve", {}, {"resolution_type", "summary"}),
        ("resolve", {"resolution_type": "x", "summary": " "}, {"summary"}),
        ("comments", {}, {"body"}),
        ("comments", {"body": "x", "internal": True, "close": True}, {"internal", "close"}),
        ("comments", {"body": "x", "in_reply_to": 99}, {"in_reply_to"}),
        ("comments", {"body": "x" * 65_537}, {"body"}),
        ("comments", {"body": ["x"]}, {"body"}),
        ("assign", {}, {"assignee"}),
        ("assign", {"assignee": BOB}, {"assignee"}),
        ("close", {"comments": "x"}, {"comments"}),
    ],
)
async def test_forms_at_fault(desk: ApiDesk, action: str, body: dict[str, object], fields: set[str]) -> None:
    number = (await desk.bob.opened())["number"]
    answer = await desk.ada.post(f"/cases/{number}/{action}", body)
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == fields


async def test_once_the_window_has_passed_only_a_follow_up_is_possible(desk: ApiDesk) -> None:
    number = (await desk.bob.opened(severity="High", environment="Test", cc=[DAVE]))["number"]
    closed = await desk.ada.did(number, "close")
    ends = datetime.fromisoformat(closed["reopen_until"])
    early = await desk.bob.post(f"/cases/{number}/follow-up", {"description": "Again"})
    assert (early.status_code, early.json()["code"]) == (409, "case_closed")
    await desk.fast_forward(number, ends - datetime.fromisoformat(closed["closed_at"]) + timedelta(minutes=1))
    answer = await desk.bob.post(f"/cases/{number}/reopen", {"reason": "Again"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "reopen_window_passed")
    local = ends.astimezone(ZoneInfo("Europe/London"))
    assert f"{local:%a} {local.day} {local:%b %Y}, {local:%H:%M}" in problem["detail"]
    assert "(Europe/London)." in problem["detail"]
    assert datetime.fromisoformat(problem["window_ended_at"]) == ends
    assert problem["follow_up"].endswith(f"/cases/{number}/follow-up")
    assert {action["name"] for action in problem["actions"]} >= {"follow-up"}
    sealed = (await desk.bob.post(f"/cases/{number}/comments", {"body": "Hello?"})).json()
    assert (sealed["code"], sealed["follow_up"]) == ("case_sealed", problem["follow_up"])

    answer = await desk.bob.post(f"/cases/{number}/follow-up", {"description": "It is back."}, key="follow")
    assert answer.status_code == 201, answer.text
    following = answer.json()
    assert following["follow_up_of"] == number
    copied = ("subject", "severity", "environment", "account", "contact", "cc")
    assert {name: following[name] for name in copied} == {name: closed[name] for name in copied}
    again = await desk.bob.post(f"/cases/{number}/follow-up", {"description": "It is back."}, key="follow")
    assert again.json() == following
    assert (await desk.bob.get(f"/cases/{number}")).json()["follow_ups"] == [following["number"]]


async def test_what_a_desk_does_not_offer(world: ApiWorld) -> None:
    desk = await world.desk("help-centre")
    number = (await desk.bob.opened())["number"]
    for action, body in (("escalate", {"comment": "x"}), ("accept", {}), ("request-close", {})):
        answer = await desk.bob.post(f"/cases/{number}/{action}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_offered_by_desk"), action
    solved = await desk.bob.did(number, "comments", solve=True)
    assert solved["kind"] == "resolved"
    assert (await desk.bob.get(f"/cases/{number}")).json()["status_label"] == "Solved"
