"""Lives of cases worth replaying: between them they take every way through the workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from shared.domain import commands as c
from shared.domain.case import Survey
from shared.domain.profiles import STANDARD, TEAM_PORTAL
from tests.world import ADA, BOB, CaseInTest, World, command_id


async def whole_life(world: World) -> CaseInTest:
    """Every command of the standard desk, refusals and repetitions among them."""
    case = await world.open(STANDARD, severity="High")
    repeated = c.Comment(command_id=command_id(), actor=BOB, body="It still burns")
    for command in (
        repeated,
        repeated,
        c.Comment(command_id=command_id(), actor=ADA, body="Where?", await_reply=True),
        c.Comment(command_id=command_id(), actor=BOB, body="In the hall", cc=("eve@acme.example",)),
        c.Comment(command_id=command_id(), actor=ADA, body="They mean the cellar", internal=True),
        c.Assign(command_id=command_id(), actor=ADA, assignee=ADA.email),
        c.Edit(command_id=command_id(), actor=ADA, changes={"severity": "Low"}),
        c.Escalate(command_id=command_id(), actor=BOB, comment="Hurry"),
        c.Escalate(command_id=command_id(), actor=BOB, comment="Hurry up"),
        c.RequestClose(command_id=command_id(), actor=BOB, comment="Went out by itself"),
        c.Resolve(command_id=command_id(), actor=ADA, resolution_type="Provided", summary="Water"),
        c.Reject(command_id=command_id(), actor=BOB, reason="Smokes"),
        c.Resolve(command_id=command_id(), actor=ADA, resolution_type="Provided", summary="More water"),
        c.Accept(command_id=command_id(), actor=BOB, survey=Survey(q1=5, q2="Fine")),
        c.Reopen(command_id=command_id(), actor=BOB, reason="Burns again"),
        c.Close(command_id=command_id(), actor=ADA),
    ):
        await case.do(command)
    return case


async def silence(world: World) -> CaseInTest:
    """Closed by the timer, sealed by the timer, completed."""
    case = await world.open(STANDARD)
    await case.do(c.Resolve(command_id=command_id(), actor=ADA, resolution_type="Provided", summary="Water"))
    ends_at = datetime.fromisoformat((await case.row()).state["window"]["ends_at"])
    await case.fast_forward(ends_at - datetime.now(UTC) + timedelta(seconds=1))
    await case.fast_forward(timedelta(days=40))
    await case.handle.result()
    return case


async def signals(world: World) -> CaseInTest:
    """Good, refused, unknown and malformed signals."""
    case = await world.open(STANDARD)
    service = {"kind": "service", "name": "monitoring"}
    await case.handle.signal("comment", {"command_id": "s-1", "actor": service, "body": "Disk full"})
    await case.handle.signal("accept", {"command_id": "s-2", "actor": service})
    await case.handle.signal("no_such_thing", {"command_id": "s-3", "actor": service})
    await case.handle.signal("comment", args=[1, 2, 3])
    await case.do(c.Comment(command_id=command_id(), actor=BOB, body="Hello?"))
    return case


async def crowd(world: World) -> CaseInTest:
    """Batches, and runs that continue as new."""
    case = await world.open(STANDARD)
    bodies = ["x" * 30_000] * 240
    for start in range(0, len(bodies), 60):
        await asyncio.gather(
            *(case.do(c.Comment(command_id=command_id(), actor=BOB, body=body)) for body in bodies[start : start + 60])
        )
    return case


async def answered_after_closing(world: World) -> CaseInTest:
    """A completed workflow's case, taken up in a new run from what is recorded."""
    case = await world.open(TEAM_PORTAL)
    await case.do(c.Comment(command_id=command_id(), actor=BOB, body="Never mind", close=True))
    await case.handle.result()
    await case.do(c.Comment(command_id=command_id(), actor=BOB, body="It does matter"))
    return case


SCENARIOS: tuple[Callable[[World], Awaitable[CaseInTest]], ...] = (
    whole_life,
    silence,
    signals,
    crowd,
    answered_after_closing,
)
