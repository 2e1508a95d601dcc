"""Lives of cases into the record, some thousand rows at a time, by as many processes as there are processors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final

import asyncpg
import orjson
import uvloop

from services.local.crowd.lives import SPAN, Life, World
from services.local.crowd.people import desk_file
from services.local.crowd.words import Texts
from services.workflows.rows import case_columns, event_columns
from shared.db.cases import POLICIES
from shared.db.roles import Role
from shared.domain import events as e
from shared.domain.policy import Policy
from shared.holiday_lists import build_calendar

CASES_AT_ONCE: Final = 1_000
"""Made and written in one transaction: some ten megabytes."""
_TOLD_LONG_AGO: Final = timedelta(days=2)
"""A relay whose stream is lost publishes the events of the last day again; generated ones are never told of."""
_SETTINGS: Final = Role.SERVICE.settings | {"temp_buffers": "32MB", "synchronous_commit": "off"}

_CASE = "id, number, seq, status, subject, product, type, severity, impact, account, reporter, contact, cc, assignee"
_CASE += ", created_at, updated_at, state, description"
_EVENT = "case_id, seq, kind, at, actor, actor_email, command_id, command, part, data, snapshot, recorded_at"
_EVENT += ", published_at"
# Row level security lets nobody copy into its tables: rows are copied beside them, and inserted from there.
_BESIDE: Final = f"""
    CREATE TEMP TABLE new_case ON COMMIT DROP AS SELECT {_CASE} FROM "case" WITH NO DATA;
    CREATE TEMP TABLE new_event ON COMMIT DROP AS SELECT {_EVENT} FROM case_event WITH NO DATA;
"""  # noqa: S608 - our own words, here and below
_INSERT_CASES: Final = f"""
    INSERT INTO "case" ({_CASE}, desk_id, policy, policy_version)
    SELECT {_CASE}, $1::integer, $2::jsonb, $3::integer FROM new_case
"""  # noqa: S608
_INSERT_EVENTS: Final = f"INSERT INTO case_event ({_EVENT}) SELECT {_EVENT} FROM new_event"  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """Cases to be generated.

    Args:
        url: of the database.
        desk: slug of a desk made by `desk_file`; ``desk_id``, ``policy`` and ``policy_version`` are its.
        seed: the same one makes the same cases.
        first: number of the first of ``cases`` cases.
        now: until when they live; aware UTC.
    """

    url: str
    desk: str
    desk_id: int
    policy: Policy
    policy_version: int
    seed: int
    first: int
    cases: int
    now: datetime


def world_of(crowd: Crowd) -> World:
    """What the crowd's cases have in common; takes a second to make."""
    desk = desk_file(crowd.desk)
    calendar = build_calendar(desk.calendar.timezone, desk.calendar.workdays, desk.calendar.holidays, crowd.now - SPAN)
    return World(desk, crowd.policy, calendar, Texts(), crowd.seed, crowd.now)


def lives(crowd: Crowd, world: World, start: int, count: int) -> Iterator[Life]:
    """So many of the crowd's lives, the one opened first being 0."""
    for place in range(start, min(start + count, crowd.cases)):
        yield world.life(crowd.first + place, (place + 0.5) / crowd.cases)


def write(crowd: Crowd, processes: int) -> Iterator[int]:
    """Make and write all cases; yields how many have been added each time some were."""
    starts = range(0, crowd.cases, CASES_AT_ONCE)
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (crowd,)) as pool:
        yield from pool.map(_write_some, starts)


_work: tuple[Crowd, World] | None = None
"""Of a process of the pool."""


def _begin(crowd: Crowd) -> None:
    global _work  # noqa: PLW0603
    _work = crowd, world_of(crowd)


def _write_some(start: int) -> int:
    if _work is None:
        raise RuntimeError("the process has not begun")
    crowd, world = _work
    return uvloop.run(_write(crowd, list(lives(crowd, world, start, CASES_AT_ONCE))))


async def _write(crowd: Crowd, made: Sequence[Life]) -> int:
    connection = await asyncpg.connect(crowd.url, timeout=10, server_settings=_SETTINGS)
    try:
        async with connection.transaction():
            await connection.execute(_BESIDE)
            cases = (_case(life) for life in made)
            await connection.copy_records_to_table("new_case", records=cases, columns=_CASE.split(", "))
            events = (row for life in made for row in _events(crowd, life))
            await connection.copy_records_to_table("new_event", records=events, columns=_EVENT.split(", "))
            policy = orjson.dumps(POLICIES.dump_python(crowd.policy, mode="json")).decode()
            await connection.execute(_INSERT_CASES, crowd.desk_id, policy, crowd.policy_version)
            await connection.execute(_INSERT_EVENTS)
    finally:
        await connection.close()
    return len(made)


def _case(life: Life) -> tuple[Any, ...]:
    opened = life.events[0]
    description = opened.description if isinstance(opened, e.Opened) else ""
    return _in_order(
        _CASE, case_columns(life.states[-1]) | {"id": life.id, "number": life.number, "description": description}
    )


def _events(crowd: Crowd, life: Life) -> Iterator[tuple[Any, ...]]:
    for event, after in zip(life.events, life.states, strict=True):
        told = {"case_id": life.id, "recorded_at": event.at, "published_at": min(event.at, crowd.now - _TOLD_LONG_AGO)}
        yield _in_order(_EVENT, event_columns(event, after) | told)


def _in_order(columns: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = (row[name] for name in columns.split(", "))
    return tuple(orjson.dumps(value).decode() if isinstance(value, dict) else value for value in values)
