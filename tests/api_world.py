"""The API with all that stands behind it, on real servers, in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from temporalio.testing import TimeSkipper

from services.api.app import create_app
from services.search.main import serve as serve_search
from services.workflows.record import Recorder
from services.workflows.relay import Relay, Waker
from services.workflows.worker import make_worker
from shared.contracts.workflow import workflow_id
from shared.db.engine import Database
from shared.messaging import connect as connect_to_nats
from shared.settings import Settings
from shared.temporal import connect, ensure_search_attributes
from shared.tokens import issue
from tests.desks import ADA, BOB, CAROL, DAVE, ERIN, LEO, apply_to, desk_file
from tests.http_server import answering, listening

NEW_CASE = {"subject": "Invoices can't be posted", "description": "Posting ends with error 1217."}


@dataclass
class Person:
    """Somebody's requests to one desk."""

    http: httpx.AsyncClient
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send a request; `path` is below the desk's."""
        headers = self.headers | more.pop("headers", {})
        content = {} if body is None else {"json": body}
        return await self.http.request(method, f"{self.base}{path}", headers=headers, **content, **more)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        return await self.ask(
            "POST", path, {} if body is None else body, headers={"Idempotency-Key": key} if key else {}
        )

    async def opened(self, **fields: Any) -> dict[str, Any]:
        """Open a case."""
        answer = await self.post("/cases", NEW_CASE | fields)
        assert answer.status_code == 201, answer.text
        case: dict[str, Any] = answer.json()
        return case

    async def did(self, number: int, action: str, **fields: Any) -> dict[str, Any]:
        """Do something to a case that is accepted."""
        answer = await self.post(f"/cases/{number}/{action}", fields)
        assert answer.status_code in {200, 201}, answer.text
        result: dict[str, Any] = answer.json()
        return result


@dataclass
class ApiDesk:
    """A desk of the test's own."""

    world: ApiWorld
    slug: str

    def __getattr__(self, name: str) -> Person:
        """`desk.bob` and the like."""
        people = {"bob": BOB, "carol": CAROL, "dave": DAVE, "erin": ERIN, "ada": ADA, "leo": LEO}
        return self.person(people[name])

    def person(self, email: str) -> Person:
        """Requests of a person, or of a service account by name."""
        token = issue(self.world.settings, email, None if "@" in email else self.slug, timedelta(hours=1))
        base = f"{self.world.url}/api/v1/desks/{self.slug}"
        return Person(self.world.http, base, {"Authorization": f"Bearer {token}"})

    async def fast_forward(self, number: int, duration: timedelta) -> None:
        """Move the clock of a case's workflow."""
        client = await connect(self.world.settings)
        await TimeSkipper(client).fast_forward(client.get_workflow_handle(workflow_id(self.slug, number)), duration)


@dataclass
class ApiWorld:
    """A running API."""

    settings: Settings
    app: FastAPI
    url: str
    http: httpx.AsyncClient
    database: Database

    async def desk(self, profile: str = "standard", **over: Any) -> ApiDesk:
        """Make a desk."""
        content = desk_file(profile, **over)
        await apply_to(self.database, content)
        return ApiDesk(self, content["desk"])


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[ApiWorld]:
    """The API alone."""
    listener, url = listening()
    settings = settings.model_copy(update={"development": True, "public_url": url})
    app = create_app(settings)
    config = {"access_log": False, "proxy_headers": False, "timeout_graceful_shutdown": 3, "timeout_keep_alive": 60}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    database = Database(settings.database_url)
    async with answering(app, listener, **config), httpx.AsyncClient(timeout=30, limits=limits) as http:
        try:
            yield ApiWorld(settings, app, url, http, database)
        finally:
            app.state.context.hub.close()
            await database.close()


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """The worker and its relay."""
    client = await connect(settings)
    await ensure_search_attributes(client)
    database = Database(settings.database_url)
    bus = await connect_to_nats(settings, "relay")
    waker = Waker(settings.database_url)
    aside = [asyncio.create_task(waker.run()), asyncio.create_task(Relay(settings.database_url, bus).run())]
    async with make_worker(client, Recorder(database, committed=waker)):
        yield
    for task in aside:
        task.cancel()
    await asyncio.gather(*aside, return_exceptions=True)
    await bus.close()
    await database.close()


@asynccontextmanager
async def searching(settings: Settings) -> AsyncIterator[None]:
    """A search node."""
    stop = asyncio.Event()
    running = asyncio.create_task(serve_search(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[ApiWorld]:
    """The API, the worker and a search node."""
    async with working(settings), searching(settings), serving(settings) as world:
        yield world
