"""Two desks and fifty people with a case each, who are to see no more than theirs."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy import insert, select

from shared.db.engine import Database
from shared.db.models import Attachment, Case
from shared.settings import Settings
from tests.api_world import ApiDesk, ApiWorld, Person, serving, working


@dataclass(frozen=True)
class Somebody:
    """A person on one desk, and what they are to see there."""

    desk: ApiDesk
    email: str
    staff: bool
    whole: frozenset[str]
    """Accounts of which they see every case."""

    @property
    def requests(self) -> Person:
        return self.desk.person(self.email)

    def sees(self, case: dict[str, Any]) -> bool:
        """Desk-rules, table of profiles: said here anew, not taken from the product."""
        related = self.email in {case["reporter"], case["contact"], *case["cc"]}
        return self.staff or related or case["account"] in self.whole


@dataclass
class Crowd:
    """Two desks, their fifty people, and a case of each person on each desk of theirs."""

    world: ApiWorld
    people: list[Somebody]
    cases: dict[str, dict[int, dict[str, Any]]]
    """By desk and number."""


def _account(desk: str, key: str, size: int, *more: tuple[str, str]) -> dict[str, Any]:
    people = [(f"{key}{number}@{desk}.example", "member" if number else "admin") for number in range(size)]
    members = [{"email": email, "name": email.split("@")[0], "role": role} for email, role in [*people, *more]]
    return {"key": key, "name": f"Account {key}", "environments": ["Live"], "members": members}


def _staff(*emails: str) -> list[dict[str, str]]:
    return [{"email": email, "name": email.split("@")[0], "role": "agent"} for email in emails]


MSP, BOTH = "msp@it.example", "both@vendor.example"
WEST = [_account("west", "a", 5, (MSP, "member")), _account("west", "b", 5, (MSP, "admin"))]
WEST += [_account("west", "c", 5), _account("west", "d", 5)]
EAST = [_account("east", "a", 7), _account("east", "b", 5), _account("east", "e", 5, (MSP, "member"), (BOTH, "admin"))]
EAST += [_account("east", "f", 5)]


async def _desk(world: ApiWorld, see: str, staff: list[str], accounts: list[dict[str, Any]]) -> list[Somebody]:
    desk = await world.desk(policy={"customers_see": see}, staff=_staff(*staff), accounts=accounts)
    roles: dict[str, dict[str, str]] = {}
    for account in accounts:
        for member in account["members"]:
            roles.setdefault(member["email"], {})[account["key"]] = member["role"]
    shown = {"account": {"member", "admin"}, "account_for_admins": {"admin"}}[see]
    customers = [
        Somebody(desk, email, False, frozenset(key for key, role in own.items() if role in shown))
        for email, own in roles.items()
    ]
    return [*(Somebody(desk, email, True, frozenset()) for email in staff), *customers]


@asynccontextmanager
async def gathered(settings: Settings) -> AsyncIterator[Crowd]:
    async with working(settings), serving(settings) as world:
        west = await _desk(world, "account_for_admins", ["w1@v.example", "w2@v.example", "w3@v.example", BOTH], WEST)
        east = await _desk(world, "account", ["e1@v.example", "e2@v.example", "e3@v.example"], EAST)
        people = [*west, *east]
        assert len({person.email for person in people}) == 50
        openings = await asyncio.gather(*(_opening(person, people) for person in people))
        cases: dict[str, dict[int, dict[str, Any]]] = {}
        for case in openings:
            cases.setdefault(case["desk"], {})[case["number"]] = case
        for staff in (person for person in people if person.staff):
            for number in cases[staff.desk.slug]:
                if number % 4 == 0:
                    await staff.requests.did(number, "comments", body="for staff alone", internal=True)
        await _attach_files(world.database)
        yield Crowd(world, people, cases)


async def _attach_files(database: Database) -> None:
    """To each case one for everybody, and one that came with a note."""
    async with database.write() as session:
        for case in await session.scalars(select(Case)):
            same = {"desk_id": case.desk_id, "case_id": case.id, "uploaded_by": "x", "size": 1, "sha256": ""}
            same |= {"content_type": "text/plain", "kind": "file"}
            for seq, name in ((1, f"of case {case.number}"), (2, "for staff alone")):
                values = same | {"id": uuid.uuid4(), "seq": seq, "internal": seq == 2, "filename": name}
                await session.execute(insert(Attachment).values(values))


async def _opening(person: Somebody, people: list[Somebody]) -> dict[str, Any]:
    chance = random.Random(f"{person.email} on the desk of {person.whole}")
    others = [other.email for other in people if other.desk is person.desk and not other.staff]
    fields: dict[str, Any] = {"cc": chance.sample(others, chance.choice((0, 0, 1, 2)))}
    if person.staff:
        fields["contact"] = chance.choice([other for other in others if other not in {MSP, BOTH}])
    elif person.email == MSP and "b" in person.whole:
        fields["account"] = "a"  # of which they see nothing but their own
    return await person.requests.opened(subject=f"opened by {person.email}", **fields)


@asynccontextmanager
async def in_process(crowd: Crowd) -> AsyncIterator[httpx.AsyncClient]:
    """Requests that run in the test's own tasks, so that one that is cancelled is cancelled inside the API."""
    transport = httpx.ASGITransport(crowd.world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, timeout=30) as http:
        yield http


async def ask(crowd: Crowd, http: httpx.AsyncClient, person: Somebody, what: str, number: int, turn: int) -> str:
    """Send one request and look at every word of the answer; returns what came of it."""
    cases = crowd.cases[person.desk.slug]
    seen = person.sees(cases[number])
    asking = replace(person.requests, http=http)
    match what:
        case "list":
            answer = await asking.get("/cases", page_size=100)
        case "comment":
            answer = await asking.post(f"/cases/{number}/comments", {"body": f"turn {turn}"}, key=f"turn {turn}")
        case "reply":
            answer = await asking.post(f"/cases/{number}/comments", {"body": "to a note", "in_reply_to": 2})
        case "events" | "attachments":
            answer = await asking.get(f"/cases/{number}/{what}")
        case _:
            answer = await asking.get(f"/cases/{number}")
    if answer.status_code == 503:
        return "503"
    body = answer.json()
    if what == "list":
        assert answer.status_code == 200, answer.text
        expected = {number for number, case in cases.items() if person.sees(case)}
        assert {case["number"] for case in body["items"]} == expected, (person.email, person.desk.slug)
        assert body["total"] == len(expected)
        return "listed"
    if not seen:
        assert answer.status_code == 404, (person.email, what, number, answer.text)
        return "404"
    if not person.staff:
        assert "for staff alone" not in answer.text
        assert '"noted"' not in answer.text
    if what == "reply":
        return str(answer.status_code)
    assert answer.status_code in {200, 201}, answer.text
    if what == "comment":
        assert body["body"] == f"turn {turn}"
        assert body["actor"]["email"] == person.email
    elif what == "case":
        assert body["subject"] == cases[number]["subject"]
    elif what == "attachments":
        files = [f"of case {number}", "for staff alone"] if person.staff else [f"of case {number}"]
        assert sorted(file["filename"] for file in body["items"]) == sorted(files)
    return what
