"""Small words that the tests of the rules are written in."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.client import Caller, Json, ProblemError
from tests.integration.rules.desks import RuleDesk
from tests.waiting import until

LONDON = ZoneInfo("Europe/London")
"""Where most desks are."""
SECOND = timedelta(seconds=1)
SHORTLY = timedelta(seconds=20)
"""Long enough for a request on a busy machine."""


PAGES = 27
"""Cases in Erin's list: more than a page."""


async def opened(who: Caller, **fields: Any) -> int:
    """Open a case; returns its number."""
    return int((await who.open(**{"subject": "Posting fails", "description": "Error 1217"} | fields))["number"])


def actions(case: Json) -> dict[str, list[str]]:
    """What one may do to a case now, each with the fields it takes."""
    return {action["name"]: action["required"] for action in case["actions"]}


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[ProblemError]]:
    """What is inside must be refused with 409 and this code."""
    with pytest.raises(ProblemError) as problem:
        yield problem
    assert (problem.value.status, problem.value.code) == (409, code)


async def found(who: Caller, total: int, **query: Any) -> list[int]:
    """Numbers of the cases in somebody's list, once the list holds ``total``: it follows changes a moment later."""
    listed: Json = {}

    async def complete() -> bool:
        nonlocal listed
        listed = await who.cases(**query)
        return bool(listed["total"] == total)

    await until(complete, what=f"a list of {total} with {query}")
    return sorted(case["number"] for case in listed["items"])


async def erins_pages(desk: RuleDesk, of_each: Callable[[int], Json], **query: Any) -> list[int]:
    """Numbers of the cases that Erin opens, who sees no others, once her list has them all.

    Args:
        desk: that has no cases of hers yet.
        of_each: fields of a case by its place.
        query: of her list.
    """
    words = ({"subject": f"Delivery {index}", "description": "Late"} | of_each(index) for index in range(PAGES))
    numbers = await asyncio.gather(*(opened(desk.erin, **fields) for fields in words))
    await found(desk.erin, PAGES, **query)
    return sorted(numbers)


def text_of_day(instant: datetime, zone: ZoneInfo = LONDON) -> str:
    """A day as people in that time zone read it, as in ``Wed 25 Nov 2026``."""
    return f"{instant.astimezone(zone):%a %-d %b %Y}"


async def exported(who: Caller, **query: Any) -> list[dict[str, str]]:
    """The rows of a list that somebody downloads as CSV, by the headings of its columns."""
    answer = await who.download("/cases/export", format="csv", **query)
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
