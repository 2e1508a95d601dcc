"""Who may remove which file of a case: the list says beforehand, of each, what an attempt will be answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.settings import Settings
from tests import samples
from tests.api_world import ApiDesk, Person, serving, working
from tests.desks import BOB, DAVE

SCOPES = ["case.read", "case.attach", "case.comment"]
SERVICES = [
    {"name": "robot", "scopes": SCOPES},
    {"name": "other-robot", "scopes": SCOPES},
    {"name": "reader", "scopes": ["case.read"]},
]
EVERYBODY = ("bob", "carol", "dave", "ada", "leo", "robot", "other-robot", "reader")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(servers: Settings) -> AsyncIterator[ApiDesk]:
    async with working(servers), serving(servers) as world:
        yield await world.desk("standard", services=SERVICES)


def person(desk: ApiDesk, name: str) -> Person:
    service = any(name == each["name"] for each in SERVICES)
    return desk.person(name) if service else getattr(desk, name)


async def attached(who: Person, number: int, **comment: Any) -> str:
    """Upload a file and add it to a case with a comment; its id."""
    uploaded = await who.ask("POST", "/attachments", files={"file": ("a.pdf", samples.pdf())})
    assert uploaded.status_code == 201, uploaded.text
    file = str(uploaded.json()["id"])
    await who.did(number, "comments", attachments=[file], **comment)
    return file


async def removable(who: Person, number: int) -> dict[str, bool]:
    """The files that they see, each with what the list says."""
    items = (await who.get(f"/cases/{number}/attachments")).json()["items"]
    return {item["id"]: item["removable"] for item in items}


async def test_a_service_removes_what_it_attached_itself_and_nothing_else(desk: ApiDesk) -> None:
    number = (await desk.bob.opened())["number"]
    robot = desk.person("robot")
    own, of_bob, of_ada = [await attached(who, number) for who in (robot, desk.bob, desk.ada)]
    of_other = await attached(desk.person("other-robot"), number)
    assert await removable(robot, number) == {own: True, of_bob: False, of_ada: False, of_other: False}
    for file, uploader in ((of_bob, BOB), (of_ada, "ada@vendor.example"), (of_other, "other-robot")):
        refused = await robot.ask("DELETE", f"/cases/{number}/attachments/{file}")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert f"only for files that it uploaded itself; this one is from {uploader}." in refused.json()["detail"]
    assert (await robot.ask("DELETE", f"/cases/{number}/attachments/{own}")).status_code == 200
    assert set(await removable(robot, number)) == {of_bob, of_ada, of_other}


@pytest.mark.parametrize("closed", [False, True])
async def test_the_list_says_what_an_attempt_will_be_answered(desk: ApiDesk, closed: bool) -> None:
    """For everybody and a file of everybody's, on a case that is worked on and on one that is closed."""
    number = (await desk.bob.opened(cc=[DAVE]))["number"]
    uploaders: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in ("bob", "dave", "ada", "robot")]
    uploaders.append(("ada", {"internal": True}))
    files = {name: [await attached(person(desk, who), number, **note) for who, note in uploaders] for name in EVERYBODY}
    if closed:
        await desk.ada.did(number, "close")
    answers: dict[str, list[tuple[bool | None, int]]] = {}
    for name in EVERYBODY:
        who = person(desk, name)
        said = await removable(who, number)
        answers[name] = [
            (said.get(file), (await who.ask("DELETE", f"/cases/{number}/attachments/{file}")).status_code)
            for file in files[name]
        ]
    yes, no, unseen = (True, 200), (False, 403), (None, 404)
    if closed:
        assert {said for each in answers.values() for said, _ in each} == {False, None}
        assert {status for each in answers.values() for _, status in each} == {403, 404, 409}
        return
    assert answers == {
        #               of bob, dave, ada, robot, a note's
        "bob": [yes, yes, yes, yes, unseen],
        "carol": [yes, yes, yes, yes, unseen],
        "dave": [no, yes, no, no, unseen],
        "ada": [yes, yes, yes, yes, yes],
        "leo": [yes, yes, yes, yes, yes],
        "robot": [no, no, no, yes, no],
        "other-robot": [no, no, no, no, no],
        "reader": [no, no, no, no, no],
    }
