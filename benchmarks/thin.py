"""The least that a durable comment over HTTP costs in this stack: a program, its worker or its HTTP service.

The bare engine of ``bare.py`` behind FastAPI: a token is verified, payloads are encrypted, and that is all. No rules,
no rights, no read model, nobody who is told. What ours costs beyond that is the product's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import uvicorn
import uvloop
from fastapi import FastAPI, Header
from temporalio.client import Client

from benchmarks.bare import Bare, work
from services.api.comments.schemas import NewComment
from shared.processes import spare_the_collector
from shared.settings import Settings, load_settings
from shared.temporal import connect
from shared.tokens import verify

QUEUE = "thin"


def workflow_id(number: int) -> str:
    """Of the workflow that takes the comments on so many-th case."""
    return f"thin-{number}"


def _app(settings: Settings, client: Client) -> FastAPI:
    app = FastAPI()

    @app.post("/cases/{number}/comments", status_code=201)
    async def comment(number: int, form: NewComment, authorization: Annotated[str, Header()]) -> dict[str, int]:
        verify(settings, authorization.removeprefix("Bearer "))
        return {"id": await client.get_workflow_handle(workflow_id(number)).execute_update(Bare.note, form.body)}

    return app


async def _serve(settings: Settings, port: int) -> None:
    app = _app(settings, await connect(settings))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    spare_the_collector()
    print("ready", flush=True)
    await uvicorn.Server(config).serve()


async def _work(settings: Settings) -> None:
    await work(settings, await connect(settings), QUEUE)


def main() -> None:
    """``worker DIRECTORY`` or ``api DIRECTORY PORT``, of a running stack."""
    part, directory, *port = sys.argv[1:]
    settings = load_settings(Path(directory))
    uvloop.run(_work(settings) if part == "worker" else _serve(settings, int(port[0])))


if __name__ == "__main__":
    main()
