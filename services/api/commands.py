"""The way of a command: asked of the machine first, then of the case's workflow, whose word is final."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Annotated

from fastapi import Depends

from services.api.answers import Answer
from services.api.auth import CallerHere
from services.api.authorisation import require
from services.api.callers import Caller
from services.api.cases.records import CaseRecord, find_case
from services.api.context import Context, Ctx
from services.api.door import CaseAddress, CaseUnavailable, NoSuchCase
from services.api.idempotency import Once, OnceHere, claim, keep
from services.api.problems import Problem, not_found
from services.api.refusals import refused
from shared.contracts.workflow import Outcome
from shared.db.viewed import Sight
from shared.domain.commands import Command
from shared.domain.decision import decide, overdue
from shared.domain.lifecycle import Action
from shared.domain.refusals import Refusal
from shared.telemetry import metrics

CONFLICT = 409

Prepare = Callable[[Sight, CaseRecord], Awaitable[Command]]
"""Makes the command, its id left blank; may look things up, and raise a 422 problem."""

Respond = Callable[[CaseRecord, Outcome, str], Awaitable[Answer]]
"""From the case as it was, the outcome and the command's id to the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A request that asks for a change: by whom, once for which key, with what to carry it out."""

    context: Context
    caller: Caller
    once: Once


async def _asking(context: Ctx, caller: CallerHere, request: OnceHere) -> Asking:
    return Asking(context=context, caller=caller, once=request)


AskingHere = Annotated[Asking, Depends(_asking)]


@asynccontextmanager
async def measured(name: str) -> AsyncIterator[None]:
    """Count a command by its outcome, and time it."""
    outcome, start = "failed", perf_counter()
    try:
        yield
        outcome = "accepted"
    except Problem as problem:
        outcome = "failed" if problem.status >= 500 else "refused"
        raise
    finally:
        metrics.commands.labels(name, outcome).inc()
        metrics.command_seconds.labels(name).observe(perf_counter() - start)


async def carry_out(asking: Asking, record: CaseRecord, command: Command, *, fresh: bool) -> Outcome:
    """Carry a command out on a case.

    Args:
        asking: who asks; whether they may is settled.
        record: the case, read before the command's ``Idempotency-Key`` was claimed.
        command: what is asked.
        fresh: False if it may have been carried out already, so that the record can't say whether it is possible.

    Raises:
        Problem: refused, 409 or 422; or no word from the workflow, 503.
    """
    async with measured(command.name):
        # Once a window has ended, the case is about to change by itself: only the workflow knows on which side it is.
        if fresh and not overdue(record.state, record.now):
            decided = decide(record.state, record.policy, command, record.now)
            if isinstance(decided, Refusal):
                raise refused(asking.caller, record, decided)
        address = CaseAddress(desk=asking.caller.desk.slug, number=record.number, case_id=record.id)
        outcome = await answered(asking.context.door.execute(address, command))
        if not outcome.accepted:
            raise refused(asking.caller, await as_recorded(asking, record.number), outcome)
        return outcome


async def answered(question: Awaitable[Outcome]) -> Outcome:
    """The workflow's answer.

    Raises:
        Problem: 503 if none came in time; 404 if nobody knows the case.
    """
    try:
        return await question
    except CaseUnavailable:
        raise unavailable(
            "The case did not answer in time. What you asked may still be carried out. Repeating the request with the "
            "same Idempotency-Key is safe: it is carried out once."
        ) from None
    except NoSuchCase:
        raise not_found("such case on this desk") from None


def unavailable(detail: str) -> Problem:
    """503; the time to wait differs, so that not everybody comes back at once."""
    return Problem("unavailable", detail, headers={"Retry-After": str(random.randint(1, 5))})  # noqa: S311


async def as_recorded(asking: Asking, number: int) -> CaseRecord:
    """The case as the record has it now."""
    async with asking.context.database.reading_as(asking.caller.eyes) as session:
        return await find_case(session, asking.caller, number)


async def command_on_case(
    asking: Asking, number: str, action: Action | None, prepare: Prepare, respond: Respond
) -> Answer:
    """Carry out a request that is one command on one case: once for each ``Idempotency-Key``.

    Args:
        asking: who asks.
        number: of the case, from the address.
        action: what it comes to in the table of rights; None if ``prepare`` sees to that, having to look things up.
        prepare: makes the command.
        respond: makes the answer.

    Raises:
        Problem: 403, 404, 422, 503. A refusal is an answer, and kept like one.
    """
    database, caller = asking.context.database, asking.caller
    claiming = database.transaction_as if asking.once.key else database.reading_as
    async with claiming(caller.eyes) as session:
        record = await find_case(session, caller, number)
        if action:
            require(caller, action, record.state)
        ticket = await claim(session, caller, asking.once)
        if isinstance(ticket, Answer):
            return ticket
        command = await prepare(session, record)
    command = replace(command, command_id=ticket.command_id)
    try:
        outcome = await carry_out(asking, record, command, fresh=ticket.fresh)
        answer = await respond(record, outcome, ticket.command_id)
    except Problem as problem:
        if problem.status != CONFLICT:
            raise
        answer = problem.answer()
    return await keep(database, caller, asking.once, answer)
