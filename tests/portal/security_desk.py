"""A desk whose every text wants to be a script, its people, and their sessions without the log-in page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import httpx
from sqlalchemy import select

from services.api.auth import COOKIE, CSRF_HEADER
from services.api.filters.records import MOST as MOST_FILTERS
from services.api.sessions.service import Session, start_session
from shared.db.models import Person as PersonRow
from shared.desks.schema import SECRET_TO_COME
from tests.api_world import Person
from tests.integration.access.people import AccessDesk, access_desk, address, members, uploaded
from tests.portal.browsing import Window
from tests.portal.payloads import as_lines, as_text
from tests.portal.routes import PageRoute
from tests.stack import Stack

WEBHOOK: Final = 'https://hooks.invalid/"><img/src=x/onerror=xss()>'
QUERIES: Final = {"GET /desks/{desk}/overview/cases": "?of=open"}
"""What some pages have to be asked."""
LINE, NAME = 200, 100
"""Characters that lines of text and names of one's own lists may have."""
ROLES: Final = ("agent", "lead", "boss", "reporter", "head", "other")
"""Who looks at the desk's pages; ``other`` belongs to another account than the cases."""
_AT_ONCE = 6


@dataclass
class SecurityDesk:
    """The desk, one case that all its files and long texts are on, and the neighbours' desk."""

    desk: AccessDesk
    neighbour: AccessDesk
    number: int = 0
    numbers: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)
    reply: str = ""
    webhook: str = ""
    _sessions: dict[str, Session] = field(default_factory=dict)

    async def session(self, name: str) -> Session:
        """A session of somebody of the matrix."""
        if name not in self._sessions:
            async with self.desk.database.read() as session:
                query = select(PersonRow).where(PersonRow.email == address(name))
                person = (await session.scalars(query)).one()
            self._sessions[name] = await start_session(self.desk.database, person)
        return self._sessions[name]

    async def enter(self, window: Window, name: str) -> None:
        """Have a window's browser be logged in."""
        await window.enter((await self.session(name)).token)

    async def ask(
        self,
        name: str | None,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        token: bool = True,
        fragment: bool = False,
    ) -> httpx.Response:
        """A request as somebody's browser sends it; not led on.

        Args:
            name: whose; None: of nobody who is logged in.
            method: of the request.
            path: of the request, from the root.
            form: to send.
            token: whether the form proves that it comes from a page of ours.
            fragment: whether a script asks for a part of the page.
        """
        headers = {"Accept": "text/html", "Connection": "close"} | ({"HX-Request": "true"} if fragment else {})
        if name:
            session = await self.session(name)
            proof = {CSRF_HEADER: session.csrf_token, "Sec-Fetch-Site": "same-origin"}
            headers |= {"Cookie": f"{COOKIE}={session.token}"} | (proof if token else {})
        data = None if form is None else dict(form)
        return await self.desk.http.request(method, f"{self.desk.stack.api}{path}", headers=headers, data=data)

    def address(self, route: PageRoute, name: str | None, desk: str | None = None) -> str:
        """The path of a route, filled with what is there; of one's own, what everybody has of their own."""
        values = {
            "desk": desk or self.desk.slug,
            "number": str(self.number),
            "seq": "1",
            "action": "close" if route.method == "GET" else "escalate",
            "attachment": self.files[0],
            "name": "internal_reference",
            "filter_id": self.lists.get(name or "", "0"),
            "queue": "mine",
            "reply_id": self.reply,
            "webhook": self.webhook,
            "delivery": "1",
            "letter": "1",
        }
        return route.address(values) + QUERIES.get(route.name, "")


@asynccontextmanager
async def security_desk(stack: Stack) -> AsyncIterator[SecurityDesk]:
    """Make a desk with one case of everything."""
    guard = members({"guard": "admin"})
    async with access_desk(stack, staff=guard, accounts=[]) as neighbour, access_desk(stack) as desk:
        made = SecurityDesk(desk, neighbour)
        yield await _written(made, ["Plain words"], "Plain words", ["plain.txt"])


@asynccontextmanager
async def hostile_desk(stack: Stack) -> AsyncIterator[SecurityDesk]:
    """Make a desk, and write every payload into every text field that there is."""
    guard, lines = members({"guard": "admin"}), as_lines(LINE)
    async with access_desk(stack, staff=guard, accounts=[]) as neighbour, access_desk(stack) as desk:
        accounts = [each | {"environments": lines} for each in desk.content["accounts"]]
        crowd = (
            {"email": f"p{number}@matrix.example", "name": line, "role": "member"} for number, line in enumerate(lines)
        )
        accounts[0]["members"] = [*accounts[0]["members"], *crowd]
        accounts += [{"key": f"a{n}", "name": line, "environments": [], "members": []} for n, line in enumerate(lines)]
        contacts = [{"label": line, "email": "x@matrix.example"} for line in lines]
        await desk.apply(products=lines, case_types=lines, severities=lines, accounts=accounts, contacts=contacts)
        made = await _written(
            SecurityDesk(desk, neighbour), lines, as_text(), [f"{line}.txt" for line in as_lines(LINE - 4)]
        )
        made.numbers = await _each(range(1, len(lines)), lambda number: _opened(desk.reporter, lines[number]))
        # Numbered: names of filters that differ in capitals alone are the same.
        names = [f"{n} {line}" for n, line in enumerate(as_lines(NAME - 4))]
        for name, own in zip(ROLES, _shared_out(names), strict=True):
            await _each(own, partial(_kept, desk.person(name)))
        yield made


async def _written(made: SecurityDesk, lines: list[str], text: str, names: list[str]) -> SecurityDesk:
    """A case in which everything is said that can be said, and what people keep beside it."""
    desk = made.desk
    await desk.apply(webhooks=[{"url": WEBHOOK, "events": ["case.opened"], "secret": SECRET_TO_COME}])
    agent, reporter = desk.agent, desk.reporter
    people = {"contact": address("contact"), "cc": [address("copied"), "x'onfocus=xss``'@matrix.example"]}
    case = await reporter.opened(subject=lines[0], description=text, **people)
    made.number = int(case["number"])
    await agent.did(made.number, "comments", body=text)
    await reporter.did(made.number, "comments", body=text, in_reply_to=2)
    await agent.did(made.number, "comments", body=text, internal=True)
    await reporter.did(made.number, "escalate", comment=text)
    await agent.did(made.number, "resolve", resolution_type="provided", summary=text, root_cause=text)
    await reporter.did(made.number, "reject", reason=text)
    for first in range(0, len(names), 20):
        files = await _each(names[first : first + 20], lambda name: uploaded(reporter, name))
        await reporter.did(made.number, "attach", attachments=files)
        made.files += files
    for name in ROLES:
        made.lists[name] = await _kept(desk.person(name), "Plain")
    made.reply = (await _each([" ".join(line.split("{")) for line in lines], lambda line: _reply(desk.lead, line)))[0]
    made.webhook = (await desk.lead.get("/webhooks")).json()["items"][0]["id"]
    return made


async def _opened(person: Person, line: str) -> int:
    facts = dict.fromkeys(("internal_reference", "environment", "product", "type", "severity", "description"), line)
    return int((await person.opened(subject=line, **facts))["number"])


def _shared_out(lines: list[str]) -> list[list[str]]:
    """As many to each as they may keep."""
    return [
        lines[first : first + MOST_FILTERS - 1] for first in range(0, len(ROLES) * (MOST_FILTERS - 1), MOST_FILTERS - 1)
    ]


async def _kept(person: Person, name: str) -> str:
    answer = await person.post("/filters", {"name": name, "query": {"q": name}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _reply(person: Person, name: str) -> str:
    answer = await person.post("/replies", {"name": name[:NAME], "body": name, "shared": True})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _each(items: Any, do: Any) -> list[Any]:
    """Some at once, the results in order."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Any) -> Any:
        async with turn:
            return await do(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


def case_page(made: SecurityDesk, number: int, tab: str = "details") -> str:
    """The address of a case's page."""
    return f"/desks/{quote(made.desk.slug)}/cases/{number}?tab={tab}"
