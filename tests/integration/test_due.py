"""The list's filter `due`: cases whose window ends on which day, with the search service and without it."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.settings import Settings
from tests.api_world import NEW_CASE, ApiDesk, searching, serving, working

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLOSES, SEALS = 1, 2
"""Days of the windows, every day being a business day."""


def _where_it_is_noon() -> str:
    """A time zone in which no day begins or ends while the tests run."""
    behind = datetime.now(UTC).hour - 12
    return f"Etc/GMT{behind:+d}" if behind else "UTC"


DESK: dict[str, Any] = {
    "policy": {"auto_close_after": CLOSES, "reopen_within": SEALS},
    "calendar": {
        "timezone": _where_it_is_noon(),
        "workdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "holidays": [],
    },
}
RESOLVE = {"resolution_type": "provided", "summary": "Restarted."}
SUBJECTS: dict[str, tuple[timedelta, str, dict[str, Any]]] = {
    # By its own clock, so long behind, the case is resolved or closed now; its window is as long as above.
    "resolved, ends two days ago": (3 * DAY, "resolve", RESOLVE),
    "resolved, ends two hours ago": (DAY + 2 * HOUR, "resolve", RESOLVE),
    "resolved, ends in two hours": (DAY - 2 * HOUR, "resolve", RESOLVE),
    "resolved, ends tomorrow": (0 * DAY, "resolve", RESOLVE),
    "closed, ends today": (2 * DAY - HOUR, "close", {}),
    "closed, ends tomorrow": (DAY, "close", {}),
    "closed, ends in two days": (0 * DAY, "close", {}),
    "worked on": (0 * DAY, "take", {}),
}
PAST = {"resolved, ends two days ago", "resolved, ends two hours ago"}
TODAY = {"resolved, ends two hours ago", "resolved, ends in two hours", "closed, ends today"}
TOMORROW = {"resolved, ends tomorrow", "closed, ends tomorrow"}
WEEK = TODAY | TOMORROW | {"closed, ends in two days"}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["search", "record"])
async def desk(servers: Settings, request: pytest.FixtureRequest) -> AsyncIterator[ApiDesk]:
    async with working(servers), serving(servers) as world:
        desk = await world.desk(**DESK)
        for subject, (behind, action, fields) in SUBJECTS.items():
            number = await opened(desk, subject, behind)
            await desk.ada.did(number, action, **fields)
        sealed = await opened(desk, "sealed", 0 * DAY)
        await desk.ada.did(sealed, "close")
        await desk.fast_forward(sealed, timedelta(days=3))
        async with asyncio.timeout(20):
            while not (await desk.ada.get(f"/cases/{sealed}")).json()["sealed"]:
                await asyncio.sleep(0.05)
        again = await opened(desk, "taken up again", DAY)
        for action, fields in (("resolve", RESOLVE), ("reopen", {"reason": "No."})):
            await desk.ada.did(again, action, **fields)
        if request.param == "record":
            yield desk
            return
        async with searching(servers):
            async with asyncio.timeout(30):
                while (await desk.ada.get("/cases", after_seq=1)).json().get("stale"):
                    await asyncio.sleep(0.05)
            yield desk


async def opened(desk: ApiDesk, subject: str, behind: timedelta) -> int:
    headers = {"Casebound-Opened-Ago": str(int(behind.total_seconds()))}
    answer = await desk.bob.ask("POST", "/cases", NEW_CASE | {"subject": subject}, headers=headers)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["number"])


async def listed(desk: ApiDesk, person: str = "ada", **params: Any) -> set[str]:
    """Subjects; every one of them must be on the page and in the total."""
    page = (await getattr(desk, person).get("/cases", page_size=100, **params)).json()
    subjects = [case["subject"] for case in page["items"]]
    assert len(subjects) == page["total"], page
    return set(subjects)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"due": "overdue"}, PAST),
        ({"due": "today"}, TODAY),
        ({"due": "tomorrow"}, TOMORROW),
        ({"due": "week"}, WEEK),
        ({"due": "today", "status": "resolved"}, {"resolved, ends two hours ago", "resolved, ends in two hours"}),
        ({"due": "week", "status": "closed"}, {each for each in WEEK if each.startswith("closed")}),
        ({"due": "week", "status": "open"}, set()),
        ({"due": "tomorrow", "assignee": "none"}, TOMORROW),
        ({}, {*SUBJECTS, "sealed", "taken up again"}),
    ],
)
async def test_cases_are_found_by_the_day_on_which_their_window_ends(
    desk: ApiDesk, params: dict[str, str], expected: set[str]
) -> None:
    assert await listed(desk, **params) == expected
    assert await listed(desk, "bob", **params) == expected
    assert await listed(desk, "erin", **params) == set()


async def test_what_is_shown_of_them_says_the_same(desk: ApiDesk) -> None:
    items = (await desk.ada.get("/cases", due="week", page_size=100)).json()["items"]
    ends = [datetime.fromisoformat(case["auto_close_at"] or case["reopen_until"]) for case in items]
    assert all(-DAY < end - datetime.now(UTC) < 7 * DAY for end in ends)


async def test_words_facets_pages_and_exports_go_with_it(desk: ApiDesk) -> None:
    page = (await desk.ada.get("/cases", due="week", sort="number", page_size=2, page=2)).json()
    assert (page["total"], page["pages"], len(page["items"])) == (len(WEEK), 3, 2)
    if page.get("stale"):
        assert (await desk.ada.get("/cases", due="week", q="closed")).status_code == 503
    else:
        assert await listed(desk, due="week", q="clos") == {each for each in WEEK if each.startswith("closed")}
        assert page["facets"]["status"] == {"resolved": 3, "closed": 3}
    export = await desk.ada.get("/cases/export", due="week")
    rows = csv.DictReader(io.StringIO(export.content.decode("utf-8-sig"), newline=""))
    assert {row["Subject"] for row in rows} == WEEK


async def test_it_is_kept_in_a_saved_filter(desk: ApiDesk) -> None:
    body = {"name": "Closing today", "query": {"due": "today", "status": ["resolved"]}}
    saved = await desk.leo.post("/filters", body)
    assert (saved.status_code, saved.json()["query"], saved.json()["errors"]) == (201, body["query"], [])
    assert await listed(desk, **saved.json()["query"]) == TODAY - {"closed, ends today"}


@pytest.mark.parametrize("due", ["yesterday", "", "2026-11-20", "Today"])
async def test_what_is_no_day_is_refused_with_those_that_are(desk: ApiDesk, due: str) -> None:
    for path in ("/cases", "/cases/export"):
        answer = await desk.ada.get(path, due=due)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        (error,) = answer.json()["errors"]
        assert (error["field"], error["allowed"]) == ("due", ["overdue", "today", "tomorrow", "week"])
