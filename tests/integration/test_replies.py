"""Canned replies over REST: the desk's, kept by leads for all, and everybody's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.api.replies.filling import PLACEHOLDERS, unknown_placeholders
from shared.settings import Settings
from tests.api_world import ApiDesk, ApiWorld, Person, serving, working

HELLO = "Hello {customer},\n\nthank you for {number}. {agent}, {desk}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    async with working(servers), serving(servers) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def desk(world: ApiWorld) -> ApiDesk:
    return await world.desk()


async def kept(person: Person, name: str = "Hello", **more: Any) -> dict[str, Any]:
    answer = await person.post("/replies", {"name": name, "body": HELLO} | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def names(person: Person) -> list[str]:
    return [each["name"] for each in (await person.get("/replies")).json()["items"]]


async def test_a_reply_is_kept_changed_and_forgotten(desk: ApiDesk) -> None:
    made = await kept(desk.ada)
    assert (made["name"], made["body"], made["shared"]) == ("Hello", HELLO, False)
    assert (await desk.ada.get("/replies")).json() == {"items": [made]}
    path = f"/replies/{made['id']}"
    changed = (await desk.ada.ask("PATCH", path, {"name": " hello "})).json()
    assert changed == made | {"name": "hello", "updated_at": changed["updated_at"]}
    assert (await desk.ada.ask("DELETE", path)).status_code == 204
    assert await names(desk.ada) == []
    assert (await desk.ada.ask("DELETE", path)).status_code == 404


async def test_the_desks_are_for_all_staff_and_kept_by_leads(desk: ApiDesk) -> None:
    made = await kept(desk.leo, "Ours", shared=True)
    assert made["shared"]
    await kept(desk.leo, "Leo's own")
    assert await names(desk.ada) == ["Ours"]
    path = f"/replies/{made['id']}"
    for answer in (
        await desk.ada.ask("PATCH", path, {"body": "Bye"}),
        await desk.ada.ask("DELETE", path),
        await desk.ada.post("/replies", {"name": "Mine for all", "body": "x", "shared": True}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await desk.leo.ask("PATCH", path, {"body": "Bye"})).json()["body"] == "Bye"


async def test_somebody_elses_own_are_not_there(desk: ApiDesk) -> None:
    made = await kept(desk.ada)
    for method, body in (("PATCH", {"name": "Taken"}), ("DELETE", None)):
        assert (await desk.leo.ask(method, f"/replies/{made['id']}", body)).status_code == 404
    assert await names(desk.leo) == []


async def test_customers_have_none(desk: ApiDesk) -> None:
    await kept(desk.leo, "Ours", shared=True)
    answer = await desk.bob.get("/replies")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_name_is_taken_once_by_each_owner(desk: ApiDesk) -> None:
    await kept(desk.ada, "Same")
    await kept(desk.leo, "Same")
    await kept(desk.leo, "Same", shared=True)
    other = await kept(desk.ada, "Other")
    for answer in (
        await desk.ada.post("/replies", {"name": "sAME", "body": "x"}),
        await desk.ada.ask("PATCH", f"/replies/{other['id']}", {"name": "SAME"}),
        await desk.leo.post("/replies", {"name": "same", "body": "x", "shared": True}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "reply_name_taken")


async def test_the_same_request_keeps_one(desk: ApiDesk) -> None:
    form = {"name": "Once", "body": "x"}
    answers = await asyncio.gather(*(desk.ada.post("/replies", form, key="one") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await names(desk.ada) == ["Once"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "body": "x"}, "name"),
        ({"name": "x", "body": ""}, "body"),
        ({"name": "x", "body": "{you}"}, "body"),
    ],
)
async def test_what_can_not_be_used_is_refused(desk: ApiDesk, body: dict[str, str], field: str) -> None:
    answer = await desk.ada.post("/replies", body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


def test_braces_that_are_no_placeholders_stay() -> None:
    assert unknown_placeholders("".join(f"{{{name}}}" for name in PLACEHOLDERS)) == []
    assert unknown_placeholders('{"json": 1} {} { x }') == []
    assert unknown_placeholders("{custmer} {number}") == ["{custmer}"]
