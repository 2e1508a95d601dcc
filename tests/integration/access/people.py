"""Desks with everybody who can have anything to do with a case, and with some who have nothing to do with it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from shared.db.engine import Database
from shared.desks import SCOPES
from shared.tokens import issue
from tests.api_world import Person
from tests.desks import apply_to, desk_file
from tests.stack import Stack

Json = dict[str, Any]
STAFF = {"agent": "agent", "lead": "lead", "boss": "admin"}
ACME = {"reporter": "member", "contact": "member", "head": "admin", "peer": "member"}
OTHER = {"other": "admin", "copied": "member"}
ALL_HABITS: Json = {
    "customer_may_end_by": ["accept", "request", "solve", "close"],
    "auto_close_after": 3,
    "accept_reject": True,
    "survey": True,
    "reopen": "by_action",
    "reopen_within": 14,
    "once_sealed": "follow_up",
    "escalate": True,
}
"""So that every action there is can be asked for on one desk."""


def address(name: str) -> str:
    """Of somebody of the matrix; they are the same people on every desk."""
    return f"{name}@matrix.example"


def members(people: dict[str, str]) -> list[Json]:
    return [{"email": address(name), "name": name.title(), "role": role} for name, role in people.items()]


def desk_content(**over: Any) -> Json:
    """A desk file with everybody in it."""
    services = [{"name": f"only-{scope}", "scopes": [scope]} for scope in SCOPES]
    services += [{"name": f"all-but-{scope}", "scopes": [each for each in SCOPES if each != scope]} for scope in SCOPES]
    everybody: Json = {
        "key": "MX",
        "policy": ALL_HABITS,
        "staff": members(STAFF),
        "accounts": [
            {"key": "acme", "name": "Acme Ltd", "environments": ["Production"], "members": members(ACME)},
            {"key": "other", "name": "Other Ltd", "environments": ["Live"], "members": members(OTHER)},
        ],
        "services": [*services, {"name": "robot", "scopes": list(SCOPES)}],
    }
    return desk_file(**everybody | over)


async def sent(person: Person, method: str, path: str, **more: Any) -> httpx.Response:
    """The answer to a request; of a stream that is granted the beginning alone."""
    async with person.http.stream(method, f"{person.base}{path}", headers=person.headers, **more) as answer:
        if not (path == "/events/stream" and answer.status_code == 200):
            await answer.aread()
        return answer


async def uploaded(person: Person, name: str = "note.txt", content: bytes = b"Words") -> str:
    """Upload a file; its id, or one that nobody has if they may not."""
    answer = await person.ask("POST", "/attachments", files={"file": (name, content, "text/plain")})
    return str(answer.json().get("id", uuid.uuid4()))


async def attached(person: Person, number: int) -> str | None:
    """Add a file to a case; its id, or None if they may not."""
    file = await uploaded(person)
    answer = await person.post(f"/cases/{number}/attach", {"attachments": [file]})
    return file if answer.status_code == 200 else None


@dataclass
class AccessDesk:
    """A desk of a test's own on the running stack."""

    stack: Stack
    http: httpx.AsyncClient
    database: Database
    content: Json
    _clients: dict[str, Person] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        return str(self.content["desk"])

    @property
    def base(self) -> str:
        return f"{self.stack.api}/api/v1/desks/{self.slug}"

    async def apply(self, **over: Any) -> None:
        """Apply the desk file, with these parts changed from now on."""
        self.content = self.content | over
        await apply_to(self.database, self.content)

    def __getattr__(self, name: str) -> Person:
        """`desk.reporter` and the like."""
        return self.person(name)

    def person(self, name: str, token_desk: str | None = None) -> Person:
        """Requests of somebody of the matrix, or of one of the desk's service accounts.

        Args:
            name: theirs.
            token_desk: the desk that their token is for; default: this one for services, none for people.
        """
        service = name == "robot" or "-" in name
        desk = token_desk or (self.slug if service else None)
        return self.bearer(issue(self.stack.settings, name if service else address(name), desk, timedelta(hours=1)))

    def bearer(self, token: str) -> Person:
        """Requests of whoever has this token."""
        return Person(self.http, self.base, {"Authorization": f"Bearer {token}"})

    async def case(self, **fields: Any) -> int:
        """Open a case of the reporter's, with the contact and the copied."""
        people = {"contact": address("contact"), "cc": [address("copied")]}
        case = await self.reporter.opened(**people | fields)
        return int(case["number"])


@asynccontextmanager
async def access_desk(stack: Stack, **over: Any) -> AsyncIterator[AccessDesk]:
    """Make a desk."""
    database = Database(stack.settings.database_url, pool_size=2)
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as http:
        desk = AccessDesk(stack, http, database, desk_content(**over))
        await desk.apply()
        try:
            yield desk
        finally:
            await database.close()


@dataclass
class Stream:
    """What somebody hears live; everything is kept."""

    lines: AsyncIterator[str]
    heard: list[Json] = field(default_factory=list)

    async def until(self, kind: str, number: int) -> Json:
        """The next event of that kind of that case; what came before it is kept too."""
        async with asyncio.timeout(20):
            async for line in self.lines:
                if line.startswith("data:"):
                    self.heard.append(json.loads(line[5:]))
                    event = self.heard[-1]
                    if event["type"].split(".")[2] == kind and event["data"]["case"]["number"] == number:
                        return event
        raise EOFError

    async def ends(self) -> None:
        """Wait until the server ends it."""
        async with asyncio.timeout(30):
            async for line in self.lines:
                if line.startswith("data:"):
                    self.heard.append(json.loads(line[5:]))


@asynccontextmanager
async def following(person: Person) -> AsyncIterator[Stream]:
    """Follow the live events of somebody."""
    async with person.http.stream("GET", f"{person.base}/events/stream", headers=person.headers) as answer:
        assert answer.status_code == 200
        stream = Stream(answer.aiter_lines())
        async for line in stream.lines:
            if line.startswith(": following"):
                break
        yield stream
