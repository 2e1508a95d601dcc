"""Large files pass through the API without being held in it: measured on the process of a running stack."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import httpx
import psutil
import pytest
import pytest_asyncio

from tests.client import Connections
from tests.desks import BOB, StackDesk, make_desk
from tests.samples import pdf
from tests.stack import RunningStack

MEGABYTE = 1024 * 1024
LIMIT = 25 * MEGABYTE
GROWTH = 50 * MEGABYTE
HEAD = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
TAIL = b"\r\n--limit--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=limit"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> StackDesk:
    """A desk of the profile standard: 25 MB."""
    return await make_desk(stack)


class Memory:
    """The most that the API's process has held since this was made, in bytes over what it held then."""

    def __init__(self, stack: RunningStack) -> None:
        self._process = psutil.Process(stack.pid("api"))
        self._before = self._most = self._now()

    def _now(self) -> int:
        return int(self._process.memory_info().rss)

    async def watch(self) -> None:
        while True:
            self._most = max(self._most, self._now())
            await asyncio.sleep(0.005)

    @property
    def growth(self) -> int:
        return self._most - self._before


async def upload(
    http: httpx.AsyncClient,
    desk: StackDesk,
    name: bytes,
    content: AsyncIterator[bytes],
    headers: Mapping[str, str] = MappingProxyType({}),
) -> httpx.Response:
    async def form() -> AsyncIterator[bytes]:
        yield HEAD % name
        async for chunk in content:
            yield chunk
        yield TAIL

    return await http.post(
        f"/api/v1/desks/{desk.slug}/attachments",
        content=form(),
        headers={**authorised(desk), **FORM, **headers},
    )


def authorised(desk: StackDesk) -> dict[str, str]:
    return {"Authorization": f"Bearer {desk.caller(Connections(desk.stack.api, 1), BOB).token}"}


def stored_bytes(stack: RunningStack) -> int:
    return sum(file.stat().st_size for file in (stack.data_dir / "files").rglob("*") if file.is_file())


async def zeros(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield bytes(65536)


@pytest.mark.parametrize("announced", [False, True])
async def test_two_hundred_megabytes_are_refused_and_not_held(
    stack: RunningStack, desk: StackDesk, announced: bool
) -> None:
    before, memory = stored_bytes(stack), Memory(stack)
    watching = asyncio.create_task(memory.watch())
    length = {"Content-Length": str(200 * MEGABYTE + len(HEAD % b"x.zip") + len(TAIL))} if announced else {}
    async with httpx.AsyncClient(base_url=stack.api, timeout=60, trust_env=False) as http:
        answer = await upload(http, desk, b"x.zip", zeros(200 * MEGABYTE), length)
    watching.cancel()
    assert (answer.status_code, answer.json()["code"]) == (413, "attachment_too_large")
    assert memory.growth < GROWTH, f"{memory.growth / MEGABYTE:.0f} MB"
    assert stored_bytes(stack) == before


async def test_an_upload_is_cut_off_as_soon_as_it_is_too_large(stack: RunningStack, desk: StackDesk) -> None:
    """The answer comes while the sender still sends; one who goes on sending all the same loses the connection."""
    address = httpx.URL(stack.api)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /api/v1/desks/{desk.slug}/attachments HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in {**authorised(desk), **FORM}.items())
    start = HEAD % b"x.zip"
    writer.write(head.encode() + b"\r\n%x\r\n%s\r\n" % (len(start), start))
    answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(_send_for_ever(writer, answer), timeout=60)
    assert b" 413 " in (await answer).split(b"\r\n")[0]
    writer.close()


async def _send_for_ever(writer: asyncio.StreamWriter, answer: asyncio.Task[bytes]) -> None:
    while True:
        writer.write(b"10000\r\n%s\r\n" % bytes(65536))
        await writer.drain()
        await asyncio.sleep(0.01 if answer.done() else 0)


async def test_a_large_file_is_taken_and_given_back_in_little_memory(stack: RunningStack, desk: StackDesk) -> None:
    content = await asyncio.to_thread(pdf, LIMIT)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, LIMIT, 65536):
            yield content[start : start + 65536]

    memory = Memory(stack)
    watching = asyncio.create_task(memory.watch())
    async with Connections(stack.api, 1).kept() as connections, connections.one() as http:
        answer = await upload(http, desk, b"large.pdf", chunks())
        assert answer.status_code == 201, answer.text
        file = answer.json()["id"]
    async with Connections(stack.api, 1).kept() as connections:
        case = await desk.caller(connections, BOB).open(subject="Large", description="See file.", attachments=[file])
        path = f"/api/v1/desks/{desk.slug}/cases/{case['number']}/attachments/{file}"
        digest = hashlib.sha256()
        async with connections.one() as http, http.stream("GET", path, headers=authorised(desk)) as download:
            async for chunk in download.aiter_bytes():
                digest.update(chunk)
    watching.cancel()
    assert digest.digest() == hashlib.sha256(content).digest()
    assert memory.growth < GROWTH, f"{memory.growth / MEGABYTE:.0f} MB"
