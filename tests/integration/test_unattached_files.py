"""How much somebody may upload without adding it to a case, however many uploads come at once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy import func, select

from shared.db.models import Attachment, Desk
from shared.settings import Settings
from tests.api_world import ApiDesk, ApiWorld, Person, serving, working
from tests.desks import BOB

FILES, BYTES = 5, 250_000
LARGEST = 100_000
ROBOT = {"name": "robot", "scopes": ["case.attach"]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    room = {"unattached_files_max": FILES, "unattached_bytes_max": BYTES}
    async with working(servers), serving(servers.model_copy(update=room)) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def desk(world: ApiWorld) -> ApiDesk:
    return await world.desk("connect", policy={"attachment_max_bytes": LARGEST}, services=[ROBOT])


async def send(who: Person, size: int = 10, **more: Any) -> httpx.Response:
    return await who.ask("POST", "/attachments", files={"file": ("a.txt", b"x" * size)}, **more)


async def send_at_once(who: Person, count: int, size: int = 10) -> list[httpx.Response]:
    answers = await asyncio.gather(*(send(who, size) for _ in range(count)))
    for answer in answers:
        if answer.status_code != 201:
            assert (answer.status_code, answer.json()["code"]) == (409, "too_many_unattached_files"), answer.text
    return [answer for answer in answers if answer.status_code == 201]


async def kept(desk: ApiDesk) -> tuple[int, int]:
    """Files of Bob's that there is a row of, and their bytes."""
    counted = select(func.count(), func.coalesce(func.sum(Attachment.size), 0)).join(Desk)
    async with desk.world.database.read() as session:
        row = (await session.execute(counted.where(Desk.slug == desk.slug, Attachment.uploaded_by == BOB))).one()
    return row[0], row[1]


async def test_so_many_files_are_kept_and_no_more_also_of_many_at_once(desk: ApiDesk) -> None:
    taken = await send_at_once(desk.bob, 3 * FILES)
    assert len(taken) == FILES
    assert await kept(desk) == (FILES, 10 * FILES)
    refused = (await send(desk.bob)).json()
    assert {name: refused[name] for name in ("files", "bytes", "max_files", "max_bytes")} == {
        "files": FILES,
        "bytes": 10 * FILES,
        "max_files": FILES,
        "max_bytes": BYTES,
    }
    assert refused["detail"].startswith("On this desk you have 5 uploaded files (")
    assert "Add them to cases first, or wait" in refused["detail"]
    await desk.bob.opened(attachments=[answer.json()["id"] for answer in taken[:2]])
    assert len(await send_at_once(desk.bob, FILES)) == 2


async def test_so_much_is_kept_and_no_more_also_of_many_at_once(desk: ApiDesk) -> None:
    assert len(await send_at_once(desk.bob, FILES, LARGEST)) == 2
    assert await kept(desk) == (2, 2 * LARGEST)
    assert (await send(desk.bob, LARGEST)).status_code == 409
    assert (await send(desk.bob, 49_000)).status_code == 201
    assert await kept(desk) == (3, 249_000)


async def test_a_file_of_unknown_size_needs_room_for_the_largest(desk: ApiDesk) -> None:
    form = b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--l--\r\n'

    async def chunks() -> AsyncIterator[bytes]:
        yield form

    headers = {"Content-Type": "multipart/form-data; boundary=l"}
    assert (await desk.bob.ask("POST", "/attachments", content=chunks(), headers=headers)).status_code == 201
    assert await kept(desk) == (1, 5)
    assert len(await send_at_once(desk.bob, 2, LARGEST)) == 2
    assert (await desk.bob.ask("POST", "/attachments", content=chunks(), headers=headers)).status_code == 409
    assert (await desk.bob.ask("POST", "/attachments", content=form, headers=headers)).status_code == 201


async def test_everybody_has_room_of_their_own_on_each_desk(desk: ApiDesk) -> None:
    other = await desk.world.desk("connect")
    assert len(await send_at_once(desk.bob, FILES + 1)) == FILES
    for who in (desk.carol, desk.person("robot"), other.bob):
        assert len(await send_at_once(who, FILES + 1)) == FILES


async def test_one_file_as_large_as_the_desk_takes_has_always_room(world: ApiWorld) -> None:
    desk = await world.desk("connect", policy={"attachment_max_bytes": 2 * BYTES})
    assert (await send(desk.bob, 2 * BYTES)).status_code == 201
    assert (await send(desk.bob, 1)).status_code == 409


async def test_a_refused_file_can_be_sent_again_with_its_key_once_there_is_room(desk: ApiDesk) -> None:
    taken, key = await send_at_once(desk.bob, FILES), {"Idempotency-Key": uuid.uuid4().hex}
    assert (await send(desk.bob, headers=key)).status_code == 409
    await desk.bob.opened(attachments=[taken[0].json()["id"]])
    first, again = await send(desk.bob, headers=key), await send(desk.bob, headers=key)
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())


async def test_what_a_killed_process_left_behind_takes_no_room(desk: ApiDesk) -> None:
    async with desk.world.database.write() as session:
        desk_id = await session.scalar(select(Desk.id).where(Desk.slug == desk.slug))
        for _ in range(FILES):
            session.add(
                Attachment(
                    id=uuid.uuid4(), desk_id=desk_id, uploaded_by=BOB, filename="", content_type="", size=LARGEST,
                    sha256="", kind="file", created_at=datetime.now(UTC) - timedelta(hours=1),
                )
            )  # fmt: skip
    assert len(await send_at_once(desk.bob, FILES + 1)) == FILES
