"""``Idempotency-Key``: the same request twice is carried out once and answered the same."""

from __future__ import annotations

import asyncio

import pytest

from shared.settings import Settings
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, serving


async def test_fifty_openings_with_one_key_make_one_case(world: ApiWorld, servers: Settings) -> None:
    desk = await world.desk()
    async with serving(servers) as other:
        here, there = desk.bob, ApiDesk(other, desk.slug).bob
        posts = [person.post("/cases", NEW_CASE, key="one") for person in (here, there) for _ in range(25)]
        answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["number"] == 1
    assert (await desk.bob.opened())["number"] == 2
    events = (await desk.bob.get("/cases/1/events")).json()["items"]
    assert [event["kind"] for event in events] == ["opened"]


async def test_numbers_have_no_gaps_under_load(world: ApiWorld) -> None:
    desk = await world.desk()
    cases = await asyncio.gather(*(desk.bob.opened(subject=f"{index}") for index in range(30)))
    assert sorted(case["number"] for case in cases) == list(range(1, 31))


async def test_a_comment_with_one_key_is_said_once(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    posts = [desk.bob.post(f"/cases/{number}/comments", {"body": "Hello"}, key="k") for _ in range(20)]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    items = (await desk.bob.get(f"/cases/{number}/events")).json()["items"]
    assert [event["kind"] for event in items] == ["opened", "commented"]


async def test_an_action_that_can_happen_only_once_is_accepted_for_all(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    posts = [desk.bob.post(f"/cases/{number}/escalate", {"comment": "Now"}, key="e") for _ in range(20)]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


async def test_a_refusal_is_kept_too(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    refused = await desk.bob.post(f"/cases/{number}/accept", {}, key="r")
    assert refused.status_code == 409
    await desk.ada.did(number, "resolve", resolution_type="x", summary="x")
    again = await desk.bob.post(f"/cases/{number}/accept", {}, key="r")
    assert (again.status_code, again.text) == (409, refused.text)
    assert again.headers["content-type"] == "application/problem+json"
    assert (await desk.bob.post(f"/cases/{number}/accept", {}, key="r2")).status_code == 200


async def test_a_key_belongs_to_one_request_of_one_caller(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    path = f"/cases/{number}/comments"
    first = await desk.bob.post(path, {"body": "Hello", "internal": False}, key="mine")
    headers = desk.bob.headers | {"Idempotency-Key": "mine", "Content-Type": "application/json"}
    spaced = b'{ "internal": false,\n "body": "Hello" }'
    same = await desk.bob.http.post(f"{desk.bob.base}{path}", content=spaced, headers=headers)
    assert same.text == first.text
    for other in (
        await desk.bob.post(path, {"body": "Goodbye"}, key="mine"),
        await desk.bob.post(f"/cases/{number}/close", {}, key="mine"),
        await desk.bob.post("/cases", NEW_CASE, key="mine"),
    ):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await desk.carol.post(path, {"body": "Goodbye"}, key="mine")).status_code == 201


async def test_a_form_at_fault_does_not_use_a_key_up(desk: ApiDesk) -> None:
    wrong = await desk.bob.post("/cases", NEW_CASE | {"severity": "Urgent"}, key="form")
    assert wrong.status_code == 422
    assert (await desk.bob.post("/cases", NEW_CASE, key="form")).status_code == 201


@pytest.mark.parametrize("key", ["x" * 201, "a\tb"])
async def test_odd_keys_are_refused(desk: ApiDesk, key: str) -> None:
    answer = await desk.bob.post("/cases", NEW_CASE, key=key)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
