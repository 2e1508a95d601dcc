"""Every page of the portal for people who see, steer or read in ways of their own: axe-core, contrast, keyboard, zoom.

The pages are those of the application (``routes.py``), on the demo's richest desk, as its customer, agent and admin
see it, in light and dark, on a wide and a narrow window, and at 200 % zoom, which is half the room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from services.local.demo import DEMO_PASSWORD
from tests.portal.browsing import EVERY_RULE, RULES_OF_COLOURS, Colours, Portal, Window
from tests.portal.routes import PAGE_ROUTES
from tests.stack import Stack

DESK: Final = "standard"
PEOPLE: Final = {
    "customer": "bob@acme.example",
    "staff": "ada@lumen.example",
    "admin": "root@lumen.example",
}
RANKS: Final = {"anybody": 0, "person": 1, "customer": 2, "staff": 3, "lead": 4, "admin": 5}
COLOURS: Final[Mapping[Colours, Sequence[str]]] = {"light": EVERY_RULE, "dark": RULES_OF_COLOURS}
ZOOMED: Final = {"width": 640, "height": 450}
FOCUS: Final = Path(__file__).with_name("focus.js").read_text()
STOPS_MAX: Final = 400
RING_CONTRAST: Final = 3.0


@dataclass(frozen=True)
class Visit:
    """Somebody, and what the addresses of their pages are filled with."""

    who: str
    values: Mapping[str, str]

    @property
    def paths(self) -> list[str]:
        """All pages they may see, and the tabs of a case; of an admin those that staff does not see."""
        since = RANKS["lead"] if self.who == "admin" else 0
        mine = [
            route.address(self.values) + QUERIES.get(route.name, "")
            for route in PAGE_ROUTES
            if route.method == "GET"
            and since <= RANKS[route.audience] <= RANKS[self.who]
            and "/login" not in route.path
        ]
        if since:
            return mine
        case = f"/desks/{DESK}/cases/{self.values['number']}"
        return [*mine, *(f"{case}?tab={tab}" for tab in ("attachments", "activity")), f"/desks/{DESK}/cases?q=zzzz"]


QUERIES: Final = {"GET /desks/{desk}/overview/cases": "?of=open"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visits(demo_stack: Stack) -> AsyncIterator[dict[str, Visit]]:
    made = {}
    for who, email in PEOPLE.items():
        async with httpx.AsyncClient(base_url=demo_stack.api, trust_env=False) as http:
            made[who] = Visit(who, await _values(http, email))
    yield made


async def _values(http: httpx.AsyncClient, email: str) -> dict[str, str]:
    """What somebody of the demo has: a case with a file, a list of their own, canned replies, a webhook."""
    answer = await http.post("/api/v1/session", json={"email": email, "password": DEMO_PASSWORD})
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]}
    base = f"/api/v1/desks/{DESK}"

    async def items(path: str) -> list[dict[str, Any]]:
        answer = await http.get(f"{base}{path}", headers=headers)
        return list(answer.json().get("items", []))

    case = (await items("/cases?sort=-number"))[0]
    file = await http.post(
        f"{base}/attachments", headers=headers, files={"file": ("notes.txt", b"Words", "text/plain")}
    )
    attached = {"attachments": [file.json()["id"]]}
    await http.post(f"{base}/cases/{case['number']}/attach", headers=headers, json=attached)
    if not (filters := await items("/filters")):
        await http.post(f"{base}/filters", headers=headers, json={"name": "Mine", "query": {"mine": True}})
        filters = await items("/filters")
    if not (replies := await items("/replies")):
        await http.post(f"{base}/replies", headers=headers, json={"name": "Thanks", "body": "Thank you."})
        replies = await items("/replies")
    hooks = await items("/webhooks")
    return {
        "desk": DESK,
        "number": str(case["number"]),
        "seq": "1",
        "action": "close",
        "attachment": file.json()["id"],
        "name": "internal_reference",
        "filter_id": filters[0]["id"],
        "reply_id": replies[0]["id"] if replies else "0",
        "queue": "mine",
        "webhook": hooks[0]["id"] if hooks else "0",
        "delivery": "1",
        "letter": "1",
    }


async def open_whole(window: Window, path: str) -> bool:
    """Go there; whether it is a page, and no part of one or a file."""
    await window.go(path)
    return bool(await window.page.locator("main#main").count())


@pytest.mark.parametrize("size", ["wide", "narrow", "zoomed"])
@pytest.mark.parametrize("who", PEOPLE)
async def test_no_page_has_a_violation(portal: Portal, visits: dict[str, Visit], who: str, size: str) -> None:
    """In light and dark; and nothing is wider than the window."""
    window = await portal.window(PEOPLE[who], size="narrow" if size == "narrow" else "wide")
    if size == "zoomed":
        await window.page.set_viewport_size({"width": ZOOMED["width"], "height": ZOOMED["height"]})
    found: list[str] = []
    for path in visits[who].paths:
        if not await open_whole(window, path):
            continue
        for colours, rules in COLOURS.items():
            await window.page.emulate_media(color_scheme=colours)
            try:
                await window.check_access(rules)
            except AssertionError as error:
                found.append(f"{colours}: {error}")
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("who", PEOPLE)
async def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    portal: Portal, visits: dict[str, Visit], who: str, colours: str
) -> None:
    """Tab comes by all that can be used and out again at the end; what has the focus has a ring that stands out."""
    window = await portal.window(PEOPLE[who], colours="dark" if colours == "dark" else "light")
    await window.page.add_init_script(FOCUS)
    found: list[str] = []
    for path in visits[who].paths:
        if await open_whole(window, path):
            found += [f"{path}: {each}" for each in await walked(window)]
    assert not found, "\n".join(found)


async def walked(window: Window) -> list[str]:
    """Press Tab until the page has been left; what is wrong."""
    page, wrong = window.page, []
    await page.evaluate("focusWalk.begin()")
    for _ in range(STOPS_MAX):
        await page.keyboard.press("Tab")
        stop: dict[str, Any] | None = await page.evaluate("focusWalk.stop()")
        if stop is None:
            break
        if stop["again"]:
            wrong.append(f"the focus stays at {stop['html']}")
            break
        if stop["ring"] < RING_CONTRAST:
            wrong.append(f"the ring stands out with {stop['ring']:.2f} alone: {stop['html']}")
    else:
        wrong.append(f"more than {STOPS_MAX} stops")
    missed: list[str] = await page.evaluate("focusWalk.missed()")
    return wrong + [f"Tab does not come by {each}" for each in missed]
