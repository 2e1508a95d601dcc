"""What is refused for good, and what is tried again: a database that comes and goes must refuse no command."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.workflows.record import lies_in_what_is_recorded
from tests.world import World


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
