"""An export of a hundred thousand cases on the whole product: begun at once, complete, and in little memory."""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.db.engine import Database
from tests.client import Connections
from tests.conftest import Say
from tests.desks import ADA, BOB, StackDesk, make_desk
from tests.stack import RunningStack

CASES = 100_000
MOST_SECONDS_TO_FIRST_BYTE = 1.0
MOST_GROWTH_MB = 100
MEASURED = ("api", "search")

_COPIES = text(
    """
    INSERT INTO "case" (id, desk_id, number, policy, policy_version, state, description, seq, status, subject, product,
        type, severity, impact, account, reporter, contact, cc, assignee, created_at, updated_at)
    SELECT gen_random_uuid(), desk_id, n, policy, policy_version,
        state || jsonb_build_object('subject', 'Invoice run ' || n || ' stops', 'environment', 'Production'),
        description, seq, status, 'Invoice run ' || n || ' stops', product, type, severity, impact, account, reporter,
        contact, cc, assignee, created_at + n * interval '1 second', updated_at + n * interval '1 second'
    FROM "case", generate_series(2, :cases) AS n
    WHERE number = 1 AND desk_id = (SELECT id FROM desk WHERE slug = :desk)
    """
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> AsyncIterator[StackDesk]:
    """A desk with so many cases, all in the index."""
    desk = await make_desk(stack)
    async with Connections(stack.api, 1).kept() as connections:
        bob = desk.caller(connections, BOB)
        await bob.open(subject="Invoice run 1 stops", description="Since this morning. " * 20, severity="High")
    database = Database(stack.settings.database_url)
    async with database.transaction() as connection:
        await connection.execute(_COPIES, {"cases": CASES, "desk": desk.slug})
    await database.close()
    done = await asyncio.to_thread(stack.casebound, "reindex", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    yield desk


class Memory:
    """The most memory that parts of the stack have used since this was made, in MB above what they used then."""

    def __init__(self, stack: RunningStack) -> None:
        self._pids = {part: stack.pid(part) for part in MEASURED}
        for pid in self._pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._before = self._peaks()

    def growth(self) -> dict[str, int]:
        return {part: peak - self._before[part] for part, peak in self._peaks().items()}

    def _peaks(self) -> dict[str, int]:
        return {part: self._peak(pid) for part, pid in self._pids.items()}

    def _peak(self, pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


@pytest.mark.parametrize("params", [{"format": "csv"}, {"format": "csv", "sort": "subject"}, {"format": "xlsx"}])
async def test_a_hundred_thousand_cases_are_exported(
    stack: RunningStack, desk: StackDesk, say: Say, tmp_path: Path, params: dict[str, Any]
) -> None:
    target = tmp_path / "export"
    async with Connections(stack.api, 1).kept() as connections, connections.one() as http:
        ada = desk.caller(connections, ADA)
        headers = {"Authorization": f"Bearer {ada.token}"}
        base = f"/api/v1/desks/{desk.slug}/cases"
        total = (await http.get(base, headers=headers)).json()["total"]
        memory, start, first = Memory(stack), time.perf_counter(), 0.0
        async with http.stream("GET", f"{base}/export", params=params, headers=headers) as answer:
            assert answer.status_code == 200
            with target.open("wb") as file:
                async for chunk in answer.aiter_raw():
                    first = first or time.perf_counter() - start
                    file.write(chunk)
        took, growth = time.perf_counter() - start, memory.growth()
    say(f"{total} cases as {params}: first byte {first * 1000:.0f} ms, all in {took:.1f} s, memory {growth} MB")
    assert total == rows(target, params["format"]) == CASES
    assert first < MOST_SECONDS_TO_FIRST_BYTE
    assert max(growth.values()) < MOST_GROWTH_MB


def rows(file: Path, kind: str) -> int:
    """How many rows there are below the headings."""
    if kind == "csv":
        return file.read_bytes().count(b"\r\n") - 1
    with zipfile.ZipFile(file) as package:
        return package.read("xl/worksheets/sheet1.xml").count(b"<row ") - 1
