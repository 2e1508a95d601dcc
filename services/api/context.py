"""What every request can reach: made once per process by the composition root."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from services.api.callers import Caller
from services.api.door import Door
from services.api.nats_link import NatsLink
from services.api.sessions.limiter import AttemptLimiter
from services.api.short_memory import ShortMemory
from shared.db.viewed import ViewedDatabase
from shared.objects import ObjectStore
from shared.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from services.api.events.hub import EventHub


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The process's connections and the objects made from them."""

    settings: Settings
    database: ViewedDatabase
    temporal: Client
    door: Door
    nats: NatsLink
    hub: EventHub
    log_ins: AttemptLimiter
    callers: ShortMemory[Caller]
    objects: ObjectStore
    uploads: asyncio.Semaphore
    """How many files come in at once; others wait in line."""


async def context_of(request: Request) -> Context:
    """The context of the application that answers this request."""
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]
