"""Many windows that end together: their cases are seen to one after the other, and nobody finds one of them open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.workflows import record, stagger
from services.workflows.record import Recorder
from shared.contracts.events import STATES
from shared.contracts.workflow import WindowEnd
from shared.domain import commands as c
from shared.domain.policy import Policy
from shared.domain.profiles import STANDARD
from tests.world import ADA, CaseInTest, World, command_id

SATURDAY = datetime(2031, 3, 8, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def resolve() -> c.Resolve:
    return c.Resolve(command_id=command_id(), actor=ADA, resolution_type="provided", summary="Done.")


async def window_of(case: CaseInTest, recorder: Recorder, at: datetime) -> WindowEnd:
    """Have a resolution recorded beside the workflow."""
    state = STATES.validate_python((await case.row()).state)
    answer = await recorder.record(case.decided(state, resolve(), at))
    (end,) = answer.window_ends
    return end


async def test_beyond_the_first_each_waits_a_little_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stagger, "AT_ONCE", 2)
    recorder = Recorder(world.database, committed=lambda: None, ends_per_second=10)
    policy: Policy = replace(STANDARD, auto_close_after=5)
    moments = [SATURDAY + n * HOUR for n in range(5)]
    windows = [await window_of(await world.open(policy), recorder, at) for at in moments]
    assert len({window.ends_at for window in windows}) == 1, "what is resolved at a weekend closes at one midnight"
    assert [window.alarm_delay for window in windows] == [0.0, 0.0, 0.0, 0.1, 0.2]
    alone = await window_of(await world.open(policy), recorder, SATURDAY + timedelta(days=3))
    assert alone.alarm_delay == 0.0


@pytest.fixture
def an_hour_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(*_: object) -> float:
        return HOUR.total_seconds()

    monkeypatch.setattr(record, "seconds_to_wait", late)


async def resolved(world: World) -> CaseInTest:
    """A case at the very end of its window."""
    case = await world.open()
    await case.do(resolve())
    ends_at = datetime.fromisoformat((await case.row()).state["window"]["ends_at"])
    await case.fast_forward(ends_at - datetime.now(UTC) + timedelta(seconds=1))
    return case


@pytest.mark.usefixtures("an_hour_late")
async def test_a_case_that_waits_its_turn_closes_then(world: World) -> None:
    case = await resolved(world)
    await case.fast_forward(HOUR - timedelta(minutes=2))
    assert (await case.row()).status == "resolved"
    await case.fast_forward(timedelta(minutes=3))
    await case.becomes(lambda row: row.status == "closed")
    assert await case.kinds() == ["opened", "resolved", "closed"]


@pytest.mark.usefixtures("an_hour_late")
async def test_whoever_asks_a_case_that_waits_its_turn_finds_its_window_ended(world: World) -> None:
    case = await resolved(world)
    refused = await case.do(c.Reject(command_id=command_id(), actor=ADA, reason="Not done."))
    assert not refused.accepted
    assert await case.kinds() == ["opened", "resolved", "closed"]
