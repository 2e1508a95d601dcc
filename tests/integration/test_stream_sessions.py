"""Live events of browsers end with the log-in session, here and in other processes of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlalchemy import update

from services.api.auth import COOKIE, CSRF_HEADER
from services.api.events import stream
from shared.db.models import Person as PersonRow
from shared.settings import Settings
from tests.api_world import ApiDesk, Person, serving, working
from tests.desks import BOB

PASSWORD = "correct horse"
PROMPTLY = 2.0
"""Seconds; a page that is quiet is looked after every fifteen."""
SOON = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(servers: Settings) -> AsyncIterator[ApiDesk]:
    async with working(servers), serving(servers) as world:
        desk = await world.desk()
        async with world.database.write() as session:
            hashed = PasswordHasher().hash(PASSWORD)
            await session.execute(update(PersonRow).where(PersonRow.email == BOB).values(password_hash=hashed))
        yield desk


@dataclass
class Browser:
    """Bob, logged in."""

    person: Person
    api: str

    async def log_out(self) -> None:
        answer = await self.person.http.delete(f"{self.api}/api/v1/session", headers=self.person.headers)
        assert answer.status_code == 204


async def logged_in(desk: ApiDesk) -> Browser:
    url = desk.world.url
    answer = await desk.world.http.post(f"{url}/api/v1/session", json={"email": BOB, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    headers = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}", CSRF_HEADER: answer.json()["csrf_token"]}
    return Browser(replace(desk.bob, headers=headers), url)


@asynccontextmanager
async def following(person: Person) -> AsyncIterator[AsyncIterator[str]]:
    async with person.http.stream("GET", f"{person.base}/events/stream", headers=person.headers) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        await until(lines, ": following")
        yield lines


async def until(lines: AsyncIterator[str], start: str) -> str:
    async with asyncio.timeout(SOON):
        async for line in lines:
            if line.startswith(start):
                return line
    raise EOFError


async def rest(lines: AsyncIterator[str], seconds: float) -> list[str]:
    """What is still said before the end, which must come within that time."""
    async with asyncio.timeout(seconds):
        return [line async for line in lines if line.startswith("data:")]


async def test_logging_out_ends_the_live_pages_of_that_session_at_once(desk: ApiDesk) -> None:
    here, elsewhere = await logged_in(desk), await logged_in(desk)
    async with following(here.person) as page, following(here.person) as tab, following(elsewhere.person) as other:
        await here.log_out()
        assert await rest(page, PROMPTLY) == await rest(tab, PROMPTLY) == []
        case = await desk.bob.opened()
        assert f'"key":"{case["key"]}"' in await until(other, "data:")
    await elsewhere.log_out()


async def test_logging_out_in_another_process_ends_them_too(
    desk: ApiDesk, servers: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.2)
    browser = await logged_in(desk)
    async with serving(servers) as second, following(_at(second.url, browser.person)) as page:
        await until(page, ": still here")
        await browser.log_out()
        assert await rest(page, SOON) == []


async def test_nothing_is_said_to_a_session_that_has_ended(desk: ApiDesk, servers: Settings) -> None:
    """Also where the page is not due to be looked after yet."""
    browser = await logged_in(desk)
    async with serving(servers) as second, following(_at(second.url, browser.person)) as page:
        await browser.log_out()
        await desk.bob.opened()
        assert await rest(page, SOON) == []


async def test_a_token_has_no_session_to_end(desk: ApiDesk) -> None:
    browser = await logged_in(desk)
    async with following(desk.bob) as page:
        await browser.log_out()
        case = await desk.bob.opened()
        assert f'"key":"{case["key"]}"' in await until(page, "data:")


def _at(url: str, person: Person) -> Person:
    return replace(person, base=f"{url}/{httpx.URL(person.base).path.lstrip('/')}")
