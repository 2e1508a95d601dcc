"""`casebound fast-forward` on the real server: one case's clock, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from services.local.clock import desk_window_end, fast_forward, move_clock, parse_duration
from services.local.errors import StackError
from shared.contracts.workflow import workflow_id
from shared.db.engine import Database
from shared.db.models import Desk
from shared.settings import Settings
from shared.temporal import connect

QUEUE = "fast-forward"
NUMBERS = count(1)


@workflow.defn(name="Ticking")
class Ticking:
    """Notes the time once a day, four times; continues as new after the second."""

    @workflow.init
    def __init__(self, ticks: list[str]) -> None:
        self.ticks = ticks

    @workflow.run
    async def run(self, ticks: list[str]) -> list[str]:
        for _ in range(2):
            await workflow.sleep(timedelta(days=1))
            self.ticks.append(workflow.now().isoformat())
        if len(self.ticks) < 4:
            workflow.continue_as_new(self.ticks)
        return self.ticks

    @workflow.query(name="ticks")
    def so_far(self) -> list[str]:
        return self.ticks

    @workflow.update
    async def now(self) -> str:
        return workflow.now().isoformat()


@asynccontextmanager
async def ticking(settings: Settings) -> AsyncIterator[tuple[Client, int, WorkflowHandle[Ticking, list[str]]]]:
    client, number = await connect(settings), next(NUMBERS)
    worker = Worker(client, task_queue=QUEUE, workflows=[Ticking], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        await client.start_workflow(Ticking.run, [], id=workflow_id("demo", number), task_queue=QUEUE)
        handle = client.get_workflow_handle_for(Ticking.run, workflow_id("demo", number))
        try:
            yield client, number, handle
        finally:
            if (await handle.describe()).close_time is None:
                await handle.terminate()


async def two_days_each(settings: Settings, desk: str, start: datetime, business_days: int) -> datetime:
    assert desk == "demo"
    return start + timedelta(days=2 * business_days, minutes=1)


async def test_timers_on_the_way_fire_each_at_its_time_across_runs(servers: Settings) -> None:
    async with ticking(servers) as (_, number, handle):
        started = datetime.now(UTC)
        await move_clock(servers, "demo", number, "2d", two_days_each)
        await move_clock(servers, "demo", number, "30h", two_days_each)
        ticks = [datetime.fromisoformat(each) for each in await handle.query(Ticking.so_far)]
        assert len(ticks) == 3
        for day, tick in enumerate(ticks, start=1):
            assert timedelta(0) <= tick - started - timedelta(days=day) < timedelta(minutes=1)


async def test_it_stops_short_of_a_timer_beyond(servers: Settings) -> None:
    async with ticking(servers) as (_, number, handle):
        await move_clock(servers, "demo", number, "86390s", two_days_each)
        assert await handle.query(Ticking.so_far) == []


async def test_handlers_see_the_moved_clock_and_it_runs_on(servers: Settings) -> None:
    async with ticking(servers) as (_, number, handle):
        sentence = await move_clock(servers, "demo", number, "10h", two_days_each)
        first = datetime.fromisoformat(await handle.execute_update(Ticking.now))
        assert timedelta(0) <= first - datetime.now(UTC) - timedelta(hours=9, minutes=59) < timedelta(minutes=1)
        assert f"{first:%Y-%m-%d %H:}" in sentence
        await asyncio.sleep(0.1)
        assert datetime.fromisoformat(await handle.execute_update(Ticking.now)) > first


async def test_business_days_are_the_desks(servers: Settings) -> None:
    async with ticking(servers) as (_, number, handle):
        await move_clock(servers, "demo", number, "1bd", two_days_each)
        assert len(await handle.query(Ticking.so_far)) == 2


async def test_a_workflow_that_ends_on_the_way_is_said(servers: Settings) -> None:
    async with ticking(servers) as (_, number, handle):
        assert "has completed" in await move_clock(servers, "demo", number, "30d", two_days_each)
        assert len(await handle.result()) == 4
        with pytest.raises(StackError, match="no running workflow"):
            await move_clock(servers, "demo", number, "1d", two_days_each)


async def test_an_unknown_case_is_named(servers: Settings) -> None:
    with pytest.raises(StackError, match="demo/999999 has no running workflow"):
        await move_clock(servers, "demo", 999999, "1d", two_days_each)


async def test_the_window_is_that_of_the_desks_calendar(servers: Settings) -> None:
    database = Database(servers.database_url, pool_size=1)
    desk = Desk(
        slug="bank", name="Bank", key="BNK", profile="standard", policy={}, policy_version=1, timezone="Europe/London",
        workdays=["mon", "tue", "wed", "thu", "fri"], holidays=["GB-ENG"],
        products=[], case_types=[], severities=[], contacts=[],
    )  # fmt: skip
    async with database.write() as session:
        session.add(desk)
    await database.close()
    # Thursday before Easter: Good Friday and Easter Monday are holidays, and the clocks change on the Sunday between.
    start = datetime(2027, 3, 25, 15, 0, tzinfo=UTC)
    assert await desk_window_end(servers, "bank", start, 2) == datetime(2027, 3, 31, 14, 0, tzinfo=UTC)
    with pytest.raises(StackError, match="no desk nowhere"):
        await desk_window_end(servers, "nowhere", start, 2)


def test_it_refuses_outside_development(servers: Settings) -> None:
    with pytest.raises(StackError, match="in development only"):
        fast_forward(servers.model_copy(update={"development": False}), "demo", 1, "1d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("36h", timedelta(hours=36)),
        ("4d", timedelta(days=4)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "4", "d", "-1d", "1.5h", "4 days", "3bd", "0s", "4dd", "٣d", "999999999d999"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(StackError, match="is not a duration"):
        parse_duration(text)


def test_a_duration_beyond_reason() -> None:
    with pytest.raises(StackError, match="too long"):
        parse_duration("999999999" + "d")
