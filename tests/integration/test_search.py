"""The search service on real Postgres and NATS."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from sqlalchemy import delete, select, update

from services.search import indexer as indexer_module
from services.search import main
from services.search.feed import Feed
from services.search.index import CaseDocument, IndexBrokenError
from services.search.index_directory import IndexDirectory
from services.search.indexer import Indexer
from services.search.live_index import LiveIndex
from services.search.reindex_command import ReindexError
from services.search.reindex_command import run as reindex
from services.search.source import read_cases
from shared import telemetry
from shared.contracts.events import EVENTS, CaseEvent, details, event_id, event_source, event_type
from shared.contracts.search import After, SearchAnswer, SearchQuery, Viewer
from shared.contracts.subjects import CASES_STREAM, SEARCH_QUERY, case_event
from shared.db import models
from shared.db.engine import Database
from shared.domain import events as domain
from shared.domain.case import Actor, ActorKind, Resolution, Survey
from shared.messaging import Bus, connect, ensure_topology, list_dead, publish
from shared.settings import Settings
from shared.telemetry.span_store import SpanStore
from tests.contract import search_oracle as oracle

STAFF = Viewer(staff=True, email="ada@vendor.example")
BOB = Viewer(email="bob@acme.example")
ADA = Actor(kind=ActorKind.STAFF, email="ada@vendor.example", name="Ada Vendor")
MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PATIENCE = 20.0
T = TypeVar("T")


class World:
    """Writes cases and events as the recorder and the relay would."""

    def __init__(self, settings: Settings, database: Database, bus: Bus) -> None:
        self.settings = settings
        self.database = database
        self.bus = bus

    async def add_desk(self, slug: str | None = None, key: str = "CON") -> str:
        slug = slug or f"desk-{uuid.uuid4().hex[:8]}"
        async with self.database.write() as session:
            session.add(
                models.Desk(
                    slug=slug, name=slug, key=key, profile="standard", policy={}, policy_version=1, timezone="UTC",
                    workdays=[], holidays=[], products=[], case_types=[], severities=list(oracle.SEVERITIES),
                    contacts=[],
                )
            )  # fmt: skip
        return slug

    async def add(self, cases: Iterable[CaseDocument], *, tell: bool = True) -> list[CaseDocument]:
        """Insert cases with the events that make them so, on desks that exist."""
        cases = list(cases)
        async with self.database.write() as session:
            desks = dict((await session.execute(select(models.Desk.slug, models.Desk.id))).all())
            session.add_all(_case_row(case, desks[case.desk]) for case in cases)
            await session.flush()
            for case in cases:
                session.add_all(
                    _event_row(case.id, event) for event in (_opened(case), _noted(case)) if event is not None
                )
        if tell:
            for case in cases:
                await self.tell(case, case.seq)
        return cases

    async def happen(self, case: CaseDocument, event: domain.Event, *, tell: bool = True) -> None:
        """Record an event of a case."""
        async with self.database.write() as session:
            session.add(_event_row(case.id, event))
            await session.execute(
                update(models.Case)
                .where(models.Case.id == uuid.UUID(case.id))
                .values(seq=event.seq, updated_at=event.at)
            )
        if tell:
            await self.tell(case, event.seq, event.kind)

    async def tell(self, case: CaseDocument, seq: int, kind: str = "opened", traceparent: str | None = None) -> None:
        """Publish an event, again if it has been published before."""
        told = CaseEvent.model_validate(
            {
                "id": event_id(case.id, seq),
                "source": event_source(case.desk, case.number),
                "type": event_type(kind),
                "time": MOMENT,
                "traceparent": traceparent,
                "data": {
                    "seq": seq,
                    "actor": ADA,
                    "command_id": "c",
                    "command": "x",
                    "part": 0,
                    "case": _snapshot(case),
                },
            }
        )
        await publish(self.bus, case_event(case.desk, case.number, kind), told.model_dump_json().encode())

    async def ask(self, query: SearchQuery | bytes) -> SearchAnswer:
        data = query if isinstance(query, bytes) else query.model_dump_json().encode()
        return SearchAnswer.model_validate_json((await self.bus.nc.request(SEARCH_QUERY, data, timeout=10)).data)

    async def find(self, desk: str, q: str = "", viewer: Viewer = STAFF, **more: object) -> SearchAnswer:
        answer = await self.ask(SearchQuery.model_validate({"desk": desk, "q": q, "viewer": viewer} | more))
        assert answer.error is None
        return answer

    async def until_found(self, desk: str, q: str, total: int) -> SearchAnswer:
        async def found() -> SearchAnswer | None:
            answer = await self.find(desk, q)
            return answer if answer.total == total else None

        return await eventually(found)


@pytest_asyncio.fixture(loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[World]:
    database, bus = Database(servers.database_url), await connect(servers, "test")
    await ensure_topology(bus)
    yield World(servers, database, bus)
    await bus.close()
    await database.close()


@asynccontextmanager
async def service(world: World, directory: Path) -> AsyncIterator[None]:
    """The search service on an index directory, from its first answer on."""
    stop = asyncio.Event()
    settings = world.settings.model_copy(update={"search_index_dir": directory, "metrics_port": None})
    serving = asyncio.create_task(main.serve(settings, stop))
    try:
        await answering(world, serving)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(serving, PATIENCE)


async def answering(world: World, serving: asyncio.Task[None] | None = None) -> None:
    async def answers() -> bool:
        if serving and serving.done():
            serving.result()
        with contextlib.suppress(Exception):
            return (await world.ask(SearchQuery(desk="none", viewer=STAFF))).error is None
        return False

    await eventually(answers)


async def eventually(check: Callable[[], Awaitable[T | None]]) -> T:
    """The first truthy answer."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await check()):
            await asyncio.sleep(0.02)
    return found


def copy_name(directory: Path) -> str:
    return (directory / "current").read_text()


def copies(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.is_dir()]


def one_case(desk: str, number: int = 1, **changes: Any) -> CaseDocument:
    (case,) = oracle.random_cases(random.Random(number), 1)
    plain: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "desk": desk,
        "key": "CON",
        "number": number,
        "seq": 1,
        "internal": "",
    }
    people = {"people": ["bob@acme.example"], "names": []}
    return dataclasses.replace(case, **(plain | people | changes))


def comment(seq: int, body: str) -> domain.Event:
    return domain.Commented(seq=seq, at=MOMENT, actor=ADA, command_id=f"c{seq}", command="comment", body=body)


# --- what is found -------------------------------------------------------------------------------------------------


async def test_random_cases_and_queries_agree_with_the_oracle(world: World, tmp_path: Path) -> None:
    rng = random.Random(7)
    suffix = uuid.uuid4().hex[:6]
    desks = {slug: await world.add_desk(f"{slug}-{suffix}", key) for slug, key in oracle.DESKS.items()}
    cases = [dataclasses.replace(case, desk=desks[case.desk]) for case in oracle.random_cases(rng, 260)]
    cases = [dataclasses.replace(case, seq=2 if case.internal else 1) for case in cases]
    async with world.database.write() as session:
        session.add_all(models.Person(email=email, name=name) for email, name in oracle.NAMES.items())
    async with service(world, tmp_path):
        await world.add(cases, tell=False)
        for case in rng.sample(cases, len(cases)):  # in any order, some twice, some late
            for seq in rng.choices((1, case.seq), k=rng.choice((1, 2))):
                await world.tell(case, seq)
        for slug in desks.values():
            await world.until_found(slug, "", sum(case.desk == slug for case in cases))
        for _ in range(250):
            query = oracle.random_query(rng, desk=rng.choice(list(desks.values())))
            expected, answer = oracle.matches(cases, query), await world.ask(query)
            assert (answer.error, answer.stale, answer.total) == (None, False, len(expected)), query
            assert answer.numbers == oracle.page(expected, query), query
            assert answer.facets == oracle.facets(expected), query
    async with world.database.write() as session:
        await session.execute(delete(models.Person).where(models.Person.email.in_(oracle.NAMES)))


def every_event() -> list[domain.Event]:
    """One event of each kind; whatever a person could have written is a word of its own."""
    common: dict[str, Any] = {"at": MOMENT, "actor": ADA, "command": "x"}
    made: list[Callable[..., domain.Event]] = [
        lambda **kw: domain.Opened(subject="s", description="wopened", reporter="bob@acme.example", **kw),
        lambda **kw: domain.Commented(body="wcommented", **kw),
        lambda **kw: domain.Noted(body="wnoted", **kw),
        lambda **kw: domain.Assigned(assignee="wassigned", **kw),
        lambda **kw: domain.Edited(changes=(domain.Change(field="type", before="wbefore", after="wafter"),), **kw),
        lambda **kw: domain.Escalated(comment="wescalated", **kw),
        domain.AwaitingCustomer,
        domain.Resumed,
        lambda **kw: domain.ClosureRequested(comment="wclosurerequested", **kw),
        lambda **kw: domain.Resolved(
            resolution=Resolution(resolution_type="wtype", summary="wsummary", root_cause="wrootcause"), **kw
        ),
        lambda **kw: domain.Accepted(survey=Survey(q1="wsurvey", q2=2), **kw),
        lambda **kw: domain.Rejected(reason="wrejected", **kw),
        lambda **kw: domain.Closed(reason="no_answer", comment="wclosed", **kw),
        lambda **kw: domain.Reopened(reason="wreopened", **kw),
        domain.Sealed,
        lambda **kw: domain.FollowedUp(number=3, **kw),
        lambda **kw: domain.Attached(attachments=("wattached",), **kw),
        lambda **kw: domain.AttachmentRemoved(attachment="wremoved", **kw),
        lambda **kw: domain.Surveyed(survey=Survey(q1="wsurveyed", q2=2), **kw),
        lambda **kw: domain.CommandRejected(rejected="wcommand", code="wcode", detail="wdetail", **kw),
    ]
    return [make(seq=seq, command_id=f"c{seq}", **common) for seq, make in enumerate(made, 1)]


async def test_what_people_wrote_is_read_from_every_kind_of_event(world: World) -> None:
    happened = every_event()
    assert {event.kind for event in happened} == set(EVENTS.json_schema()["discriminator"]["mapping"])
    case = one_case(await world.add_desk(), text="wopened")
    await world.add([case], tell=False)
    for event in happened[1:]:
        await world.happen(case, event, tell=False)
    (read,) = await read_cases(world.database, [uuid.UUID(case.id)])
    public = [event for event in happened if event.kind not in domain.STAFF_ONLY]
    internal = [event for event in happened if event.kind in domain.STAFF_ONLY]
    assert read.text.split() == " ".join(map(domain.text_of, public)).split()
    assert read.internal.split() == " ".join(map(domain.text_of, internal)).split() == ["wnoted"]
    assert (read.seq, read.people, read.internal_reference) == (len(happened), case.people, case.internal_reference)
    assert read.recorded_at is not None


async def test_a_note_is_found_by_staff_alone(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, seq=2, internal="litigious customer")])
        await world.until_found(desk, "litigious", 1)
        assert (await world.find(desk, "", BOB)).total == 1
        for q in ("litigious", "litig"):
            hidden = await world.find(desk, q, BOB)
            assert (hidden.total, hidden.numbers, any(hidden.facets.values())) == (0, [], False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"desk":"d","viewer":{"staff":true},"page":0}',
        b'{"desk":"d","viewer":{"staff":true},"sort":"colour"}',
        b'{"desk":"d","viewer":{"staff":true},"q":"\\ud800"}',
    ],
)
async def test_a_malformed_query_is_answered_with_what_is_wrong(shared_service: World, data: bytes) -> None:
    answer = await shared_service.ask(data)
    assert answer.error
    assert (answer.numbers, answer.total) == ([], 0)


async def test_odd_input_is_answered(shared_service: World) -> None:
    rng = random.Random(11)
    for _ in range(300):
        odd = "".join(rng.choice("\"'()[]{}*?~^:\\/+-!&|<> aé日\u0301🙂\0\n1") for _ in range(rng.randrange(30)))
        answer = await shared_service.find(odd, odd, Viewer(staff=rng.random() < 0.5, email=odd, accounts=[odd]))
        assert answer.total == 0


@pytest_asyncio.fixture(loop_scope="session")
async def shared_service(world: World, tmp_path: Path) -> AsyncIterator[World]:
    async with service(world, tmp_path):
        yield world


# --- waiting for one's own event -----------------------------------------------------------------------------------


async def test_after_waits_until_the_index_knows_the_event(shared_service: World) -> None:
    world = shared_service
    desk = await world.add_desk()
    (case,) = await world.add([one_case(desk)])
    for seq in range(2, 12):
        await world.happen(case, comment(seq, f"comment{seq}"))
        answer = await world.find(desk, f"comment{seq}", after=After(case_id=case.id, seq=seq))
        assert (answer.total, answer.stale) == (1, False)


async def test_after_gives_up_in_time_and_says_so(shared_service: World) -> None:
    world = shared_service
    desk = await world.add_desk()
    (case,) = await world.add([one_case(desk)])
    await world.until_found(desk, "", 1)
    started = asyncio.get_running_loop().time()
    missing = [After(case_id=case.id, seq=2), After(case_id="no uuid at all", seq=1)]
    answers = await asyncio.gather(*(world.find(desk, after=after) for after in missing))
    assert [(answer.stale, answer.total) for answer in answers] == [(True, 1), (True, 1)]
    assert 1.9 < asyncio.get_running_loop().time() - started < 4


# --- events that are late, double, useless -------------------------------------------------------------------------


async def test_events_may_come_twice_late_and_for_nothing(shared_service: World) -> None:
    world = shared_service
    desk = await world.add_desk()
    (case,) = await world.add([one_case(desk)])
    for seq in (2, 3):
        await world.happen(case, comment(seq, f"comment{seq}"))
    await world.until_found(desk, "comment3", 1)
    for seq in (3, 1, 2, 2):
        await world.tell(case, seq)
    await world.tell(one_case(desk, 77), 1)  # never recorded
    await publish(world.bus, case_event(desk, 78, "opened"), b'{"no": "event"}')
    dead = await eventually(lambda: _dead(world, desk))
    assert "not an event of a case" in dead[0].reason
    (last,) = await world.add([one_case(desk, 2)])
    await world.until_found(desk, "", 2)
    assert (await world.find(desk, "comment2")).numbers == [1]
    assert (await world.find(desk, after=After(case_id=last.id, seq=1))).stale is False


async def _dead(world: World, desk: str) -> list[Any]:
    return [letter for letter in await list_dead(world.bus) if desk in letter.subject]


async def test_a_case_with_much_text_is_not_read_again_for_every_comment(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    (case,) = await world.add([one_case(desk, text="long " * 200_000)], tell=False)
    reads: list[Collection[uuid.UUID]] = []

    async def read(ids: Collection[uuid.UUID]) -> list[CaseDocument]:
        reads.append(ids)
        return await read_cases(world.database, ids)

    async with following(world, tmp_path, read) as live:
        for seq in range(2, 42):
            await world.happen(case, comment(seq, f"comment{seq}"))
            await asyncio.sleep(0.05)
        assert await live.wait_for(case.id, 41, 2.0)
    assert 2 <= len(reads) <= 8


async def test_hints_outlast_an_outage_of_postgres(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_module, "_PAUSE_SECONDS", 0.05)
    desk = await world.add_desk()
    failures = 5
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")

    async def read(ids: Collection[uuid.UUID]) -> list[CaseDocument]:
        nonlocal failures
        failures -= 1
        return await read_cases(away if failures >= 0 else world.database, ids)

    async with following(world, tmp_path, read) as live:
        (case,) = await world.add([one_case(desk)])
        assert await live.wait_for(case.id, 1, PATIENCE)
    assert failures < 0
    await away.close()


async def test_a_case_that_cannot_be_indexed_does_not_hold_up_others(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    bad, good = one_case(desk, 1), one_case(desk, 2)

    async def read(ids: Collection[uuid.UUID]) -> list[CaseDocument]:
        if uuid.UUID(bad.id) in ids:
            raise ValueError("can't make a document of this")
        return await read_cases(world.database, ids)

    async with following(world, tmp_path, read) as live:
        await world.add([bad, good])
        assert await live.wait_for(good.id, 1, PATIENCE)
        assert live.seq_of(bad.id) == 0


@asynccontextmanager
async def following(
    world: World, directory: Path, read: Callable[[Collection[uuid.UUID]], Awaitable[list[CaseDocument]]]
) -> AsyncIterator[LiveIndex]:
    """An indexer on an empty index, with reading as the test wants it."""
    copies = IndexDirectory(directory)
    live = LiveIndex(copies, read)
    await live.begin()
    await live.exchange()
    feed = Feed(world.bus, copies)
    await feed.renew()
    indexer = Indexer(live)
    tasks = [asyncio.create_task(indexer.run()), asyncio.create_task(indexer.follow(world.bus, feed.durable))]
    try:
        yield live
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await live.close()


# --- stopping, starting, dying -------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, number) for number in range(1, 6)])
    name = copy_name(tmp_path)
    await world.add([one_case(desk, number) for number in range(6, 11)])
    async with service(world, tmp_path):
        await world.until_found(desk, "", 10)
    assert copy_name(tmp_path) == name


async def test_a_killed_service_comes_back_with_everything(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    process = await start_process(world, directory)
    await answering(world)
    await world.add([one_case(desk, 1)])
    await world.until_found(desk, "", 1)
    name = copy_name(directory)
    cases = [one_case(desk, number) for number in range(2, 60)]
    adding = asyncio.create_task(world.add(cases))
    await eventually(lambda: _some(world, desk))
    process.kill()
    await process.wait()
    await adding
    process = await start_process(world, directory)
    await world_answers_again(world, desk, 59)
    assert copy_name(directory) == name
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def _some(world: World, desk: str) -> bool:
    return (await world.find(desk)).total > 1


async def world_answers_again(world: World, desk: str, total: int) -> None:
    await answering(world)
    await world.until_found(desk, "", total)


async def start_process(world: World, directory: Path) -> asyncio.subprocess.Process:
    settings = {
        "CASEBOUND_DATABASE_URL": world.settings.database_url,
        "CASEBOUND_NATS_URL": world.settings.nats_url,
        "CASEBOUND_SEARCH_INDEX_DIR": str(directory),
        "CASEBOUND_DATA_DIR": str(directory.parent),
    }
    program = "from shared.settings import load_settings; from services.search.main import run; run(load_settings())"
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=os.environ | settings)


async def test_an_index_whose_consumer_is_gone_is_built_anew(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
    name, node = copy_name(tmp_path), _node(tmp_path)
    await world.bus.js.delete_consumer(CASES_STREAM, f"indexer-{node}")
    await world.add([one_case(desk, 2)])
    async with service(world, tmp_path):
        await world.until_found(desk, "", 2)
        assert copy_name(tmp_path) != name
        assert _node(tmp_path) != node
    assert copies(tmp_path) == [copy_name(tmp_path)]


def _node(directory: Path) -> str:
    return str(json.loads((directory / "node.json").read_text())["id"])


async def test_a_consumer_lost_while_running_costs_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_CHECK_SECONDS", 0.1)
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)], tell=False)  # its event is among those that NATS loses
        await world.bus.js.delete_consumer(CASES_STREAM, f"indexer-{_node(tmp_path)}")
        await world.until_found(desk, "", 1)
        await world.add([one_case(desk, 2)])
        await world.until_found(desk, "", 2)


@pytest.mark.parametrize("damage", ["deleted", "emptied", "flipped"])
async def test_a_damaged_index_is_built_anew_at_the_start(world: World, tmp_path: Path, damage: str) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    async with service(world, directory):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
    copy = directory / copy_name(directory)
    if damage == "deleted":
        shutil.rmtree(directory)
    elif damage == "emptied":
        (copy / "meta.json").write_bytes(b"")
    else:
        terms = next(copy.glob("*.term"))
        content = bytearray(terms.read_bytes())
        content[len(content) // 2] ^= 1
        terms.write_bytes(content)
    async with service(world, directory):
        await world.until_found(desk, "", 1)
        assert copy_name(directory) != copy.name


async def test_an_index_deleted_under_a_running_service_is_built_anew(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    async with service(world, directory):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
        shutil.rmtree(directory)
        await world.add([one_case(desk, 2)])
        await world.until_found(desk, "", 2)
        assert (directory / copy_name(directory) / "meta.json").exists()


# --- building anew -------------------------------------------------------------------------------------------------


async def test_the_old_index_answers_and_follows_while_a_new_one_is_built(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.rebuild._BATCH", 20)
    desk = await world.add_desk()
    async with service(world, tmp_path):
        cases = await world.add([one_case(desk, number) for number in range(1, 201)])
        await world.until_found(desk, "", 200)
        name = copy_name(tmp_path)
        building = asyncio.create_task(asyncio.to_thread(reindex, world.settings, None))
        totals, during = set[int](), 0
        while not building.done():
            case = cases[during % len(cases)]
            during += 1
            await world.happen(case, comment(1 + during, f"during{during}"))
            answer = await world.find(desk, after=After(case_id=case.id, seq=1 + during))
            totals.add(answer.total)
            assert not answer.stale
        await building
        assert during >= 3
        assert totals == {200}
        assert copy_name(tmp_path) != name
        assert (await world.find(desk, "during")).total == min(during, 200)
    assert copies(tmp_path) == [copy_name(tmp_path)]


async def test_one_desk_is_indexed_again_in_place(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, other = await world.add_desk(), await world.add_desk()
    async with service(world, tmp_path):
        name = copy_name(tmp_path)
        await world.add([one_case(desk, 1), one_case(other, 1)], tell=False)
        await asyncio.to_thread(reindex, world.settings, desk)
        assert copy_name(tmp_path) == name
        assert (await world.find(desk)).total == 1
        assert (await world.find(other)).total == 0
        assert "1/1" in capsys.readouterr().out
        with pytest.raises(ReindexError, match="there is no desk 'nowhere'"):
            await asyncio.to_thread(reindex, world.settings, "nowhere")


async def test_reindex_says_so_when_no_search_service_runs(world: World) -> None:
    with pytest.raises(ReindexError, match="no search service answers; start it"):
        await asyncio.to_thread(reindex, world.settings, None)


async def test_a_rebuild_that_fails_leaves_the_old_index(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
        name = copy_name(tmp_path)

        def full(_self: IndexDirectory) -> None:
            raise IndexBrokenError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(IndexDirectory, "create", full)
            with pytest.raises(ReindexError, match="no space left on device; the index is as it was"):
                await asyncio.to_thread(reindex, world.settings, None)
        assert (await world.find(desk)).total == 1
        assert copy_name(tmp_path) == name


# --- seen from outside ---------------------------------------------------------------------------------------------


async def test_every_event_has_a_span_in_its_own_trace(world: World, tmp_path: Path) -> None:
    store = tmp_path / "spans.sqlite"
    desk = await world.add_desk()
    traces = [uuid.uuid4().hex for _ in range(3)]
    active = telemetry.setup("search", Settings(span_store=store))
    try:
        async with service(world, tmp_path / "index"):
            cases = await world.add([one_case(desk, number) for number in range(1, 4)], tell=False)
            for case, trace in zip(cases, traces, strict=True):
                await world.tell(case, 1, traceparent=f"00-{trace}-b7ad6b7169203331-01")
            await world.until_found(desk, "", 3)
    finally:
        active.shutdown()
    with contextlib.closing(SpanStore(store)) as reader:
        for trace in traces:
            (span,) = [span for span in reader.trace(trace) if span.name == "search index"]
            assert (span.kind, span.parent_id, span.service) == ("consumer", "b7ad6b7169203331", "casebound-search")


# --- rows ----------------------------------------------------------------------------------------------------------


def _case_row(case: CaseDocument, desk_id: int) -> models.Case:
    reporter, contact, *cc = (*case.people, None) if len(case.people) == 1 else case.people
    return models.Case(
        id=uuid.UUID(case.id), desk_id=desk_id, number=case.number, policy={}, policy_version=1,
        state={"internal_reference": case.internal_reference}, description=case.text, seq=case.seq, status=case.status,
        subject=case.subject, product=case.product, type=case.type, severity=case.severity, impact=case.impact,
        account=case.account, reporter=reporter, contact=contact, cc=cc, assignee=case.assignee,
        created_at=case.created_at, updated_at=case.updated_at,
    )  # fmt: skip


def _opened(case: CaseDocument) -> domain.Event:
    return domain.Opened(
        seq=1, at=case.created_at, actor=ADA, command_id="c1", command="open", subject=case.subject,
        description=case.text, reporter=case.people[0],
    )  # fmt: skip


def _noted(case: CaseDocument) -> domain.Event | None:
    if not case.internal:
        return None
    return domain.Noted(seq=2, at=MOMENT, actor=ADA, command_id="c2", command="comment", body=case.internal)


def _event_row(case_id: str, event: domain.Event) -> models.CaseEvent:
    return models.CaseEvent(
        case_id=uuid.UUID(case_id), seq=event.seq, kind=event.kind, at=event.at, actor={}, actor_email=None,
        command_id=event.command_id, command=event.command, part=event.part, data=details(event), traceparent=None,
    )  # fmt: skip


def _snapshot(case: CaseDocument) -> dict[str, Any]:
    people: Sequence[str] = case.people
    kept = ("id", "desk", "number", "subject", "status", "product", "type", "severity", "impact", "account", "assignee")
    more = {"key": f"{case.key}-{case.number}", "status_label": case.status, "environment": None, "contact": None}
    rest: dict[str, Any] = {
        "cc": [],
        "reporter": people[0],
        "internal_reference": None,
        "sealed": False,
        "seq": case.seq,
    }
    times = {"created_at": case.created_at, "updated_at": case.updated_at}
    return {name: getattr(case, name) for name in kept} | more | rest | times
