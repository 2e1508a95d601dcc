"""The second wall: with the API's own check out of the way, Postgres alone lets nobody see what is not theirs."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select, text, true
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.visibility import may_see
from shared.contracts.search import Viewer
from shared.db import viewed
from shared.db.models import Attachment, Base, Case, CaseEvent, IdempotencyKey
from shared.db.roles import Role
from shared.db.viewed import Eyes, ViewedDatabase
from shared.domain.events import STAFF_ONLY
from shared.settings import Settings
from tests.integration.crowd import MSP, Crowd, ask, gathered, in_process

POOL = 3
REQUESTS, CANCELLED, CUT = 1_000, 60, 5
SEES_ALL: dict[str, Any] = {"viewer_staff": True, "viewer_email": None, "viewer_accounts": []}
STAFF = Viewer(staff=True)
OPEN_TO_THE_API = {
    "account": "who belongs where is asked to learn who a caller is",
    "account_member": "as account",
    "staff": "as account",
    "service_account": "as account",
    "desk_counter": "holds one number for each desk",
    "desk_policy": "every version of a desk's habits, which its users may read",
}
"""Tables of desks or cases without a policy, and why."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowd(servers: Settings) -> AsyncIterator[Crowd]:
    async with gathered(servers) as crowd:
        yield crowd


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own check says yes to everybody, wherever it is asked."""
    yes = {
        "seen_by": lambda _: SEES_ALL,
        "may_see": lambda *_: True,
        "hidden_from": lambda _: frozenset(),
        "_shown_to": lambda _: true(),
        "shown_to": lambda _: true(),
    }
    modules = [module for name, module in sys.modules.items() if name.startswith("services.api")]
    for name, answer in yes.items():
        asking = [module for module in modules if hasattr(module, name)]
        assert asking
        for module in asking:
            monkeypatch.setattr(module, name, answer)


@pytest_asyncio.fixture
async def small(crowd: Crowd) -> AsyncIterator[ViewedDatabase]:
    """The API on a pool of a few connections."""
    database = ViewedDatabase(crowd.world.settings.database_url, pool_size=POOL)
    before = crowd.world.app.state.context
    crowd.world.app.state.context = replace(before, database=database)
    yield database
    crowd.world.app.state.context = before
    await database.close()


# ------------------------------------------------------------------------------------------ the API


@pytest.mark.usefixtures("unguarded", "small")
async def test_a_thousand_interleaved_requests_on_three_connections_leak_nothing(crowd: Crowd) -> None:
    chance = random.Random(20260105)
    kinds = ("case", "list", "events", "attachments", "comment", "reply")
    weights = (35, 20, 23, 10, 8, 4)
    gate = asyncio.Semaphore(40)
    came_of: Counter[str] = Counter()

    async def one(http: httpx.AsyncClient, turn: int) -> None:
        person = chance.choice(crowd.people)
        number = chance.choice(list(crowd.cases[person.desk.slug]))
        what = chance.choices(kinds, weights)[0]
        async with gate:
            if turn % (REQUESTS // CUT) == 50:
                await _terminate(crowd.world.settings, "query LIKE 'BEGIN; SET LOCAL ROLE%' OR query = 'ROLLBACK'")
            asking = ask(crowd, http, person, what, number, turn)
            if turn % (REQUESTS // CANCELLED) == 0:
                asking = asyncio.wait_for(asking, chance.uniform(0.001, 0.02))
            try:
                came_of[await asking] += 1
            except TimeoutError:
                came_of["cancelled"] += 1

    async with in_process(crowd) as http:
        await asyncio.gather(*(one(http, turn) for turn in range(REQUESTS)))
    assert came_of["cancelled"] > CANCELLED / 4, came_of
    assert came_of["404"] > REQUESTS / 5, came_of
    assert came_of["listed"] > REQUESTS / 10, came_of
    assert min(came_of[kind] for kind in ("case", "events", "attachments", "comment")) > 10, came_of
    assert came_of["503"] < REQUESTS / 20, came_of


async def _terminate(settings: Settings, which: str) -> None:
    """Postgres ends connections in the middle of whatever they are at."""
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}")
    await connection.close()


@pytest.mark.usefixtures("unguarded", "small")
async def test_the_check_is_out_of_the_way_so_that_the_wall_alone_holds(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = next(each for each in crowd.people if not each.staff)
    cases = crowd.cases[person.desk.slug]
    hidden = next(number for number, case in cases.items() if not person.sees(case))
    assert (await person.requests.get(f"/cases/{hidden}")).status_code == 404
    monkeypatch.setattr(viewed, "beginning", lambda _: f"BEGIN; SET LOCAL ROLE {Role.SERVICE}")
    assert (await person.requests.get(f"/cases/{hidden}")).status_code == 200
    listed = (await person.requests.get("/cases", page_size=100)).json()
    assert listed["total"] == len(cases)


# ------------------------------------------------------------------------------------------ the policies


async def test_the_policies_say_what_the_check_says(crowd: Crowd, small: ViewedDatabase) -> None:
    async with crowd.world.database.read() as session:
        rows = list(await session.scalars(select(Case)))
    desks = {row.desk_id for row in rows}
    people = [Viewer(email=email, accounts=accounts) for email in (MSP, "a1@west.example", "nobody@x.example")
              for accounts in ([], ["a"], ["a", "b"])]  # fmt: skip
    odd = Viewer(email="a'); DROP TABLE x; --\\\"@x.example", accounts=["a\\", 'b"', "c'", "ü", "{a,b}"])
    for desk, viewer in itertools.product(desks, [STAFF, Viewer(), Viewer(email=""), odd, *people]):
        async with small.read_as(Eyes(desk=desk, viewer=viewer, actor="x", who="x")) as session:
            found = {row.id for row in await session.scalars(select(Case))}
            events = set(await session.scalars(select(CaseEvent.case_id).distinct()))
            kinds = set(await session.scalars(select(CaseEvent.kind).distinct()))
        assert found == {row.id for row in rows if row.desk_id == desk and may_see(viewer, row)}, viewer
        assert events == found
        assert ("noted" in kinds) is viewer.staff


async def test_the_wall_hides_from_customers_every_kind_of_event_for_staff(crowd: Crowd) -> None:
    connection = await asyncpg.connect(crowd.world.settings.database_url)
    policy = await connection.fetchval(
        "SELECT qual FROM pg_policies WHERE tablename = 'case_event' AND policyname = 'seen'"
    )
    await connection.close()
    assert {kind for kind in STAFF_ONLY if f"'{kind}'" not in policy} == set()


async def test_without_eyes_nothing_is_seen(crowd: Crowd, small: ViewedDatabase) -> None:
    walled = await _walled(crowd.world.settings)
    assert {"case", "case_event", "attachment", "delivery", "idempotency_key"} <= walled
    for open_one in (small.read, small.reading, small.write, small.transaction):
        async with open_one() as session:
            for table in walled:
                assert (await session.execute(text(f'SELECT count(*) FROM "{table}"'))).scalar_one() == 0, table
    connection = await asyncpg.connect(crowd.world.settings.database_url)
    assert await connection.fetchval('SELECT count(*) FROM "case"') == 0, "the log-in itself sees cases"
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE "case" SET subject = subject',
        'DELETE FROM "case"',
        'INSERT INTO "case" SELECT * FROM "case"',
        "UPDATE case_event SET kind = kind",
        "DELETE FROM case_event",
        "INSERT INTO case_event SELECT * FROM case_event",
        "UPDATE delivery SET recipient = recipient",
        "DELETE FROM delivery",
        "SELECT secret FROM webhook",
        'ALTER TABLE "case" NO FORCE ROW LEVEL SECURITY',
        'TRUNCATE "case" CASCADE',
    ],
)
async def test_the_api_writes_no_case_even_as_staff(crowd: Crowd, small: ViewedDatabase, statement: str) -> None:
    desk = await _desk_id(crowd)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with small.write_as(Eyes(desk=desk, viewer=STAFF, actor="x", who="x")) as session:
            await session.execute(text(statement))


async def test_kept_answers_and_uploads_are_their_owners_alone(crowd: Crowd, small: ViewedDatabase) -> None:
    desk = await _desk_id(crowd)
    mine, yours = (Eyes(desk=desk, viewer=STAFF, actor=f"staff:{who}", who=who) for who in ("me@x", "you@x"))
    key = {"desk_id": desk, "actor": mine.actor, "key": "k", "request_hash": b"", "command_id": "c"}
    async with small.write_as(mine) as session:
        session.add(IdempotencyKey(**key))
        file = {"id": uuid.uuid4(), "desk_id": desk, "uploaded_by": mine.who, "filename": "", "size": 0, "sha256": ""}
        await session.execute(insert(Attachment).values(**file, content_type="", kind="file"))
    for eyes, count in ((mine, 1), (yours, 0), (replace(mine, desk=desk + 1), 0)):
        async with small.read_as(eyes) as session:
            assert await session.scalar(select(func.count()).where(IdempotencyKey.key == "k")) == count
            assert await session.scalar(select(func.count()).where(Attachment.id == file["id"])) == count
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with small.write_as(yours) as session:
            session.add(IdempotencyKey(**key | {"key": "forged"}))


# ------------------------------------------------------------------------------------------ leftovers


LEFTOVERS = [
    f"SET ROLE {Role.SERVICE}",
    f"SET SESSION ROLE {Role.SERVICE}",
    "SET ROLE NONE",
    "RESET ROLE",
    "RESET ALL",
    "SELECT set_config('casebound.viewer', '{\"desk\": 1, \"staff\": true}', false)",
    "SET SESSION AUTHORIZATION DEFAULT",
]


@pytest.mark.parametrize("leftover", LEFTOVERS)
@pytest.mark.parametrize("door", ["read", "write"])
async def test_nothing_that_one_leaves_behind_reaches_the_next(crowd: Crowd, leftover: str, door: str) -> None:
    database = ViewedDatabase(crowd.world.settings.database_url, pool_size=1)
    nobody = Eyes(desk=await _desk_id(crowd), viewer=Viewer(email="nobody@x.example"), actor="x", who="x")
    staff = replace(nobody, viewer=STAFF)
    once, again = (database.read_as, database.read) if door == "read" else (database.write_as, database.write)
    async with once(staff) as session:
        assert await _count(session)
        await session.execute(text(leftover))
        before = await session.scalar(text("SELECT pg_backend_pid()"))
    async with once(nobody) as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) == before, "it is another connection"
        assert await session.scalar(text("SELECT current_user")) == Role.API
        assert await _count(session) == 0
    async with again() as session:
        assert await session.scalar(text("SELECT current_user")) == Role.API
        assert await _count(session) == 0
        await session.execute(text("RESET ROLE"))
        assert await session.scalar(text("SELECT current_user")) == Role.API
        assert await _count(session) == 0
    await database.close()


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("error", LookupError),
        ("statement", DBAPIError),
        ("cut", DBAPIError),
        ("timeout", TimeoutError),
        ("cancelled", asyncio.CancelledError),
    ],
)
async def test_however_a_reading_ends_the_next_sees_with_its_own_eyes(
    crowd: Crowd, end: str, error: type[BaseException]
) -> None:
    database = ViewedDatabase(crowd.world.settings.database_url, pool_size=1)
    staff = Eyes(desk=await _desk_id(crowd), viewer=STAFF, actor="x", who="x")

    async def look() -> None:
        async with database.read_as(staff) as session:
            assert await _count(session)
            await _end(crowd.world.settings, session, end)

    with pytest.raises(error):
        await asyncio.create_task(look())
    async with database.read() as session:
        assert await _count(session) == 0
        assert not await session.scalar(text("SELECT current_setting('casebound.viewer', true)"))
    await database.close()


async def _end(settings: Settings, session: AsyncSession, how: str) -> None:
    match how:
        case "error":
            raise LookupError
        case "statement":
            await session.execute(text("SELECT 1 / 0"))
        case "cut":
            await _terminate(settings, f"pid = {await session.scalar(text('SELECT pg_backend_pid()'))}")
            await session.execute(text("SELECT 1"))
        case "timeout":
            async with asyncio.timeout(0.05):
                await session.execute(text("SELECT pg_sleep(5)"))
        case _:
            task = asyncio.current_task()
            assert task
            asyncio.get_running_loop().call_later(0.05, task.cancel)
            await session.execute(text("SELECT pg_sleep(5)"))


# ------------------------------------------------------------------------------------------ cost


_MANY_CASES = """
INSERT INTO "case" (id, desk_id, number, policy, policy_version, state, description, seq, status, subject, account,
                    reporter, cc, created_at, updated_at)
SELECT gen_random_uuid(), :desk, n, '{}', 1, '{}', '', 1, 'new', 'n', 'a' || n % 50, 'r' || n % 500, '{}', now(),
       now() - n * interval '1 minute'
FROM generate_series(1, 5000) n
"""
_MANY_EVENTS = """
INSERT INTO case_event (case_id, seq, kind, at, actor, actor_email, command_id, command, part, data)
SELECT id, n, 'commented', now(), '{}', reporter, n, 'comment', 0, '{}'
FROM "case", generate_series(1, 5) n WHERE desk_id = :desk
"""


async def test_the_policies_leave_the_indexes_in_use(crowd: Crowd, small: ViewedDatabase) -> None:
    """Row level security hides indexes whose operators are not known to leak nothing."""
    slug = (await crowd.world.desk()).slug
    async with crowd.world.database.write() as session:
        desk = await session.scalar(text("SELECT id FROM desk WHERE slug = :slug"), {"slug": slug})
        await session.execute(text(_MANY_CASES), {"desk": desk})
        await session.execute(text(_MANY_EVENTS), {"desk": desk})
        one = await session.scalar(text('SELECT id FROM "case" WHERE desk_id = :desk AND number = 7'), {"desk": desk})
    owner = await asyncpg.connect(crowd.world.settings.database_url)
    await owner.execute('ANALYZE "case", case_event')
    await owner.close()
    statements = {
        f'SELECT * FROM "case" WHERE desk_id = {desk} AND number = ANY (ARRAY[3])': "uq_case_desk_id_number",
        f'SELECT * FROM "case" WHERE desk_id = {desk} ORDER BY updated_at DESC, number DESC LIMIT 25': (
            "ix_case_desk_id_updated_at"
        ),
        f"SELECT * FROM case_event WHERE case_id = '{one}' AND seq > 3 ORDER BY seq LIMIT 100": "pk_case_event",
        "SELECT * FROM case_event WHERE actor_email = 'r7' ORDER BY position DESC LIMIT 1": (
            "ix_case_event_actor_email_position"
        ),
    }
    for viewer in (STAFF, Viewer(email="r7", accounts=["a7"])):
        async with small.read_as(Eyes(desk=desk, viewer=viewer, actor="x", who="x")) as session:
            for statement, index in statements.items():
                plan = "\n".join(await session.scalars(text(f"EXPLAIN {statement}")))
                assert index in plan, plan
                assert "Seq Scan" not in plan, plan


# ------------------------------------------------------------------------------------------ completeness


async def test_every_table_of_cases_has_its_wall(crowd: Crowd) -> None:
    """A new table that belongs to a case or a desk needs policies, or a reason to have none."""
    tables = {table.name for table in Base.metadata.tables.values() if {"case_id", "desk_id"} & set(table.c.keys())}
    walled = await _walled(crowd.world.settings)
    assert tables - walled - set(OPEN_TO_THE_API) == set(), "tables without row level security"
    assert set(OPEN_TO_THE_API) & walled == set(), "exempt, but walled"
    assert "case" in walled


async def test_no_table_is_without_rights_for_the_services(crowd: Crowd) -> None:
    async with crowd.world.database.write() as session:
        for table in Base.metadata.tables:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                allowed = text("SELECT has_table_privilege(current_user, quote_ident(:table), :right)")
                assert await session.scalar(allowed, {"table": table, "right": right}), (table, right)


async def _walled(settings: Settings) -> set[str]:
    """Tables whose policies bind even their owner, and that have one for each role."""
    connection = await asyncpg.connect(settings.database_url)
    rows = await connection.fetch(
        """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity
        AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polroles = ARRAY['casebound_api'::regrole::oid])
        """  # noqa: E501
    )
    await connection.close()
    return {row["relname"] for row in rows}


async def _desk_id(crowd: Crowd) -> int:
    async with crowd.world.database.read() as session:
        return (await session.scalars(select(Case.desk_id).limit(1))).one()


async def _count(session: Any) -> int:
    return int(await session.scalar(select(func.count()).select_from(Case)))
