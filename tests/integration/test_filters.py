"""Saved filters: everybody's own, kept as they were even when the desk changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.settings import Settings
from tests.api_world import ApiDesk, ApiWorld, Person, serving, working
from tests.desks import apply_to, desk_file

QUERY = {"status": ["New"], "assignee": ["me"], "sort": "-severity"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    async with working(servers), serving(servers) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def desk(world: ApiWorld) -> ApiDesk:
    return await world.desk()


async def saved(person: Person, name: str = "Mine", query: Any = None, **more: Any) -> dict[str, Any]:
    answer = await person.post("/filters", {"name": name, "query": QUERY if query is None else query, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def names(person: Person) -> list[str]:
    return [each["name"] for each in (await person.get("/filters")).json()["items"]]


def refused(answer: httpx.Response, status: int, code: str, *fields: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert [error["field"] for error in body.get("errors", [])] == list(fields)


async def test_a_filter_is_kept_changed_and_forgotten(desk: ApiDesk) -> None:
    made = await saved(desk.ada)
    assert (made["name"], made["query"], made["errors"]) == ("Mine", QUERY, [])
    assert (await desk.ada.get("/filters")).json() == {"items": [made]}
    assert (await desk.ada.get("/cases", **made["query"])).status_code == 200

    path = f"/filters/{made['id']}"
    changed = (await desk.ada.ask("PATCH", path, {"query": {"q": "print"}, "position": 7})).json()
    assert changed == made | {"query": {"q": "print"}, "position": 7}
    renamed = (await desk.ada.ask("PATCH", path, {"name": "  mine "})).json()
    assert renamed == changed | {"name": "mine"}

    assert (await desk.ada.ask("DELETE", path)).status_code == 204
    assert await names(desk.ada) == []
    refused(await desk.ada.ask("DELETE", path), 404, "not_found")
    refused(await desk.ada.ask("PATCH", path, {"name": "x"}), 404, "not_found")


async def test_they_are_in_order(desk: ApiDesk) -> None:
    first, *_ = [await saved(desk.bob, name) for name in ("one", "two", "three")]
    assert await names(desk.bob) == ["one", "two", "three"]
    await saved(desk.bob, "zero", position=0)
    await desk.bob.ask("PATCH", f"/filters/{first['id']}", {"position": 3})
    assert await names(desk.bob) == ["zero", "two", "one", "three"]


async def test_nobody_else_sees_or_changes_them(desk: ApiDesk) -> None:
    made = await saved(desk.bob)
    path = f"/filters/{made['id']}"
    elsewhere = await desk.world.desk()
    for other in (desk.ada, desk.leo, desk.carol, elsewhere.bob):
        assert await names(other) == []
        refused(await other.ask("PATCH", path, {"name": "theirs"}), 404, "not_found")
        refused(await other.ask("DELETE", path), 404, "not_found")
    assert await names(desk.bob) == ["Mine"]
    for name in ("monitoring", "reporting"):
        service = desk.person(name)
        refused(await service.get("/filters"), 403, "forbidden")
        refused(await service.post("/filters", {"name": "x", "query": {}}), 403, "forbidden")
        refused(await service.ask("DELETE", path), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"query": {}}, ["name"]),
        ({"name": " ", "query": {}}, ["name"]),
        ({"name": "x" * 101, "query": {}}, ["name"]),
        ({"name": "a\0", "query": {}}, ["name"]),
        ({"name": "x"}, ["query"]),
        ({"name": "x", "query": {"colour": "red"}}, ["query.colour"]),
        ({"name": "x", "query": {"page": 2}}, ["query.page"]),
        ({"name": "x", "query": {"product": "ERP"}}, ["query.product"]),
        ({"name": "x", "query": {"product": ["CRM"], "status": ["lost"]}}, ["query.status", "query.product"]),
        ({"name": "x", "query": {"q": "a\0"}}, ["query.q"]),
        ({"name": "x", "query": {}, "position": -1}, ["position"]),
        ({"name": "x", "query": {}, "owner": "carol@acme.example"}, ["owner"]),
    ],
)
async def test_what_can_not_be_kept(desk: ApiDesk, body: dict[str, Any], fields: list[str]) -> None:
    refused(await desk.bob.post("/filters", body), 422, "invalid_request", *fields)
    assert await names(desk.bob) == []


async def test_what_a_list_would_refuse_is_refused(desk: ApiDesk) -> None:
    other = await desk.world.desk("appcentral")
    refused(await other.bob.post("/filters", {"name": "x", "query": {}}), 422, "filter_required", "query.product")
    made = await saved(other.bob, query={"product": ["ERP"]})
    changed = await other.bob.ask("PATCH", f"/filters/{made['id']}", {"query": {"status": ["New"]}})
    refused(changed, 422, "filter_required", "query.product")


async def test_names_differ(desk: ApiDesk) -> None:
    await saved(desk.bob)
    second = await saved(desk.bob, "Other")
    refused(await desk.bob.post("/filters", {"name": "mINE", "query": {}}), 409, "filter_name_taken")
    path = f"/filters/{second['id']}"
    refused(await desk.bob.ask("PATCH", path, {"name": "MINE"}), 409, "filter_name_taken")
    assert await names(desk.bob) == ["Mine", "Other"]
    await saved(desk.carol)


async def test_there_is_an_end_to_them_also_for_many_at_once(desk: ApiDesk) -> None:
    answers = await asyncio.gather(
        *(desk.bob.post("/filters", {"name": f"filter {number}", "query": {}}) for number in range(55))
    )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (50, 5)
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_filters"}
    assert len(await names(desk.bob)) == 50


async def test_the_same_key_keeps_one(desk: ApiDesk) -> None:
    body = {"name": "Mine", "query": QUERY}
    answers = await asyncio.gather(*(desk.bob.post("/filters", body, key="once") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await names(desk.bob) == ["Mine"]
    refused(await desk.bob.post("/filters", body | {"name": "x"}, key="once"), 422, "idempotency_key_reused")


async def test_what_the_desk_has_no_more_is_flagged_and_not_lost(world: ApiWorld) -> None:
    content = desk_file()
    await apply_to(world.database, content)
    desk = ApiDesk(world, content["desk"])
    query = {"product": ["ERP", "Analytics"], "sort": "number"}
    made = await saved(desk.ada, query=query)
    content["products"] = ["ERP"]
    await apply_to(world.database, content)
    async with asyncio.timeout(10):
        while not (found := (await desk.ada.get("/filters")).json()["items"][0])["errors"]:
            await asyncio.sleep(0.1)
    assert found["query"] == query
    assert [(error["field"], error["allowed"]) for error in found["errors"]] == [("product", ["ERP"])]
    mended = await desk.ada.ask("PATCH", f"/filters/{made['id']}", {"query": {"product": ["ERP"]}})
    assert mended.json()["errors"] == []
