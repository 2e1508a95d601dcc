"""Uploads that come too slowly are ended; slow lines are not, and a slow store is nobody's fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from services.api.attachments import pace
from services.api.attachments.pace import Pace
from services.api.attachments.receiving import UPLOADS_AT_ONCE
from services.api.problems import Problem
from shared.db.models import Attachment
from shared.settings import Settings
from tests.api_world import ApiDesk, serving

HEAD = b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
TAIL = b"\r\n--l--\r\n"
PATIENCE = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(servers: Settings) -> AsyncIterator[ApiDesk]:
    async with serving(servers) as world:
        yield await world.desk("connect")


@dataclass
class Sender:
    """An upload that is sent bit by bit."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def keep_sending(self, content: bytes, every: float) -> None:
        while True:
            await self.send(content)
            await asyncio.sleep(every)

    async def answer(self) -> tuple[int, dict[str, Any]]:
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            # The answer to a broken-off upload is one chunk long, as its connection stays open for a moment.
            chunked = "transfer-encoding: chunked" in head
            length = int((await self.reader.readline()) or b"0", 16) if chunked else _length(head)
            return int(head.split(" ")[1]), json.loads(await self.reader.readexactly(length))


def _length(head: str) -> int:
    return int(head.split("content-length:")[1].split("\r\n", maxsplit=1)[0])


async def upload(desk: ApiDesk, size: int) -> Sender:
    """Begin to send a file of that size."""
    address = httpx.URL(desk.world.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /api/v1/desks/{desk.slug}/attachments HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: {desk.bob.headers['Authorization']}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=l\r\nContent-Length: {len(HEAD) + size + len(TAIL)}\r\n\r\n"
    sender = Sender(reader, writer)
    await sender.send(head.encode() + HEAD)
    return sender


async def nothing_is_left(desk: ApiDesk) -> None:
    async with asyncio.timeout(PATIENCE), desk.world.database.read() as session:
        while list(await session.scalars(select(Attachment.id).where(Attachment.stored_at.is_(None)))):
            await asyncio.sleep(0.02)


async def test_an_upload_that_stops_is_ended(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "IDLE_SECONDS", 0.3)
    sender = await upload(desk, 1_000_000)
    await sender.send(b"x" * 10_000)
    status, problem = await sender.answer()
    assert (status, problem["code"]) == (408, "upload_timeout")
    assert problem["detail"].startswith("Nothing more of the file has come for 0.3 seconds.")
    assert "Send the file again" in problem["detail"]
    await nothing_is_left(desk)
    sender.writer.close()


async def test_an_upload_that_trickles_is_ended(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "JUDGED_SECONDS", 0.5)
    sender = await upload(desk, 1_000_000)
    await sender.send(b"x" * 100_000)
    trickling = asyncio.create_task(sender.keep_sending(b"x" * 20, every=0.02))
    status, problem = await sender.answer()
    trickling.cancel()
    assert (status, problem["code"]) == (408, "upload_timeout")
    assert "comes too slowly" in problem["detail"]
    assert "8 KB are needed" in problem["detail"]
    await nothing_is_left(desk)
    sender.writer.close()


async def test_a_slow_line_is_fast_enough(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some 20 KB a second, looked at several times."""
    monkeypatch.setattr(pace, "JUDGED_SECONDS", 0.5)
    sender = await upload(desk, 40_000)
    for _ in range(40):
        await sender.send(b"x" * 1_000)
        await asyncio.sleep(0.05)
    await sender.send(TAIL)
    status, file = await sender.answer()
    assert (status, file["size"]) == (201, 40_000)
    sender.writer.close()


async def test_slow_senders_do_not_keep_others_out(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "IDLE_SECONDS", 1.0)
    senders = [await upload(desk, 1_000_000) for _ in range(UPLOADS_AT_ONCE)]
    slots = desk.world.app.state.context.uploads
    async with asyncio.timeout(PATIENCE):
        while not slots.locked():
            await asyncio.sleep(0.01)
        answer = await desk.carol.ask("POST", "/attachments", files={"file": ("a.txt", b"hello")})
    assert answer.status_code == 201
    assert {(await sender.answer())[0] for sender in senders} == {408}
    for sender in senders:
        sender.writer.close()


# ------------------------------------------------------------------------------------------ by a clock of one's own


async def judged(*chunks: tuple[float, int], store: float = 0.0) -> int:
    """How many chunks are taken of which each is so long in coming and so large, by a store that takes so long."""
    now, taken = 0.0, 0

    async def coming() -> AsyncIterator[bytes]:
        nonlocal now
        for seconds, size in chunks:
            now += seconds
            yield bytes(size)

    watched, stream = Pace(clock=lambda: now), coming()
    while await watched.next(stream) is not None:
        taken += 1
        now += store
    return taken


async def test_every_minute_has_to_bring_something() -> None:
    slow = [(10.0, 1_000)] * 5
    assert await judged(*slow) == 5
    with pytest.raises(Problem, match=r"0\.1 KB a second"):
        await judged(*slow, (10.0, 1_000), (10.0, 1_000))
    fast = [(1.0, 1_000_000)] * 60
    assert await judged(*fast, *slow) == 65
    with pytest.raises(Problem):
        await judged(*fast, *slow, *slow)
    assert await judged(*[(10.0, 8 * 1024 * 10)] * 60) == 60


async def test_a_slow_store_is_not_the_senders_fault() -> None:
    assert await judged(*[(0.1, 1_000)] * 100, store=30.0) == 100
