"""Who may do what, cell by cell, on the running stack. The table is written out by hand: so it was agreed."""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.api.app import create_app
from services.local.clock import fast_forward
from shared.desks import SCOPES
from shared.settings import Settings
from shared.tokens import issue
from tests.api_world import NEW_CASE, Person
from tests.dead_letters import buried
from tests.integration.access.people import ALL_HABITS, AccessDesk, access_desk, address, attached, sent, uploaded
from tests.stack import RunningStack

# +  may: 2xx       -  sees it, but may not: 403       .  does not see it: 404
# reporter and contact: members of the account; head: its admin; copied: of another account; other: admin of that one;
# peer: a member of the account who has nothing to do with the case; mate: the same on a desk that shows members
# all of their account's cases. scope: the one that a service account needs; any: needs none; none: no service may.
MATRIX = """
route                                  agent lead boss | reporter contact head copied mate | peer other | scope
POST /cases                            +     +    +    | +        +       +    +      +    | +    +     | case.open
GET /cases                             +     +    +    | +        +       +    +      +    | +    +     | case.read
GET /cases/export                      +     +    +    | +        +       +    +      +    | +    +     | case.read
GET /policy                            +     +    +    | +        +       +    +      +    | +    +     | any
GET /events/stream                     +     +    +    | +        +       +    +      +    | +    +     | events.read
GET /cases/{number}                    +     +    +    | +        +       +    +      +    | .    .     | case.read
GET /cases/{number}/events             +     +    +    | +        +       +    +      +    | .    .     | case.read
PATCH /cases/{number}                  +     +    +    | +        +       +    -      +    | .    .     | case.edit
POST /cases/{number}/comments          +     +    +    | +        +       +    +      +    | .    .     | case.comment
POST /cases/{number}/comments internal +     +    +    | -        -       -    -      -    | .    .     | case.note
POST /cases/{number}/comments await    +     +    +    | -        -       -    -      -    | .    .     | case.comment
POST /cases/{number}/comments solve    -     -    -    | +        +       -    -      -    | .    .     | none
POST /cases/{number}/comments close    +     +    +    | +        +       +    -      +    | .    .     | case.close
POST /cases/{number}/assign            +     +    +    | -        -       -    -      -    | .    .     | case.assign
POST /cases/{number}/take              +     +    +    | -        -       -    -      -    | .    .     | none
POST /cases/{number}/escalate          +     +    +    | +        +       +    -      +    | .    .     | case.escalate
POST /cases/{number}/request-close     -     -    -    | +        +       +    -      +    | .    .     | none
POST /cases/{number}/resolve           +     +    +    | -        -       -    -      -    | .    .     | case.resolve
POST /cases/{number}/accept            -     -    -    | +        +       +    -      -    | .    .     | none
POST /cases/{number}/reject            -     -    -    | +        +       +    -      -    | .    .     | none
POST /cases/{number}/survey            -     -    -    | +        +       +    -      -    | .    .     | none
POST /cases/{number}/close             +     +    +    | +        +       +    -      +    | .    .     | case.close
POST /cases/{number}/reopen            +     +    +    | +        +       +    -      +    | .    .     | case.reopen
POST /cases/{number}/follow-up         +     +    +    | +        +       +    +      +    | .    .     | case.open
POST /attachments                      +     +    +    | +        +       +    +      +    | +    +     | case.attach
POST /cases/{number}/attach            +     +    +    | +        +       +    +      +    | .    .     | case.attach
GET /cases/{number}/attachments        +     +    +    | +        +       +    +      +    | .    .     | case.read
GET /cases/{number}/attachments/{attachment}
                                       +     +    +    | +        +       +    +      +    | .    .     | case.read
DELETE /cases/{number}/attachments/{attachment}
                                       +     +    +    | +        +       +    -      -    | .    .     | none
DELETE /cases/{number}/attachments/{attachment} own
                                       +     +    +    | +        +       +    +      +    | .    .     | case.attach
GET /filters                           +     +    +    | +        +       +    +      +    | +    +     | none
POST /filters                          +     +    +    | +        +       +    +      +    | +    +     | none
PATCH /filters/{filter_id}             +     +    +    | +        +       +    +      +    | +    +     | none
DELETE /filters/{filter_id}            +     +    +    | +        +       +    +      +    | +    +     | none
GET /replies                           +     +    +    | -        -       -    -      -    | -    -     | none
POST /replies                          +     +    +    | -        -       -    -      -    | -    -     | none
POST /replies shared                   -     +    +    | -        -       -    -      -    | -    -     | none
PATCH /replies/{reply_id}              +     +    +    | -        -       -    -      -    | -    -     | none
PATCH /replies/{reply_id} shared       -     +    +    | -        -       -    -      -    | -    -     | none
DELETE /replies/{reply_id}             +     +    +    | -        -       -    -      -    | -    -     | none
DELETE /replies/{reply_id} shared      -     +    +    | -        -       -    -      -    | -    -     | none
GET /overview                          -     +    +    | -        -       -    -      -    | -    -     | none
GET /people                            -     +    +    | -        -       -    -      -    | -    -     | none
GET /desk-file                         -     +    +    | -        -       -    -      -    | -    -     | none
GET /dead-letters                      -     +    +    | -        -       -    -      -    | -    -     | none
POST /dead-letters/{letter}/replay     -     +    +    | -        -       -    -      -    | -    -     | none
GET /webhooks                          -     +    +    | -        -       -    -      -    | -    -     | none
GET /webhooks/{webhook}/deliveries     -     +    +    | -        -       -    -      -    | -    -     | none
POST /webhooks/{webhook}/test          -     +    +    | -        -       -    -      -    | -    -     | none
POST /webhooks/{webhook}/deliveries/{delivery}/replay
                                       -     +    +    | -        -       -    -      -    | -    -     | none
"""
OPEN_TO_ALL = {
    "POST /api/v1/session", "GET /healthz", "GET /readyz",
    "GET /dev/mailbox", "GET /dev/mailbox/{mail_id}", "GET /dev/mailbox/{mail_id}/html",
}  # fmt: skip
WITH_A_SESSION = {"GET /api/v1/session", "DELETE /api/v1/session"}

SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()
RESOLVE = {"resolution_type": "provided", "summary": "Done."}
Step = tuple[str, str, dict[str, Any]]
RESOLVED: Step = ("agent", "resolve", RESOLVE)
ACCEPTED: Sequence[Step] = (RESOLVED, ("reporter", "accept", {}))


@dataclass(frozen=True)
class Ask:
    """How a row is asked for.

    Args:
        body: of the request.
        query: of the request.
        action: its name among a case's `actions`; none for what is no action.
        before: what has to be done to a new case first.
        again: whether it can be asked for again and again on one case.
        sealed: whether it takes a case that is closed for good.
    """

    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    action: str | None = None
    before: Sequence[Step] = ()
    again: bool = False
    sealed: bool = False


REPLY = {"name": "Hello", "body": "Hello {customer}"}
CASES = "POST /cases/{number}"
ASKS = {
    "POST /cases": Ask(NEW_CASE, again=True),
    "GET /cases": Ask(again=True),
    "GET /cases/export": Ask(query={"format": "csv"}, again=True),
    "GET /policy": Ask(again=True),
    "GET /events/stream": Ask(again=True),
    "GET /cases/{number}": Ask(again=True),
    "GET /cases/{number}/events": Ask(again=True),
    "PATCH /cases/{number}": Ask({"internal_reference": "PO 7"}, action="edit", again=True),
    f"{CASES}/comments": Ask({"body": "Hello"}, action="comment", again=True),
    f"{CASES}/comments internal": Ask({"body": "Hello", "internal": True}, action="note", again=True),
    f"{CASES}/comments await": Ask({"body": "Hello", "await_reply": True}, action="ask", again=True),
    f"{CASES}/comments solve": Ask({"solve": True}, action="solve"),
    f"{CASES}/comments close": Ask({"body": "Bye", "close": True}, action="close"),
    f"{CASES}/assign": Ask({"assignee": address("lead")}, action="assign", again=True),
    f"{CASES}/take": Ask({}, action="take"),
    f"{CASES}/escalate": Ask({"comment": "Now"}, action="escalate"),
    f"{CASES}/request-close": Ask({}, action="request-close"),
    f"{CASES}/resolve": Ask(RESOLVE, action="resolve"),
    f"{CASES}/accept": Ask({}, action="accept", before=(RESOLVED,)),
    f"{CASES}/reject": Ask({"reason": "No"}, action="reject", before=(RESOLVED,)),
    f"{CASES}/survey": Ask({"q1": 5, "q2": 5}, action="survey", before=ACCEPTED),
    f"{CASES}/close": Ask({}, action="close"),
    f"{CASES}/reopen": Ask({"reason": "Again"}, action="reopen", before=ACCEPTED),
    f"{CASES}/follow-up": Ask({"description": "It is back."}, action="follow-up", again=True, sealed=True),
    "POST /attachments": Ask(again=True),
    f"{CASES}/attach": Ask(action="attach", again=True),
    "GET /cases/{number}/attachments": Ask(again=True),
    "GET /cases/{number}/attachments/{attachment}": Ask(again=True),
    "DELETE /cases/{number}/attachments/{attachment}": Ask(action="remove-attachment", again=True),
    "DELETE /cases/{number}/attachments/{attachment} own": Ask(again=True),
    "GET /filters": Ask(again=True),
    "POST /filters": Ask({"name": "All", "query": {}}, again=True),
    "PATCH /filters/{filter_id}": Ask({"position": 7}, again=True),
    "DELETE /filters/{filter_id}": Ask(again=True),
    "GET /replies": Ask(again=True),
    "POST /replies": Ask(REPLY, again=True),
    "POST /replies shared": Ask(REPLY | {"shared": True}, again=True),
    "PATCH /replies/{reply_id}": Ask({"body": "Bye"}, again=True),
    "PATCH /replies/{reply_id} shared": Ask({"body": "Bye"}, again=True),
    "DELETE /replies/{reply_id}": Ask(again=True),
    "DELETE /replies/{reply_id} shared": Ask(again=True),
    "GET /overview": Ask(again=True),
    "GET /people": Ask(again=True),
    "GET /desk-file": Ask(again=True),
    "GET /dead-letters": Ask(again=True),
    "POST /dead-letters/{letter}/replay": Ask({}, again=True),
    "GET /webhooks": Ask(again=True),
    "GET /webhooks/{webhook}/deliveries": Ask(again=True),
    "POST /webhooks/{webhook}/test": Ask({}, again=True),
    "POST /webhooks/{webhook}/deliveries/{delivery}/replay": Ask({}, again=True),
}


STATUS = {"+": {200, 201, 204}, "-": {403}, ".": {404}}


def read_matrix() -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Cells by route and role, and the scopes by route."""
    head, *rows = MATRIX.strip().replace("\n  ", "  ").splitlines()
    roles = head.replace("|", " ").split()[1:-1]
    cells, scopes = {}, {}
    for row in rows:
        words = row.replace("|", " ").split()
        at = len(words) - len(roles) - 1
        name = " ".join(words[:at])
        cells[name] = dict(zip(roles, words[at:-1], strict=True))
        scopes[name] = words[-1]
        assert set(cells[name].values()) <= set(STATUS), row
    return cells, scopes


CELLS, NEEDED = read_matrix()
ON_DESKS = sorted({" ".join(name.split()[:2]) for name in CELLS})


@dataclass
class World:
    """The desks of the matrix, and their cases."""

    desk: AccessDesk
    team: AccessDesk
    neighbour: AccessDesk
    sealed: dict[str, int]
    webhooks: dict[str, dict[str, int]]

    def on(self, role: str) -> AccessDesk:
        return self.team if role == "mate" else self.desk

    async def prepared(self, ask: Ask, desk: AccessDesk) -> int:
        """A case to which the row can be done."""
        if ask.sealed:
            return self.sealed[desk.slug]
        number = await desk.case()
        for who, action, body in ask.before:
            await desk.person(who).did(number, action, **body)
        return number


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(stack: RunningStack) -> AsyncIterator[World]:
    hooks = [{"url": "https://hooks.matrix.invalid/", "events": ["case.sealed"], "secret": SECRET}]
    shows_all = {"policy": ALL_HABITS | {"customers_see": "account"}}
    async with (
        access_desk(stack, webhooks=hooks) as desk,
        access_desk(stack, webhooks=hooks, **shows_all) as team,
        access_desk(stack, staff=[_lonely("guard", "admin")], accounts=[_account("acme", "visitor")]) as neighbour,
    ):
        made = World(desk, team, neighbour, {}, {})
        for each in (desk, team):
            number = made.sealed[each.slug] = await made.prepared(Ask(before=ACCEPTED), each)
            await asyncio.to_thread(fast_forward, stack.settings, each.slug, number, "30d")
            assert (await each.agent.get(f"/cases/{number}")).json()["sealed"]
            made.webhooks[each.slug] = await _delivered(each)
        yield made


async def _delivered(desk: AccessDesk) -> dict[str, int]:
    """The desk's webhook and what it was told, as soon as it was told something."""
    webhook = (await desk.lead.get("/webhooks")).json()["items"][0]["id"]
    async with asyncio.timeout(30):
        while not (told := (await desk.lead.get(f"/webhooks/{webhook}/deliveries")).json()["items"]):
            await asyncio.sleep(0.05)
    return {"webhook": webhook, "delivery": told[0]["id"]}


def _lonely(name: str, role: str) -> dict[str, str]:
    return {"email": address(name), "name": name.title(), "role": role}


def _account(key: str, name: str) -> dict[str, Any]:
    return {"key": key, "name": key.title(), "environments": ["Production"], "members": [_lonely(name, "admin")]}


async def asked(world: World, who: str, name: str, number: int) -> httpx.Response:
    """The answer to the request of a row."""
    desk, ask = world.on(who), ASKS[name]
    person = desk.person("peer" if who == "mate" else who)
    method, path = name.split()[:2]
    places: dict[str, object] = {"number": number, **world.webhooks[desk.slug]}
    content: dict[str, Any] = {} if ask.body is None else {"json": ask.body}
    if "{filter_id}" in path:
        saved = await person.post("/filters", {"name": f"For {method}", "query": {}})
        places["filter_id"] = saved.json().get("id", uuid.uuid4())
    if path == "/replies" and ask.body:
        content = {"json": ask.body | {"name": uuid.uuid4().hex}}
    if "{reply_id}" in path:
        keeper, shared = (desk.lead, True) if name.endswith(" shared") else (person, False)
        kept = await keeper.post("/replies", {"name": uuid.uuid4().hex, "body": "Hello", "shared": shared})
        places["reply_id"] = kept.json().get("id", uuid.uuid4())
    if "{letter}" in path:
        places["letter"] = await buried(desk.stack.settings, desk.slug)
    if "{attachment}" in path:
        own = await attached(person, number) if name.endswith(" own") else None
        places["attachment"] = own or await attached(desk.reporter, number) or uuid.uuid4()
    if path.endswith("/attach"):
        content = {"json": {"attachments": [await uploaded(person)]}}
    if path == "/attachments":
        content = {"files": {"file": ("note.txt", b"Words", "text/plain")}}
    return await sent(person, method, path.format(**places), params=ask.query, **content)


# ------------------------------------------------------------------------------------------- people


@pytest.mark.parametrize("name", CELLS)
async def test_people(world: World, name: str) -> None:
    """Every role of a row; the case's `actions` say beforehand what the answer will be."""
    ask, cells = ASKS[name], CELLS[name]
    shared = {desk.slug: await world.prepared(ask, desk) for desk in (world.desk, world.team)}

    async def cell(role: str, sign: str) -> None:
        desk = world.on(role)
        number = shared[desk.slug] if ask.again or sign != "+" else await world.prepared(ask, desk)
        if ask.action and sign != ".":
            case = (await asked(world, role, "GET /cases/{number}", number)).json()
            offered = {action["name"] for action in case["actions"]}
            assert (ask.action in offered) is (sign == "+"), (name, role, offered)
        answer = await asked(world, role, name, number)
        assert answer.status_code in STATUS[sign], (name, role, sign, answer.status_code, answer.text)
        if sign == "-":
            assert answer.json()["code"] == "forbidden"
            assert re.fullmatch(r"As .+ you may not .+: that is for .+\.", answer.json()["detail"])

    await asyncio.gather(*(cell(role, sign) for role, sign in cells.items()))


async def test_who_may_not_see_a_case_is_told_what_they_would_be_told_of_none(world: World) -> None:
    number = await world.desk.case()
    for name in (name for name in CELLS if "{number}" in name):
        hidden, none = [await asked(world, "other", name, each) for each in (number, 99_999)]
        assert (hidden.status_code, none.status_code) == (404, 404), name
        assert hidden.json() == {**none.json(), "detail": none.json()["detail"].replace("99999", str(number))}, name


async def test_no_link_leads_to_a_case_that_one_may_not_see(world: World) -> None:
    """A follow-up for somebody else is unknown to those who see the old case alone, and the other way round."""
    desk, old = world.desk, world.sealed[world.desk.slug]
    for_peer = {"description": "x", "contact": address("peer"), "cc": []}
    new = (await desk.agent.did(old, "follow-up", **for_peer))["number"]

    async def links(name: str, number: int) -> tuple[list[int], int | None]:
        case = (await desk.person(name).get(f"/cases/{number}")).json()
        return case["follow_ups"], case["follow_up_of"]

    assert new in (await links("agent", old))[0]
    assert new in (await links("head", old))[0]
    assert new not in (await links("reporter", old))[0]
    assert await links("peer", new) == ([], None)
    assert await links("head", new) == ([], old)
    assert (await desk.peer.get(f"/cases/{old}")).status_code == 404


# ------------------------------------------------------------------------------------------- services


@pytest.mark.parametrize("name", CELLS)
async def test_a_service_needs_its_scope_and_no_other(world: World, name: str) -> None:
    ask, desk, scope = ASKS[name], world.desk, NEEDED[name]
    number = await world.prepared(ask, desk)
    expected: dict[str, str] = {f"all-but-{scope}": "-", f"only-{scope}": "+"}
    if scope in {"any", "none"}:
        expected = {f"only-{each}": "+" if scope == "any" else "-" for each in SCOPES}
    for service, sign in expected.items():
        answer = await asked(world, service, name, number)
        assert answer.status_code in STATUS[sign], (name, service, answer.status_code, answer.text)


# ------------------------------------------------------------------------------------------- nobody, and other desks


def _tokens(world: World) -> dict[str, tuple[str | None, int]]:
    """Proofs that prove nothing here, and what they are answered."""
    settings, slug = world.desk.stack.settings, world.desk.slug
    hour = timedelta(hours=1)
    return {
        "none": (None, 401),
        "garbage": ("x.y.z", 401),
        "expired": (issue(settings, address("agent"), None, -hour), 401),
        "of another desk's admin": (issue(settings, address("guard"), None, hour), 404),
        "of another desk's customer, of an account of the same key": (
            issue(settings, address("visitor"), None, hour),
            404,
        ),
        "of staff, for another desk": (issue(settings, address("agent"), world.neighbour.slug, hour), 404),
        "of another desk's service of the same name": (issue(settings, "robot", world.neighbour.slug, hour), 404),
        "of a service, for no desk": (issue(settings, "robot", None, hour), 404),
        "of somebody who is nobody": (issue(settings, "ghost@matrix.example", slug, hour), 404),
    }


@pytest.mark.parametrize("name", ON_DESKS)
async def test_nobody_and_other_desks(world: World, name: str) -> None:
    number = await world.desk.case()
    method, path = name.split()
    file = await attached(world.desk.reporter, number)
    places = {"filter_id": uuid.uuid4(), "reply_id": uuid.uuid4(), "letter": 1, **world.webhooks[world.desk.slug]}
    path = path.format(number=number, attachment=file, **places)
    for proof, (token, status) in _tokens(world).items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        somebody = Person(world.desk.http, world.desk.base, headers)
        answer = await sent(somebody, method, path)
        assert answer.status_code == status, (name, proof, answer.text)
        if status == 404:
            nowhere = replace(somebody, base=world.desk.base.replace(world.desk.slug, "no-desk"))
            unknown = await sent(nowhere, method, path)
            assert answer.json()["detail"].replace(world.desk.slug, "no-desk") == unknown.json()["detail"]


# ------------------------------------------------------------------------------------------- everything is here


def test_every_route_is_in_the_matrix() -> None:
    """A new route needs its row above, or has to be named as open to all."""
    paths = create_app(Settings(development=True)).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path in paths for method in paths[path]}
    below = {name.replace(" ", " /api/v1/desks/{desk}", 1) for name in ON_DESKS}
    assert routes == below | OPEN_TO_ALL | WITH_A_SESSION


async def test_what_is_open_to_all(world: World) -> None:
    http, api = world.desk.http, world.desk.stack.api
    for name in OPEN_TO_ALL | WITH_A_SESSION:
        method, path = name.split()
        answer = await http.request(method, f"{api}{path.replace('{mail_id}', '1')}")
        assert (answer.status_code == 401) is (name in WITH_A_SESSION), (name, answer.text)
