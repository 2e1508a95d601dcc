"""The relay: publishes what is committed, in order for each case, exactly by one process at a time.

The event log is the outbox: rows of ``case_event`` without ``published_at``. Whoever holds an advisory lock is the
relay; it is woken by NOTIFY and looks by itself every second. A case's next event goes out only when the stream has
acknowledged the one before, so a broken connection can repeat an event (the stream drops it by its id) but never put
two of a case in the wrong order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import asyncpg
import nats.errors
import orjson
from nats.js.errors import APIError, NoStreamResponseError

from shared.contracts.events import CaseEvent, encode, to_cloud_event
from shared.contracts.subjects import CASES_STREAM, case_event
from shared.db.cases import policy_of
from shared.db.roles import Role
from shared.messaging import Bus, ensure_topology, publish
from shared.processes import stop_if_cancelled
from shared.telemetry import SpanKind, current_traceparent, get_logger, span
from shared.telemetry.metrics import relay_backlog, relay_lag_seconds

COMMITTED_CHANNEL = "casebound_committed"
RELAY_LOCK = 0x_CA5E_0002
BATCH = 500
LOOK_EVERY = 1.0
"""Seconds after which the relay looks even though nobody woke it, and a bystander tries to become the relay."""
GATHER_SECONDS, GATHER_SECONDS_AT_MOST = 0.03, 0.12
"""For how long commits are gathered before the relay is woken: the longer, the more there were the last time. Whoever
waits for the answer to a command has it by then, for what follows takes the processor from what answers; and a round of
the relay and of all who follow costs about the same for many events as for one."""
RETRY_AFTER = 0.5
REPUBLISHED_AFTER_LOSS = timedelta(days=1)
"""How far back events are published again into a stream that was lost: what consumers had not handled is younger."""
REPUBLISH_SECONDS = 600
"""Of a busy day there may be millions."""

UNPUBLISHED = """
    SELECT e.case_id, e.seq, e.kind, e.at, e.actor, e.command_id, e.command, e.part, e.data, e.traceparent,
           e.recorded_at, coalesce(e.snapshot, c.state) AS snapshot, c.number, c.policy, d.slug, d.key
    FROM case_event e JOIN "case" c ON c.id = e.case_id JOIN desk d ON d.id = c.desk_id
    WHERE e.published_at IS NULL ORDER BY e.position LIMIT $1
"""
_PUBLISHED = """
    UPDATE case_event e SET published_at = now()
    FROM unnest($1::uuid[], $2::int[]) AS done(case_id, seq)
    WHERE e.case_id = done.case_id AND e.seq = done.seq
"""
REPUBLISH = "UPDATE case_event SET published_at = NULL WHERE published_at > now() - $1::interval"
_RIGHTS = Role.SERVICE.settings

_log = get_logger(__name__)


class Relay:
    """Publishes committed events.

    Args:
        dsn: ``postgresql://…``; the relay keeps a connection of its own, its lock lives and dies with it.
        bus: where to.
    """

    def __init__(self, dsn: str, bus: Bus) -> None:
        self._dsn = dsn
        self._bus = bus
        self._woken = asyncio.Event()
        self._stream_made: datetime | None = None
        self._in_doubt = True

    async def run(self) -> None:
        """Be the relay whenever no other process is; until cancelled."""
        self._bus.on_reconnect.add(self._doubt)
        try:
            await self._run()
        finally:
            self._bus.on_reconnect.discard(self._doubt)

    def _doubt(self) -> None:
        """The server that is back may have lost the stream, even if somebody else has made it anew by now."""
        self._in_doubt = True
        self._woken.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=30, server_settings=_RIGHTS)
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                _log.warning("the relay can't reach Postgres; trying again", error=str(error))
                await asyncio.sleep(LOOK_EVERY)
                continue
            try:
                await self._relay_through(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("the relay lost Postgres; trying again", error=str(error))
                await asyncio.sleep(RETRY_AFTER)
            finally:
                with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.close(timeout=2)

    async def _relay_through(self, connection: asyncpg.Connection[Any]) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK):
            await asyncio.sleep(LOOK_EVERY)
        _log.info("this process is the relay")
        await connection.add_listener(COMMITTED_CHANNEL, lambda *_: self._woken.set())
        self._in_doubt = True
        while True:
            stop_if_cancelled()
            self._woken.clear()
            try:
                if self._in_doubt:
                    await self._make_up_for_a_lost_stream(connection)
                published = await self._publish_some(connection)
            except NoStreamResponseError:
                self._in_doubt = True
                continue
            except (nats.errors.Error, APIError) as error:
                _log.warning("the relay can't publish; trying again", error=repr(error))
                await asyncio.sleep(RETRY_AFTER)
                continue
            if published < BATCH:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._woken.wait()

    async def _publish_some(self, connection: asyncpg.Connection[Any]) -> int:
        rows = await connection.fetch(UNPUBLISHED, BATCH)
        _measure(rows)
        done: list[asyncpg.Record] = []
        try:
            for wave in _waves(rows):
                results = await asyncio.gather(*(self._publish_one(row) for row in wave), return_exceptions=True)
                failures = [result for result in results if isinstance(result, BaseException)]
                done += [row for row, result in zip(wave, results, strict=True) if result is None]
                if failures:
                    raise failures[0]
        finally:
            if done:
                await connection.execute(_PUBLISHED, [row["case_id"] for row in done], [row["seq"] for row in done])
        _measure(())
        return len(rows)

    async def _publish_one(self, row: asyncpg.Record) -> None:
        subject = case_event(row["slug"], row["number"], row["kind"])
        with span("relay publish", kind=SpanKind.PRODUCER, parent=row["traceparent"]):
            event = _cloud_event(row, current_traceparent() or row["traceparent"])
            await publish(
                self._bus,
                subject,
                encode(event),
                message_id=event.id,
                headers={"traceparent": event.traceparent} if event.traceparent else None,
            )

    async def _make_up_for_a_lost_stream(self, connection: asyncpg.Connection[Any]) -> None:
        """NATS has lost its data if the stream is another than before, or empty beside published events.

        Consumers still wait for some of those.
        """
        while True:
            self._in_doubt = False
            try:
                await ensure_topology(self._bus)
                stream = await self._bus.js.stream_info(CASES_STREAM)
                break
            except (nats.errors.Error, APIError, ConnectionError) as error:
                _log.warning("the relay can't reach the stream; trying again", error=repr(error))
                await asyncio.sleep(RETRY_AFTER)
        another = self._stream_made is not None and self._stream_made != stream.created
        if another or stream.state.last_seq == 0:
            again = await connection.execute(REPUBLISH, REPUBLISHED_AFTER_LOSS, timeout=REPUBLISH_SECONDS)
            _log.info("the stream is new; recent events are published again", rows=again)
        self._stream_made = stream.created


class Waker:
    """Tells the relay, wherever it runs, that something was committed; many commits in a moment cost one NOTIFY.

    Not a NOTIFY inside the transaction: that would make all commits of the database queue behind each other.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._committed = asyncio.Event()
        self._commits = 0

    def __call__(self) -> None:
        self._commits += 1
        self._committed.set()

    async def run(self) -> None:
        """Until cancelled. Without Postgres nothing is lost: the relay looks by itself."""
        gathered = 1
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=10, server_settings=_RIGHTS)
                try:
                    while True:
                        await self._committed.wait()
                        await asyncio.sleep(min(GATHER_SECONDS * gathered, GATHER_SECONDS_AT_MOST))
                        self._committed.clear()
                        gathered, self._commits = self._commits, 0
                        await connection.execute(f"NOTIFY {COMMITTED_CHANNEL}")
                finally:
                    await connection.close(timeout=2)
            await asyncio.sleep(LOOK_EVERY)


def _waves(rows: Sequence[asyncpg.Record]) -> Iterator[list[asyncpg.Record]]:
    """Groups that may go out at once: at most one event of each case, and a case's events in order."""
    by_case: defaultdict[Any, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        by_case[row["case_id"]].append(row)
    for wave in zip_longest(*by_case.values()):
        yield [row for row in wave if row is not None]


def _cloud_event(row: asyncpg.Record, traceparent: str | None) -> CaseEvent:
    return to_cloud_event(
        desk=row["slug"],
        desk_key=row["key"],
        number=row["number"],
        case_id=str(row["case_id"]),
        policy=policy_of(row["policy"]),
        kind=row["kind"],
        seq=row["seq"],
        at=row["at"],
        actor=orjson.loads(row["actor"]),
        command_id=row["command_id"],
        command=row["command"],
        part=row["part"],
        data=orjson.loads(row["data"]),
        snapshot=orjson.loads(row["snapshot"]),
        traceparent=traceparent,
    )


def _measure(rows: Sequence[asyncpg.Record]) -> None:
    relay_backlog.set(len(rows))
    age = (datetime.now(UTC) - rows[0]["recorded_at"]).total_seconds() if rows else 0.0
    relay_lag_seconds.set(max(0.0, age))
