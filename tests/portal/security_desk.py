"""A desk whose every text wants to be a script, its people, and their sessions without the log-in page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx
from sqlalchemy import select

from services.api.auth import COOKIE, CSRF_HEADER
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
        session = await self.session(name)
        await window.page.context.add_cookies(
            [{"name": COOKIE, "value": session.token, "url": window.base.replace("http:", "https:")}]
        )

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
        headers = {"Accept": "text/html"} | ({"HX-Request": "true"} if fragment else {})
        if name:
            session = await self.session(name)
            headers |= {"Cookie": f"{COOKIE}={session.token}"} | ({CSRF_HEADER: session.csrf_token} if token else {})
        data = None if form is None else dict(form)
        return await self.desk.http.request(method, f"{self.desk.stack.api}{path}", headers=headers, data=data)

    def address(self, route: PageRoute, name: str | None, desk: str | None = None) -> str:
        """The path of a route, filled with what is there; of one's own, what everybody has of their own."""
        values = {
            "desk": desk or self.desk.slug,
            "number": str(self.number),
            "seq": "1",
            "action": "comment" if route.method == "GET" else "escalate",
            "attachment": self.files[0],
            "name": "internal_reference",
            "filter_id": self.lists.get(name or "", "0"),
            "queue": "mine",
            "reply_id": self.reply,
            "webhook": self.webhook,
            "delivery": "1",
            "letter": "1",
        }
        return route.address(values)


@asynccontextmanager
async def security_desk(stack: Stack) -> AsyncIterator[SecurityDesk]:
    """Make it, and write every payload into every text field that there is."""
    lines = as_lines(LINE)
    crowd = [
        {"email": f"p{number}@matrix.example", "name": line, "role": "member"} for number, line in enumerate(lines)
    ]
    async with (
        access_desk(stack, staff=members({"guard": "admin"}), accounts=[]) as neighbour,
        access_desk(stack) as desk,
    ):
        accounts = [each | {"environments": lines} for each in desk.content["accounts"]]
        accounts[0]["members"] = accounts[0]["members"] + crowd
        accounts += [{"key": f"a{n}", "name": line, "environments": [], "members": []} for n, line in enumerate(lines)]
        lists: dict[str, Any] = {"products": lines, "case_types": lines, "severities": lines, "accounts": accounts}
        lists["contacts"] = [{"label": line, "email": "x@matrix.example"} for line in lines]
        lists["webhooks"] = [{"url": WEBHOOK, "events": ["case.opened"], "secret": SECRET_TO_COME}]
        await desk.apply(**lists)
        made = SecurityDesk(desk, neighbour)
        await _write_all(made, lines)
        yield made


async def _write_all(made: SecurityDesk, lines: list[str]) -> None:
    desk, text = made.desk, as_text()
    people: dict[str, Any] = {
        "contact": address("contact"),
        "cc": [address("copied"), "x'onfocus=xss``'@matrix.example"],
    }
    case = await desk.reporter.opened(subject=lines[0], description=text, **people)
    made.number = int(case["number"])
    agent, reporter = desk.agent, desk.reporter
    await agent.did(made.number, "comments", body=text)
    await reporter.did(made.number, "comments", body=text, in_reply_to=2)
    await agent.did(made.number, "comments", body=text, internal=True)
    await reporter.did(made.number, "escalate", comment=text)
    await agent.did(made.number, "resolve", resolution_type="provided", summary=text, root_cause=text)
    await reporter.did(made.number, "reject", reason=text)
    names = [f"{line}.txt" for line in as_lines(LINE - 4)]
    made.files = await _each(names, lambda name: uploaded(reporter, name))
    for first in range(0, len(made.files), 20):
        await reporter.did(made.number, "attach", attachments=made.files[first : first + 20])

    async def opened(number: int) -> int:
        line = lines[number]
        facts = {"internal_reference": line, "environment": line, "product": line, "type": line, "severity": line}
        return int((await reporter.opened(subject=line, description=line, **facts))["number"])

    made.numbers = await _each(range(1, len(lines)), opened)
    for name in ROLES:
        person = desk.person(name)
        kept = await _each(as_lines(NAME), lambda line, person=person: _kept(person, line))
        made.lists[name] = kept[0]
    made.reply = (await _each(as_lines(NAME, "[{}]"), lambda line: _reply(desk.lead, line)))[0]
    made.webhook = (await desk.lead.get("/webhooks")).json()["items"][0]["id"]


async def _kept(person: Person, name: str) -> str:
    answer = await person.post("/filters", {"name": name, "query": {"q": name}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _reply(person: Person, name: str) -> str:
    answer = await person.post("/replies", {"name": name, "body": name, "shared": True})
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
