"""Lists of cases: filters, order, pages, visibility; with the search service and without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.settings import Settings
from tests.api_world import ApiDesk, searching, serving, working
from tests.desks import ADA, BOB, DAVE


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["search", "record"])
async def desk(servers: Settings, request: pytest.FixtureRequest) -> AsyncIterator[tuple[ApiDesk, bool]]:
    """A desk with five cases; whether a search node runs."""
    async with working(servers), serving(servers) as world:
        desk = await world.desk()
        await desk.bob.opened(subject="Alpha printer", product="ERP", severity="High")
        await desk.bob.opened(subject="Beta scanner", product="Analytics", severity="Low", cc=[DAVE])
        await desk.dave.opened(subject="Gamma printer", product="ERP")
        await desk.erin.opened(subject="Delta printer", severity="Critical")
        await desk.ada.opened(subject="Epsilon", contact=DAVE)
        await desk.ada.did(1, "assign", assignee=ADA)
        if request.param == "record":
            yield desk, False
            return
        async with searching(servers):
            await knows(desk)
            yield desk, True


async def knows(desk: ApiDesk) -> None:
    """Wait until a search node answers, and knows the last thing that Ada did."""
    async with asyncio.timeout(30):
        while (await desk.ada.get("/cases", after_seq=1)).json().get("stale"):
            await asyncio.sleep(0.05)


async def listed(desk: ApiDesk, person: str, **params: Any) -> dict[str, Any]:
    answer = await getattr(desk, person).get("/cases", **params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def numbers(page: dict[str, Any]) -> list[int]:
    return [case["number"] for case in page["items"]]


@pytest.mark.parametrize(
    ("person", "params", "expected"),
    [
        ("ada", {"sort": "number"}, [1, 2, 3, 4, 5]),
        ("ada", {}, [1, 5, 4, 3, 2]),
        ("ada", {"sort": "-number", "page_size": 2, "page": 2}, [3, 2]),
        ("ada", {"sort": "-number", "page": 9}, []),
        ("bob", {"sort": "number"}, [1, 2]),
        ("carol", {"sort": "number"}, [1, 2, 3, 5]),
        ("dave", {"sort": "number"}, [2, 3, 5]),
        ("erin", {"sort": "number"}, [4]),
        ("ada", {"sort": "number", "product": ["ERP"]}, [1, 3]),
        ("ada", {"sort": "number", "severity": ["High", "Critical"]}, [1, 4]),
        ("ada", {"sort": "number", "status": "New"}, [2, 3, 4, 5]),
        ("ada", {"sort": "number", "status": "open"}, [1]),
        ("ada", {"sort": "number", "account": "other"}, [4]),
        ("ada", {"sort": "number", "assignee": "ADA@vendor.example"}, [1]),
        ("ada", {"sort": "number", "assignee": "none"}, [2, 3, 4, 5]),
        ("ada", {"sort": "number", "mine": True}, [1, 5]),
        ("ada", {"sort": "number", "assignee": ["me", "none"]}, [1, 2, 3, 4, 5]),
        ("leo", {"sort": "number", "assignee": "me"}, []),
        ("ada", {"sort": "number", "awaiting": "me"}, [1]),
        ("ada", {"sort": "number", "awaiting": "me", "status": ["new", "closed"]}, []),
        ("leo", {"sort": "number", "awaiting": "me"}, []),
        ("bob", {"sort": "number", "awaiting": "me"}, []),
        ("ada", {"sort": "severity"}, [4, 1, 2, 5, 3]),
        ("ada", {"sort": "-severity"}, [2, 1, 4, 5, 3]),
        ("ada", {"sort": "status"}, [5, 4, 3, 2, 1]),
        ("ada", {"sort": "number", "q": "", "product": ["ERP", "Analytics"]}, [1, 2, 3]),
        ("carol", {"sort": "number", "mine": True}, []),
    ],
)
async def test_filters_order_and_visibility(
    desk: tuple[ApiDesk, bool], person: str, params: dict[str, Any], expected: list[int]
) -> None:
    page = await listed(desk[0], person, **params)
    assert numbers(page) == expected
    assert page.get("stale") is (None if desk[1] else True)


async def test_totals_and_pages(desk: tuple[ApiDesk, bool]) -> None:
    page = await listed(desk[0], "ada", page_size=2)
    assert (page["total"], page["page"], page["page_size"], page["pages"]) == (5, 1, 2, 3)
    if desk[1]:
        assert page["facets"]["product"] == {"ERP": 2, "Analytics": 1}
        narrowed = await listed(desk[0], "ada", product="ERP", severity="High")
        assert narrowed["total"] == 1
        assert narrowed["facets"]["product"] == {"ERP": 1}
        assert narrowed["facets"]["severity"] == {"High": 1}
        assert narrowed["facets"]["assignee"] == {ADA: 1}
        assert (await listed(desk[0], "ada", product="ERP"))["facets"]["product"] == {"ERP": 2, "Analytics": 1}
        assert (await listed(desk[0], "bob"))["facets"]["account"] == {"acme": 2}


async def test_words(desk: tuple[ApiDesk, bool]) -> None:
    answer = await desk[0].bob.get("/cases", q="print")
    if desk[1]:
        assert numbers(answer.json()) == [1]
    else:
        assert (answer.status_code, answer.json()["code"]) == (503, "search_unavailable")
        assert answer.headers["Retry-After"]


async def test_one_reads_ones_own_writes(desk: tuple[ApiDesk, bool]) -> None:
    for _ in range(5):
        event = await desk[0].bob.did(2, "comments", body="And another thing.")
        assert numbers(await listed(desk[0], "bob", after_seq=event["seq"]))[0] == 2


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"page_size": 101}, "page_size"),
        ({"page_size": 0}, "page_size"),
        ({"page": 0}, "page"),
        ({"page": "x"}, "page"),
        ({"sort": "colour"}, "sort"),
        ({"status": "lost"}, "status"),
        ({"product": "CRM"}, "product"),
        ({"severity": "urgent"}, "severity"),
        ({"impact": "Huge"}, "impact"),
        ({"after_seq": 0}, "after_seq"),
        ({"colour": "red"}, "colour"),
        ({"q": "x" * 501}, "q"),
        ({"q": "a\0"}, "q"),
        ({"assignee": "a\0"}, "assignee.0"),
        ({"awaiting": "bob"}, "awaiting"),
        ({"mine": "perhaps"}, "mine"),
    ],
)
async def test_what_can_not_be_listed(desk: tuple[ApiDesk, bool], params: dict[str, Any], field: str) -> None:
    answer = await desk[0].ada.get("/cases", **params)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_desk_may_require_a_filter(desk: tuple[ApiDesk, bool]) -> None:
    other = await desk[0].world.desk("appcentral")
    answer = await other.ada.get("/cases")
    assert (answer.status_code, answer.json()["code"]) == (422, "filter_required")
    assert answer.json()["errors"][0]["field"] == "product"
    assert (await other.ada.get("/cases", product="ERP")).status_code == 200


async def test_status_groups_of_the_desk(desk: tuple[ApiDesk, bool]) -> None:
    other = await desk[0].world.desk("help-centre")
    first, second = [(await other.bob.opened())["number"] for _ in range(2)]
    solved = await other.bob.did(second, "comments", solve=True)
    params = {"after_seq": solved["seq"]}
    assert numbers(await listed(other, "bob", status="Solved", **params)) == [second]
    assert numbers(await listed(other, "bob", status="Open", **params)) == [first]


async def test_what_awaits_a_customer(desk: tuple[ApiDesk, bool]) -> None:
    other = await desk[0].world.desk()
    for subject in ("Asked", "Resolved", "Worked on", "Bob is copied"):
        await other.carol.opened(subject=subject, cc=[BOB] if "copied" in subject else [])
    await other.ada.did(1, "comments", body="Which period?", await_reply=True)
    await other.ada.did(3, "comments", body="We look into it.")
    await other.ada.did(4, "comments", body="Which period?", await_reply=True)
    resolved = await other.ada.did(2, "resolve", resolution_type="provided", summary="Restarted.")
    assert numbers(await listed(other, "ada", sort="number", after_seq=resolved["seq"])) == [1, 2, 3, 4]
    assert numbers(await listed(other, "carol", sort="number", awaiting="me")) == [1, 2, 4]
    assert numbers(await listed(other, "carol", awaiting="me", status="resolved")) == [2]
    assert numbers(await listed(other, "bob", awaiting="me")) == [4]
    assert numbers(await listed(other, "dave", awaiting="me")) == []
    assert numbers(await listed(other, "ada", awaiting="me")) == []


async def test_a_page_far_beyond_the_end(desk: tuple[ApiDesk, bool]) -> None:
    page = await listed(desk[0], "ada", page=1_000_000, page_size=100)
    assert (page["items"], page["total"]) == ([], 5)


async def test_a_service_lists_what_it_has_reported_as_its_own(desk: tuple[ApiDesk, bool]) -> None:
    scopes = [{"name": "robot", "scopes": ["case.open", "case.read"]}]
    other = await desk[0].world.desk(services=scopes)
    robot = other.person("robot")
    case = await robot.opened(contact=BOB)
    await other.bob.opened()
    page = (await robot.get("/cases", mine=True, after_seq=case["seq"])).json()
    assert numbers(page) == [case["number"]]
