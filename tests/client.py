"""One person's requests to one desk, over HTTP, as a well-behaved program sends them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from shared.settings import Settings
from shared.tokens import issue

Json = dict[str, Any]
TOKEN_TTL = timedelta(hours=2)
PAUSE_AFTER_LOST_CONNECTION = 0.2


class ProblemError(Exception):
    """An answer of 400 or more."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.body: Json = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
        self.code = str(self.body.get("code", ""))
        self.retry_after = answer.headers.get("Retry-After")
        super().__init__(f"{self.status} {self.code} {self.body.get('detail', answer.text[:200])}")


@dataclass
class Experience:
    """What a program lived through."""

    seconds: list[float] = field(default_factory=list)
    """How long each answered request took, tries that failed not counted."""
    problems: list[ProblemError] = field(default_factory=list)
    lost_connections: int = 0


class Connections:
    """Keep-alive connections that callers take in turn: as many requests are in flight as there are connections.

    Args:
        url: of the API.
        count: how many.
    """

    def __init__(self, url: str, count: int) -> None:
        self.url = url
        self._count = count
        self._free: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Connections]:
        async with AsyncExitStack() as stack:
            for _ in range(self._count):
                # One pool for all would search through all of them for every request.
                client = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False, verify=False)
                self._free.put_nowait(await stack.enter_async_context(client))
            yield self

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        client = await self._free.get()
        try:
            yield client
        finally:
            self._free.put_nowait(client)


class LeanConnection:
    """One keep-alive connection that costs next to nothing, for measuring the server and not the client."""

    def __init__(self, address: httpx.URL, log_in: str) -> None:
        self._address = address
        self._log_in = log_in

    @classmethod
    async def to(cls, url: str, token: str, *, header: str = "Authorization: Bearer ") -> LeanConnection:
        """Connect.

        Args:
            url: of the server.
            token: that logs in.
            header: in which to send it, up to the token.
        """
        connection = cls(httpx.URL(url), header + token)
        await connection._connect()
        return connection

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._address.host, self._address.port)

    async def post(self, path: str, body: Json) -> tuple[int, Json]:
        status, answer = await self.ask("POST", path, body)
        return status, json.loads(answer)

    async def get(self, path: str) -> tuple[int, Json]:
        status, answer = await self.ask("GET", path)
        return status, json.loads(answer)

    async def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, bytes]:
        """Send a request; returns the answer's status and content."""
        if self._reader.at_eof():  # servers close what has been idle for a while
            await self.close()
            await self._connect()
        content = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{self._log_in}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.split("content-length:")[1].split("\r\n")[0])
        return int(answer.split(" ", 2)[1]), await self._reader.readexactly(length)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@dataclass(frozen=True)
class Caller:
    """A person, or a service account by name, on one desk."""

    connections: Connections
    desk: str
    token: str
    patience: float = 0
    """Seconds for which a request that meets 503 or a lost connection is sent again with the same key."""
    experience: Experience = field(default_factory=Experience)

    async def open(self, *, key: str | None = None, **fields: Any) -> Json:
        """Open a case."""
        return await self.send("POST", "/cases", fields, key)

    async def comment(self, number: int, body: str, *, key: str | None = None, **fields: Any) -> Json:
        """Comment on a case; returns the event."""
        return await self.send("POST", f"/cases/{number}/comments", {"body": body, **fields}, key)

    async def act(self, number: int, action: str, *, key: str | None = None, **fields: Any) -> Json:
        """Do something else to a case; returns the case."""
        return await self.send("POST", f"/cases/{number}/{action}", fields, key)

    async def edit(self, number: int, **changes: Any) -> Json:
        """Change fields of a case; returns the case."""
        return await self.send("PATCH", f"/cases/{number}", changes)

    async def case(self, number: int | str) -> Json:
        return await self.send("GET", f"/cases/{number}")

    async def events(self, number: int, **query: Any) -> list[Json]:
        """What has happened to a case, as far as one may see it."""
        items: list[Json] = (await self.send("GET", f"/cases/{number}/events", query=query))["items"]
        return items

    async def cases(self, **query: Any) -> Json:
        return await self.send("GET", "/cases", query=query)

    async def upload(self, filename: str, content: bytes, kind: str = "file") -> Json:
        """Upload a file, to be named by a command; returns what is known of it."""
        form: Json = {"files": {"file": (filename, content)}, "data": {"kind": kind}}
        return _content(await self._ask("POST", "/attachments", **form))

    async def attachments(self, number: int) -> list[Json]:
        """The files of a case."""
        items: list[Json] = (await self.send("GET", f"/cases/{number}/attachments"))["items"]
        return items

    async def download(self, path: str, **query: Any) -> httpx.Response:
        """What is not JSON: a file of a case, or an export."""
        answer = await self._ask("GET", path, params=query)
        if answer.status_code >= 400:
            raise ProblemError(answer)
        return answer

    async def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": uuid.uuid4().hex}
        async with self.connections.one() as http:
            return await http.request(method, f"/api/v1/desks/{self.desk}{path}", headers=headers, **content)

    async def send(
        self, method: str, path: str, body: Json | None = None, key: str | None = None, query: Json | None = None
    ) -> Json:
        """Send a request until it is answered or patience ends.

        Args:
            method: of the request.
            path: below the desk's.
            body: of a POST or PATCH.
            key: its ``Idempotency-Key``; default: a new one.
            query: of a GET.

        Raises:
            ProblemError: it was refused, or is still answered 503.
            httpx.TransportError: the API is still not there.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        deadline = time.monotonic() + self.patience
        while True:
            try:
                async with self.connections.one() as http:
                    start = time.perf_counter()
                    address = f"/api/v1/desks/{self.desk}{path}"
                    content = _content(await http.request(method, address, json=body, params=query, headers=headers))
            except ProblemError as problem:
                self.experience.problems.append(problem)
                if problem.status != 503 or time.monotonic() > deadline:
                    raise
                pause = float(problem.retry_after or 1)
            except httpx.TransportError:
                self.experience.lost_connections += 1
                if time.monotonic() > deadline:
                    raise
                pause = PAUSE_AFTER_LOST_CONNECTION
            else:
                self.experience.seconds.append(time.perf_counter() - start)
                return content
            await asyncio.sleep(pause)


def _content(answer: httpx.Response) -> Json:
    if answer.status_code >= 400:
        raise ProblemError(answer)
    content: Json = answer.json()
    return content


def caller(
    connections: Connections,
    settings: Settings,
    desk: str,
    who: str,
    *,
    patience: float = 0,
    experience: Experience | None = None,
) -> Caller:
    """Somebody with a token.

    Args:
        connections: to the API.
        settings: hold the key that signs tokens.
        desk: slug.
        who: mail address, or a service account's name.
        patience: as of `Caller`.
        experience: where to note what happens; several callers may share one.
    """
    token = issue(settings, who, desk, TOKEN_TTL)
    return Caller(connections, desk, token, patience, experience or Experience())
