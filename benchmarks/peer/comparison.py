"""The product next to django-helpdesk 2.6.1: the same Postgres, the same number of cases, the same callers, in turn.

Ours is the whole product as `casebound up` runs it, relay, search and notifier included, with a second process of the
API beside the first, as the peer has two: a command is answered once it is durable. After each round of commands the
followers finish before the peer begins.

The peer runs on gunicorn with two workers, as our machine has two cores, and eight threads each, which was faster here
than its plain workers. Its connections to Postgres and to the callers stay open, templates and sessions are cached,
nothing is logged, debugging is off, mail is rendered but not handed over (`server/settings.py`). Both databases are
analysed after filling. On both sides somebody of the staff opens cases for a customer and comments on them, and the
customer gets a mail.

Opening and commenting are requests to its API. Its API can't search, filters by status alone, and reads all tickets
before it answers with one or with 25, for which a request has 30 seconds here. So lists and searches are compared with
what the table on its list page asks for, as staff logged in, which is much faster; what its API does stands beside it.
Our cases as JSON are held to its API, our page of a case to its page.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.pairs import pairs_as_figures
from benchmarks.peer.django_helpdesk import ROOT, Filled, Helpdesk, filled, helpdesk
from benchmarks.peer.ours import Ours, ours
from benchmarks.peer.side import Ask, Side, rate
from tests.stack import RunningStack, stack_directory, start_stack

CASES = 100_000
ENVIRONMENT = ROOT / ".venv" / "peer"
WORKED_ON, ROUNDS = 40, 3
COMMAND_SECONDS, READ_SECONDS = 5.0, 4.0
PATIENCE_SECONDS = 30.0
AT_ONCE = 2

COMMANDS = {"creates/s": "create", "comments/s": "comment"}
READS = {"filtered lists/s": "listed", "searches/s": "search", "pages of a case/s": "page"}
BOUND = f"an unanswered request counts as {PATIENCE_SECONDS:.0f} s"

GOALS: Final = {
    "peer: creates/s, ratio": (">=", 1.5),
    "peer: comments/s, ratio": (">=", 1.5),
    "peer: filtered lists/s, ratio": (">=", 20),
    "peer: searches/s, ratio": (">=", 20),
    "peer: cases/s, ratio to its API": (">=", 20),
}


async def measure(cases: int = CASES, environment: Path = ENVIRONMENT) -> dict[str, float]:
    """Rates of both, medians of paired rounds, and their ratios.

    Args:
        cases: how many each has to begin with.
        environment: where the peer is installed; made if need be.
    """
    with stack_directory() as directory:
        stack = await asyncio.to_thread(start_stack, directory)
        try:
            return await _measure(stack, cases, environment)
        finally:
            await asyncio.to_thread(stack.stop)


async def _measure(stack: RunningStack, cases: int, environment: Path) -> dict[str, float]:
    peer = await filled(stack.settings, environment, stack.data_dir, cases)
    async with ours(stack, cases, WORKED_ON) as own:
        async with helpdesk(peer, cases) as other:
            await other.open_some(WORKED_ON)
            await _check_alike(own, other)
            figures = await _in_turn(own, other)
        return figures | await _by_its_api(own, peer, cases)


async def _check_alike(own: Ours, other: Helpdesk) -> None:
    """Both must find the same number of cases, or the comparison means nothing."""
    await own.rest()
    found, theirs = await own.counts(), await other.counts()
    if found != theirs or not all(found):
        raise RuntimeError(f"listed and found: {found} cases by ours, {theirs} by the peer")


async def _in_turn(own: Side, other: Side) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, what in {**COMMANDS, **READS}.items():
        seconds = COMMAND_SECONDS if name in COMMANDS else READ_SECONDS
        pairs = [(await _round(other, what, seconds), await _round(own, what, seconds)) for _ in range(ROUNDS + 1)]
        figures |= pairs_as_figures(f"peer: {name}", "theirs", pairs[1:])  # the first is for warming up
    return figures


async def _round(side: Side, what: str, seconds: float) -> float:
    answered = await rate(getattr(side, what), seconds)
    await side.rest()
    return answered


async def _by_its_api(own: Side, peer: Filled, cases: int) -> dict[str, float]:
    """What its API is bad at. Each on a server of its own: who gives up leaves it at work."""
    async with helpdesk(peer, cases) as other:
        listed = await _patient_rate(other.listed_by_api)
    async with helpdesk(peer, cases) as other:
        one = await _patient_rate(other.case)
    answered = await rate(own.case, READ_SECONDS)
    return {
        f"peer: lists by status/s, its API ({BOUND})": listed,
        f"peer: cases/s, its API ({BOUND})": one,
        "peer: cases/s, ours": answered,
        "peer: cases/s, ratio to its API": answered / one,
    }


async def _patient_rate(ask: Ask) -> float:
    """Answers a second to as many at once as the peer has workers, who ask once."""

    async def caller(which: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ask(which, which)

    start = time.perf_counter()
    await asyncio.gather(*(caller(which) for which in range(AT_ONCE)))
    return AT_ONCE / (time.perf_counter() - start)
