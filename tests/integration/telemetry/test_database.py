"""Spans of statements, and the way from a case to its trace, on a real Postgres."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from shared import telemetry
from shared.db.engine import Database
from shared.db.models import Case, CaseEvent
from shared.settings import Settings
from shared.telemetry import trace_command
from shared.telemetry.instrument import instrument_engine
from tests.desks import desk_row
from tests.integration.telemetry.kit import read_spans, trace_id_of

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


async def test_statements_inside_a_span_are_spans_without_values(
    postgres: Settings, traced: telemetry.Telemetry, store: Path
) -> None:
    databases = [Database(postgres.database_url), Database(postgres.database_url)]
    try:
        for database in databases:
            instrument_engine(database.readers)
            async with database.read() as session:
                await session.execute(text("SELECT 1"))
        with telemetry.span("record") as span:
            for database in databases:
                async with database.read() as session:
                    await session.execute(text("SELECT CAST(:word AS text)"), {"word": "what Bob wrote"})
    finally:
        for database in databases:
            await database.close()
    traced.flush()
    outer, *statements = read_spans(store, trace_id_of(telemetry.traceparent_of(span)))
    assert [statement.parent_id for statement in statements] == [outer.span_id, outer.span_id]
    assert {statement.name for statement in statements} == {"SELECT"}
    assert "SELECT CAST($1" in str(statements[0].attributes)
    assert "what Bob wrote" not in str(statements)


def test_the_trace_of_a_cases_latest_command_is_found(
    postgres: Settings, traced: telemetry.Telemetry, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with telemetry.span("POST /comments") as span:
        pass
    traced.flush()
    asyncio.run(_write_case(postgres.database_url, telemetry.traceparent_of(span)))
    settings = Settings(database_url=postgres.database_url, span_store=store)
    trace_command.run(settings, "connect", 7)
    out = capsys.readouterr().out
    assert (
        f"connect/7 comment (seq 2, 2026-01-05 09:00:00 UTC) · trace {trace_id_of(telemetry.traceparent_of(span))}"
        in (" ".join(out.split()))
    )
    assert "1 span · POST /comments took " in out
    for desk, number, message in (("connect", 8, "has no case 8"), ("nowhere", 7, "no desk nowhere")):
        with pytest.raises(SystemExit):
            trace_command.run(settings, desk, number)
        assert message in capsys.readouterr().err


async def _write_case(url: str, traceparent: str | None) -> None:
    database = Database(url)
    async with database.write() as session:
        desk = desk_row("connect", profile="connect")
        session.add(desk)
        await session.flush()
        case = Case(
            id=uuid.uuid4(),
            desk_id=desk.id,
            number=7,
            policy={},
            policy_version=1,
            state={},
            description="",
            seq=3,
            status="open",
            subject="",
            reporter="",
            cc=[],
            created_at=NOW,
            updated_at=NOW,
        )
        session.add(case)
        await session.flush()
        # The newest event is a timer's: nobody's command, hence no trace.
        names = (("open", None), ("comment", traceparent), ("deadline", None))
        for seq, (command, context) in enumerate(names, start=1):
            session.add(
                CaseEvent(
                    case_id=case.id,
                    seq=seq,
                    kind="commented",
                    at=NOW,
                    actor={},
                    command_id=str(seq),
                    command=command,
                    part=0,
                    data={},
                    traceparent=context,
                    recorded_at=NOW,
                )
            )
    await database.close()
