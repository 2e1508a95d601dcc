"""Our side: the whole product, one desk with many cases, somebody of its staff."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy import select, text

from benchmarks.peer.samples import (
    COMMENT,
    CUSTOMER,
    DESCRIPTION,
    LISTED,
    PAGE,
    SEVERITIES,
    WORKED_ON,
    station,
    subject,
)
from benchmarks.peer.side import lines, right, serving
from services.api.auth import COOKIE
from services.api.sessions.service import start_session
from shared.db.engine import Database
from shared.db.models import Person
from tests.client import Connections, Json, LeanConnection
from tests.desks import ADA, StackDesk, make_desk
from tests.facts import told
from tests.stack import RunningStack, free_port

_COPIES = text(
    """
    INSERT INTO "case" (id, desk_id, number, policy, policy_version, state, description, seq, status, subject, product,
        type, severity, impact, account, reporter, contact, cc, assignee, created_at, updated_at)
    SELECT gen_random_uuid(), desk_id, n, policy, policy_version,
        state || jsonb_build_object('subject', named.subject, 'severity', named.severity), description, seq, status,
        named.subject, product, type, named.severity, impact, account, reporter, contact, cc, assignee,
        created_at + n * interval '1 second', updated_at + n * interval '1 second'
    FROM "case", unnest(CAST(:numbers AS int[]), CAST(:subjects AS text[]), CAST(:severities AS text[]))
        AS named (n, subject, severity)
    WHERE number = 1 AND desk_id = (SELECT id FROM desk WHERE slug = :desk)
    """
)
_COUNTED = text("UPDATE desk_counter SET last_number = :cases WHERE desk_id = (SELECT id FROM desk WHERE slug = :desk)")
_REINDEX_SECONDS = 600


@asynccontextmanager
async def ours(stack: RunningStack, cases: int, worked_on: int) -> AsyncIterator[Ours]:
    """A desk on a running stack, filled.

    Args:
        stack: the whole product.
        cases: how many there are to look at: the first opened over HTTP, the others its copies.
        worked_on: how many more are opened, to be commented on.
    """
    desk = await make_desk(stack)
    database = Database(stack.settings.database_url)
    async with Connections(stack.api, 1).kept() as connections:
        ada = desk.caller(connections, ADA)
        await ada.open(**_opening(1))
        await _copy(stack, database, desk, cases)
        numbers = [(await ada.open(**WORKED_ON, contact=CUSTOMER))["number"] for _ in range(worked_on)]
    session = await _log_in(database)
    await database.close()
    with _second_api(stack) as second:
        both = (stack.api, second)
        async with lines(both, ada.token) as programs, lines(both, session, f"Cookie: {COOKIE}=") as browsers:
            yield Ours(programs, browsers, stack, desk.slug, range(1, cases + 1), numbers)


@contextmanager
def _second_api(stack: RunningStack) -> Iterator[str]:
    """Another process of the API, as the peer has two; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "services.cli", "api", "--data-dir", str(stack.data_dir)]
    variables = os.environ | {"CASEBOUND_API_PORT": str(port)}
    with serving(command, port, variables, stack.data_dir / "second-api.log") as url:
        yield url


async def _copy(stack: RunningStack, database: Database, desk: StackDesk, cases: int) -> None:
    numbers = range(2, cases + 1)
    copies = {
        "numbers": list(numbers),
        "subjects": [subject(number) for number in numbers],
        "severities": [SEVERITIES[number % len(SEVERITIES)] for number in numbers],
    }
    async with database.transaction() as connection:
        await connection.execute(_COPIES, copies | {"desk": desk.slug})
        await connection.execute(_COUNTED, {"cases": cases, "desk": desk.slug})
    owner = await asyncpg.connect(stack.settings.database_url)
    await owner.execute('VACUUM ANALYZE "case"')
    await owner.close()
    done = await asyncio.to_thread(stack.casebound, "reindex", timeout=_REINDEX_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)


async def _log_in(database: Database) -> str:
    async with database.read() as reading:
        person = (await reading.scalars(select(Person).where(Person.email == ADA))).one()
    session = await start_session(database, person)
    return session.token


@dataclass(frozen=True)
class Ours:
    """What is asked of our API and portal.

    Args:
        programs: a connection for each caller.
        browsers: the same, logged in by session.
        stack: the whole product.
        desk: slug.
        read: numbers of the cases that are looked at.
        worked_on: numbers of those that are commented on.
    """

    programs: Sequence[LeanConnection]
    browsers: Sequence[LeanConnection]
    stack: RunningStack
    desk: str
    read: Sequence[int]
    worked_on: Sequence[int]

    @property
    def _cases(self) -> str:
        return f"/api/v1/desks/{self.desk}/cases"

    async def create(self, number: int, caller: int) -> bytes:
        return right(*await self.programs[caller].ask("POST", self._cases, _opening(number)))

    async def comment(self, number: int, caller: int) -> bytes:
        case = self.worked_on[number % len(self.worked_on)]
        return right(*await self.programs[caller].ask("POST", f"{self._cases}/{case}/comments", {"body": COMMENT}))

    async def listed(self, _: int, caller: int) -> bytes:
        query = f"status=new&severity={LISTED}&page_size={PAGE}&sort=-created_at"
        return right(*await self.programs[caller].ask("GET", f"{self._cases}?{query}"))

    async def search(self, number: int, caller: int) -> bytes:
        return right(*await self.programs[caller].ask("GET", f"{self._cases}?q={station(number)}&page_size={PAGE}"))

    async def case(self, number: int, caller: int) -> bytes:
        return right(*await self.programs[caller].ask("GET", f"{self._cases}/{self.read[number % len(self.read)]}"))

    async def page(self, number: int, caller: int) -> bytes:
        path = f"/desks/{self.desk}/cases/{self.read[number % len(self.read)]}"
        return right(*await self.browsers[caller].ask("GET", path))

    async def rest(self) -> None:
        await told(self.stack.settings, self.desk, 60)

    async def counts(self) -> tuple[int, int]:
        """How many cases `listed` and `search` count."""
        return json.loads(await self.listed(0, 0))["total"], json.loads(await self.search(0, 0))["total"]


def _opening(number: int) -> Json:
    severity = SEVERITIES[number % len(SEVERITIES)]
    return {"subject": subject(number), "description": DESCRIPTION, "severity": severity, "contact": CUSTOMER}
