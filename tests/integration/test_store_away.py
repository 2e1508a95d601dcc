"""The store for files is away for a while, a folder as well as S3: what people are told, and that nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from services.api import health
from services.api.short_memory import ShortMemory
from services.workflows.old_files import removed_files
from shared.db.models import Attachment
from shared.objects import NoSuchObjectError, open_store
from shared.objects.attachments import object_name
from shared.settings import Settings
from tests import samples
from tests.api_world import ApiDesk, ApiWorld, serving, working
from tests.desks import BOB
from tests.s3_server import s3_server
from tests.stack import RunningStack

FILES_MAX = 4
Away = Callable[[], AbstractAsyncContextManager[None]]


@dataclass
class StoreWorld:
    """An API, and how to take its store away."""

    world: ApiWorld
    away: Away


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["folder moved away", "folder that can't be written", "s3"]
)
async def store(servers: Settings, request: pytest.FixtureRequest) -> AsyncIterator[StoreWorld]:
    async with AsyncExitStack() as stack:
        if request.param == "s3":
            url = await stack.enter_async_context(s3_server())
            away: Away = (await stack.enter_async_context(proxied())).away
        else:
            folder = servers.data_dir / request.param.replace(" ", "-").replace("'", "")
            url, away = folder.as_uri(), lambda: without(folder, in_its_place=request.param != "folder moved away")
        settings = servers.model_copy(update={"object_store_url": url, "unattached_files_max": FILES_MAX})
        await stack.enter_async_context(working(settings))
        yield StoreWorld(await stack.enter_async_context(serving(settings)), away)


@contextlib.contextmanager
def moved(folder: Path, *, in_its_place: bool) -> Iterator[None]:
    """As if its disk were not mounted; a file in its place can't be written into, not even by root."""
    elsewhere = folder.with_name(f"{folder.name}-moved")
    folder.rename(elsewhere)
    if in_its_place:
        folder.touch()
    try:
        yield
    finally:
        folder.unlink(missing_ok=True)
        elsewhere.rename(folder)


@asynccontextmanager
async def without(folder: Path, *, in_its_place: bool) -> AsyncIterator[None]:
    with moved(folder, in_its_place=in_its_place):
        yield


class Proxy:
    """A way to the S3 server that can be interrupted."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def interrupt(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        await self.interrupt()
        try:
            yield
        finally:
            await self.listen()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._open |= {writer, back}
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            self._open -= {writer, back}
            writer.close()
            back.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[Proxy]:
    """Lead everybody who connects to S3 from now on through a proxy."""
    target = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    proxy = Proxy(target.hostname or "", target.port or 0)
    await proxy.listen()
    with patch.dict(os.environ, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}):
        try:
            yield proxy
        finally:
            await proxy.interrupt()


async def send(desk: ApiDesk, content: bytes, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await desk.bob.ask("POST", "/attachments", files={"file": ("a.pdf", content)}, headers=headers)


def unavailable(answer: httpx.Response) -> str:
    """What a 503 says."""
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    return str(answer.json()["detail"])


async def rows(world: ApiWorld) -> dict[uuid.UUID, Attachment]:
    async with world.database.read() as session:
        found = await session.scalars(select(Attachment).where(Attachment.uploaded_by == BOB))
        return {row.id: row for row in found}


async def test_uploads_and_downloads_wait_and_nothing_is_lost(store: StoreWorld) -> None:
    desk, content, key = await store.world.desk("connect"), samples.pdf(100_000), uuid.uuid4().hex
    kept, waiting = (await send(desk, content)).json(), (await send(desk, content)).json()
    case = await desk.bob.opened(attachments=[kept["id"]])
    path = f"/cases/{case['number']}/attachments"
    async with store.away():
        # More often than files are kept for him: what was not taken takes no room either.
        for _ in range(FILES_MAX + 1):
            assert "Nothing was kept; send the file again" in unavailable(await send(desk, content, key))
        assert "try again later" in unavailable(await desk.ada.get(f"{path}/{kept['id']}"))
        assert [file["id"] for file in (await desk.ada.get(path)).json()["items"]] == [kept["id"]]
        # All that needs no content goes on, with files that are there already too.
        await desk.bob.did(case["number"], "comments", body="See this too.", attachments=[waiting["id"]])
    again = await send(desk, content, key)
    assert again.status_code == 201, again.text
    await desk.bob.did(case["number"], "comments", attachments=[again.json()["id"]])
    for file in (kept, waiting, again.json()):
        download = await desk.ada.get(f"{path}/{file['id']}")
        assert hashlib.sha256(download.content).hexdigest() == file["sha256"]


async def test_a_file_removed_meanwhile_is_gone_for_everybody_and_deleted_later(store: StoreWorld) -> None:
    desk = await store.world.desk("connect")
    file = uuid.UUID((await send(desk, samples.pdf())).json()["id"])
    case = await desk.bob.opened(attachments=[str(file)])
    path, objects = f"/cases/{case['number']}/attachments/{file}", open_store(store.world.settings)
    async with store.away():
        assert (await desk.bob.ask("DELETE", path)).status_code == 200
        assert (await desk.bob.get(path)).status_code == 410
        assert await removed_files(store.world.database, objects) == 0
    assert (await rows(store.world))[file].deleted_at is None
    assert await removed_files(store.world.database, objects) >= 1
    assert (await rows(store.world))[file].deleted_at is not None
    with pytest.raises(NoSuchObjectError):
        await anext(objects.read(object_name(file), 0, 1))


async def test_readiness_says_so(store: StoreWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_files", ShortMemory[str](0.0))
    await store.world.app.state.context.nats.wait()

    async def ready() -> tuple[int, dict[str, Any]]:
        answer = await store.world.http.get(f"{store.world.url}/readyz")
        return answer.status_code, answer.json()

    assert await ready() == (200, {"status": "ready", "checks": dict.fromkeys(CHECKS, "ok")})
    async with store.away():
        status, said = await ready()
        assert (status, said["status"]) == (200, "degraded")
        assert said["checks"]["files"].startswith("away: files are neither taken nor given out (ObjectStoreError: ")
        assert {said["checks"][name] for name in CHECKS if name != "files"} == {"ok"}
    assert (await ready())[1]["status"] == "ready"


CHECKS = ("postgres", "temporal", "nats", "files")


async def test_the_doctor_says_what_to_do(stack: RunningStack) -> None:
    async def examined() -> tuple[int, list[str]]:
        done = await asyncio.to_thread(stack.casebound, "doctor")
        lines = done.stdout.splitlines()
        at = next(index for index, line in enumerate(lines) if "store for files" in line)
        return done.returncode, lines[at : at + 2]

    code, (found, _) = await examined()
    assert (code, found.split()[0]) == (0, "✓")
    with moved(stack.data_dir / "files", in_its_place=False):
        code, (found, advice) = await examined()
        assert (code, found.split()[0]) == (1, "✗")
        assert f"the folder {stack.data_dir / 'files'} is not there: mount it, or put it back" in found
        assert "CASEBOUND_OBJECT_STORE_URL" in advice
        assert not (stack.data_dir / "files").exists()
    assert (await examined())[0] == 0
