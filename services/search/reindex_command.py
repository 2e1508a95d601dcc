"""``casebound reindex``: asks the running search nodes to index again and shows how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import nats.errors
from nats.aio.subscription import Subscription
from nats.js.api import Header
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from services.search.rebuild import ReindexProgress, ReindexRequest
from shared.contracts.subjects import SEARCH_REINDEX
from shared.messaging import connect
from shared.settings import Settings

_FIRST_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 120.0
_LATECOMER_SECONDS: Final = 0.5
_NO_RESPONDERS: Final = "503"
_NOBODY: Final = "no search service answers; start it with `casebound search` (or `casebound up`) and try again"
_SILENT: Final = (
    "the search service has said nothing for two minutes; look into its log. "
    "Unless it has finished, the old index goes on answering"
)


class ReindexError(ValueError):
    """Indexing again did not work; the message says why and what to do."""


def run(settings: Settings, desk: str | None) -> None:
    """Index all cases again while the old index answers, and show progress with the time left.

    Args:
        settings: of the running stack.
        desk: slug; only that desk's cases. None: a new index over all.

    Raises:
        ReindexError: no search service answers, or one of them failed.
        BusUnavailableError: NATS does not answer.
    """
    nodes = asyncio.run(_run(settings, desk))
    failed = [f"{node.node}: {node.error}" for node in nodes.values() if node.error]
    if failed:
        raise ReindexError(f"indexing again failed on search node {'; '.join(failed)}")


async def _run(settings: Settings, desk: str | None) -> dict[str, ReindexProgress]:
    bus = await connect(settings, "reindex")
    try:
        inbox = bus.nc.new_inbox()
        answers = await bus.nc.subscribe(inbox)
        await bus.nc.publish(SEARCH_REINDEX, ReindexRequest(desk=desk).model_dump_json().encode(), reply=inbox)
        return await _follow(answers)
    finally:
        await bus.close()


async def _follow(answers: Subscription) -> dict[str, ReindexProgress]:
    nodes: dict[str, ReindexProgress] = {}
    with _bars() as bars:
        tasks: dict[str, TaskID] = {}
        while (progress := await _next(answers, nodes)) is not None:
            nodes[progress.node] = progress
            if progress.node not in tasks:
                tasks[progress.node] = bars.add_task(f"search node {progress.node}", total=None)
            bars.update(tasks[progress.node], completed=progress.done, total=progress.total or None)
    return nodes


async def _next(answers: Subscription, nodes: Mapping[str, ReindexProgress]) -> ReindexProgress | None:
    """What a node says next; None once every node that was heard of has finished."""
    running = any(node.state == "running" for node in nodes.values())
    seconds = _SILENCE_SECONDS if running else _LATECOMER_SECONDS if nodes else _FIRST_SECONDS
    try:
        message = await answers.next_msg(timeout=seconds)
    except nats.errors.TimeoutError:
        if nodes and not running:
            return None
        raise ReindexError(_SILENT if running else _NOBODY) from None
    if (message.headers or {}).get(Header.STATUS) == _NO_RESPONDERS:
        raise ReindexError(_NOBODY)
    return ReindexProgress.model_validate_json(message.data)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cases"), TimeRemainingColumn()
    )
