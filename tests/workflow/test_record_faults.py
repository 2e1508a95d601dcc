"""What is refused for good, and what is tried again: a database that comes and goes must refuse no command."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.workflows.record import Recorder, lies_in_what_is_recorded
from shared.contracts.events import STATES
from shared.contracts.workflow import RecordRequest
from shared.domain import commands as c
from shared.domain.case import CaseState
from shared.domain.evolution import replay
from tests.world import ADA, World, command_id


@pytest.mark.parametrize(
    ("statement", "values", "for_good"),
    [
        ("SELECT 1 / 0", {}, True),
        ("SELECT CAST(:number AS integer)", {"number": 2**40}, True),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {}, False),
        ("SELECT 1 FROM no_such_table", {}, False),
    ],
)
async def test_what_the_database_says(world: World, statement: str, values: dict[str, int], for_good: bool) -> None:
    with pytest.raises(DBAPIError) as said:
        async with world.database.transaction() as connection:
            await connection.execute(text(statement), values)
    assert lies_in_what_is_recorded(said.value) is for_good


def test_a_database_that_is_starting_or_away_is_tried_again() -> None:
    for error in (
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.InvalidParameterValueError('role "casebound_service" does not exist'),
        ConnectionRefusedError(),
        TimeoutError(),
    ):
        assert not lies_in_what_is_recorded(error)


def test_what_can_not_even_be_sent_is_refused() -> None:
    assert lies_in_what_is_recorded(TypeError("Integer exceeds 64-bit range"))


async def test_two_workers_take_turns_with_a_case_and_neither_writes_over_the_other(world: World) -> None:
    case = await world.open()
    one, other = (Recorder(world.database, committed=lambda: None) for _ in range(2))

    def asked(state: CaseState, command: c.Command) -> tuple[RecordRequest, CaseState]:
        request = case.decided(state, command, datetime.now(UTC))
        return request, replay(state, request.events)

    state = STATES.validate_python((await case.row()).state)
    for recorder, severity in ((one, "High"), (other, "Low"), (one, "High"), (one, "Low"), (other, "High")):
        edit = c.Edit(command_id=command_id(), actor=ADA, changes={"severity": severity})
        request, after = asked(state, edit)
        assert (await recorder.record(request)).ahead is None
        behind, _ = asked(state, c.Comment(command_id=command_id(), actor=ADA, body="Too late"))
        for late in (one, other):
            told = (await late.record(behind)).ahead
            assert told is not None
            assert told.state == after
        state = after
        assert STATES.validate_python((await case.row()).state) == state
    snapshots = [STATES.validate_python(event.snapshot) for event in await case.events()]
    assert [each.severity for each in snapshots] == [None, "High", "Low", "High", "Low", "High"]
