"""Whether the service lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text

from services.api.answers import Json
from services.api.context import Context, Ctx
from services.api.short_memory import ShortMemory
from shared.telemetry.metrics import metrics_endpoint

router = APIRouter(tags=["operation"])
router.add_api_route("/metrics", metrics_endpoint, include_in_schema=False)

CHECK_SECONDS = 3.0
FILES_SECONDS = 30.0
"""How long it is remembered whether files can be kept: to find out a small one is written, which S3 charges for."""
_EXAMPLE = {"status": "ready", "checks": {"postgres": "ok", "temporal": "ok", "nats": "ok", "files": "ok"}}
_files = ShortMemory[str](FILES_SECONDS, size=8)


@router.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
async def healthz() -> JSONResponse:
    """Answer while the process turns."""
    return Json({"status": "ok"})


@router.get(
    "/readyz",
    responses={
        200: {"content": {"application/json": {"example": _EXAMPLE}}},
        503: {"description": "Postgres or Temporal does not answer: `checks` says which, and why."},
    },
)
async def readyz(context: Ctx) -> JSONResponse:
    """Answer 200 when commands can be taken. Without NATS or the store for files they can: that is degraded."""
    postgres, temporal, store = await asyncio.gather(
        _check(_postgres(context)),
        _check(_temporal(context)),
        _files.get(context.objects, lambda: _check(context.objects.check())),
    )
    nats = "ok" if context.nats.bus else "away: lists come from Postgres, live pages and mail wait"
    files = "ok" if store == "ok" else f"away: files are neither taken nor given out ({store})"
    ready = postgres == temporal == "ok"
    status = ("ready" if nats == files == "ok" else "degraded") if ready else "not ready"
    checks = {"postgres": postgres, "temporal": temporal, "nats": nats, "files": files}
    return Json({"status": status, "checks": checks}, 200 if ready else 503)


async def _check(question: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await question
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}".rstrip(": ")
    return "ok"


async def _postgres(context: Context) -> None:
    async with context.database.read() as session:
        await session.execute(text("SELECT 1"))


async def _temporal(context: Context) -> None:
    if not await context.temporal.service_client.check_health(timeout=timedelta(seconds=CHECK_SECONDS)):
        raise RuntimeError("Temporal is up, but does not serve yet")
