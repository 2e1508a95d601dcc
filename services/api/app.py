"""The composition root: what the API consists of, and how it is wired."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse
from fastapi_offline import FastAPIOffline
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api import errors, health
from services.api.actions.endpoints import router as actions
from services.api.attachments.endpoints import router as attachments
from services.api.attachments.receiving import UPLOADS_AT_ONCE
from services.api.auth import DOCUMENTED_SCHEMES
from services.api.body_limit import BodyLimit
from services.api.bus_commands import BusCommands
from services.api.cases.endpoints import router as cases
from services.api.comments.endpoints import router as comments
from services.api.context import Context
from services.api.dead_letters.endpoints import router as dead_letters
from services.api.door import Door
from services.api.events.endpoints import router as events
from services.api.events.hub import EventHub
from services.api.filters.endpoints import router as filters
from services.api.mailbox.endpoints import router as mailbox
from services.api.nats_link import NatsLink
from services.api.openapi import DESCRIPTION, TAGS, install_openapi
from services.api.overview.endpoints import router as overview
from services.api.policies.endpoints import router as policies
from services.api.portal import portal
from services.api.problems import MEANINGS, not_found
from services.api.replies.endpoints import router as replies
from services.api.sessions.endpoints import router as sessions
from services.api.sessions.limiter import AttemptLimiter
from services.api.setup.endpoints import router as setup
from services.api.short_memory import ShortMemory
from services.api.webhooks.endpoints import router as webhooks
from services.api.word import word_heard
from shared.db.engine import Database
from shared.db.viewed import ViewedDatabase
from shared.objects import open_store
from shared.settings import Settings
from shared.telemetry.instrument import fastapi_telemetry, instrument_app, instrument_engine
from shared.temporal import connect as connect_to_temporal

CALLER_SECONDS = 2.0
"""How long somebody may still do what a changed desk file no longer lets them; saves a query per request in a burst."""
RUNS_AT_ONCE = 2
"""Connections with the services' rights; for the door alone, which goes on from the whole record of a case."""


def create_app(settings: Settings) -> FastAPI:
    """Make the application. Nothing is connected before it is started.

    Args:
        settings: of the stack.
    """
    app = FastAPIOffline(  # its pages bring their scripts along instead of having them fetched
        title="Casebound",
        version=_version(),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lambda app: _connected(app, settings),
        redoc_url=None,
        telemetry=fastapi_telemetry(),
    )
    app.add_middleware(BodyLimit)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    instrument_app(app)
    errors.install(app)
    install_openapi(app)
    desk = APIRouter(prefix="/api/v1/desks/{desk}", dependencies=DOCUMENTED_SCHEMES)
    for router in (
        cases,
        comments,
        actions,
        attachments,
        events,
        policies,
        filters,
        replies,
        webhooks,
        dead_letters,
        overview,
        setup,
    ):
        desk.include_router(router)
    app.include_router(desk)
    app.include_router(sessions)
    app.include_router(health.router)
    if settings.development:
        app.include_router(mailbox)
    app.add_api_route("/problems/{code}", _meaning, include_in_schema=False)
    portal.install(app, settings)
    return app


@contextlib.asynccontextmanager
async def _connected(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    database = ViewedDatabase(settings.database_url)
    recorded = Database(settings.database_url, pool_size=RUNS_AT_ONCE)
    for engine in (database.readers, database.writers, recorded.readers):
        instrument_engine(engine)
    temporal = await connect_to_temporal(settings, lazy=True)
    door = Door(temporal, recorded, settings.command_timeout)
    try:
        async with NatsLink(settings).kept() as nats, EventHub(nats).running() as hub, word_heard(nats, door):
            app.state.context = Context(
                settings=settings,
                database=database,
                temporal=temporal,
                door=door,
                nats=nats,
                hub=hub,
                log_ins=AttemptLimiter(),
                callers=ShortMemory(CALLER_SECONDS),
                objects=open_store(settings),
                uploads=asyncio.Semaphore(UPLOADS_AT_ONCE),
            )
            app.state.commands = BusCommands(nats, app)
            async with app.state.commands.taken():
                yield
            await door.close()
            await app.state.context.callers.close()
    finally:
        await database.close()
        await recorded.close()


def _version() -> str:
    try:
        return version("casebound")
    except PackageNotFoundError:  # a checkout that runs without being installed
        return "unknown"


async def _meaning(code: str) -> PlainTextResponse:
    meaning = MEANINGS.get(code)
    if meaning is None:
        raise not_found(f"problem «{code[:50]}»")
    return PlainTextResponse(f"{meaning.title} (HTTP {meaning.status}, code {code})\n\n{meaning.advice}\n")
