"""The search service on real Postgres and NATS: what it finds, and how it follows events."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from sqlalchemy import delete

from services.search import indexer as indexer_module
from services.search.feed import Feed
from services.search.index import CaseDocument
from services.search.index_directory import IndexDirectory
from services.search.indexer import Indexer
from services.search.live_index import LiveIndex
from services.search.source import read_cases
from shared import telemetry
from shared.contracts.events import EVENTS
from shared.contracts.search import After, Viewer
from shared.contracts.subjects import case_event
from shared.db import models
from shared.db.engine import Database
from shared.domain import events as domain
from shared.domain.case import Resolution, Survey
from shared.messaging import list_dead, publish
from shared.settings import Settings
from shared.telemetry.span_store import SpanStore
from tests.contract import search_oracle as oracle
from tests.search_world import (
    ADA,
    BOB,
    MOMENT,
    World,
    comment,
    one_case,
    open_world,
    service,
)
from tests.waiting import PATIENCE, until


@pytest_asyncio.fixture(loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[World]:
    async with open_world(servers) as opened:
        yield opened


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
            assert answer.facets == oracle.facets(cases, query), query
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
        lambda **kw: domain.NoteAttachmentRemoved(attachment="wremoved", **kw),
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
    lag = REGISTRY.get_sample_value("casebound_index_lag_seconds")
    assert lag is not None
    assert 0 < lag < PATIENCE


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
    dead = await until(lambda: _dead(world, desk))
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
