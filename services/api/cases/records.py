"""Reading cases from the record."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    CompoundSelect,
    Integer,
    Row,
    Text,
    any_,
    bindparam,
    cast,
    false,
    null,
    select,
    true,
    union_all,
)

from services.api.callers import Caller
from services.api.problems import Problem, not_found
from services.api.visibility import SEEN, seen_by
from shared.contracts.events import STATES
from shared.db.cases import policy_of
from shared.db.models import Account, Case, Person
from shared.db.viewed import Sight
from shared.domain.case import CaseState
from shared.domain.policy import Policy

_NUMBER = re.compile(r"(?:(?P<key>[^-]+)-)?(?P<number>\d{1,9})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRecord:
    """A case as the record has it."""

    id: uuid.UUID
    number: int
    policy: Policy
    policy_version: int
    state: CaseState
    description: str
    clock_offset: timedelta

    @property
    def now(self) -> datetime:
        """The time by the case's own clock, which ``casebound fast-forward`` moves."""
        return datetime.now(UTC) + self.clock_offset


async def find_case(session: Sight, caller: Caller, number: str | int) -> CaseRecord:
    """A case that the caller may see.

    Args:
        session: looks through the caller's eyes.
        caller: who asks.
        number: from the address, as ``12`` or ``CON-12``.

    Raises:
        Problem: 404, the same whether it does not exist or may not be seen.
    """
    match = _NUMBER.fullmatch(str(number))
    if match is None or (match["key"] or caller.desk.key).upper() != caller.desk.key.upper():
        raise _no_case(number)
    found = await find_cases(session, caller, [int(match["number"])])
    if not found:
        raise _no_case(number)
    return found[0]


def _no_case(number: str | int) -> Problem:
    return not_found(f"case {str(number)[:40]} on this desk")


_row = Case.__table__.c
_FIND = select(
    _row.id,
    _row.number,
    cast(_row.policy, Text).label("policy"),
    _row.policy_version,
    _row.state,
    _row.description,
    _row.clock_offset,
).where(_row.desk_id == bindparam("desk"), _row.number == any_(bindparam("numbers", type_=ARRAY(Integer))), SEEN)
_SEEN_NUMBERS = _FIND.with_only_columns(_row.number)


async def find_cases(session: Sight, caller: Caller, numbers: Collection[int]) -> list[CaseRecord]:
    """Those of the cases that the caller may see, in the order of ``numbers``, with no links to others."""
    wanted = {"desk": caller.desk.id, "numbers": [number for number in numbers if number < 2**31]}
    found = await session.execute(_FIND, wanted | seen_by(caller.viewer))
    records = {row.number: _case_record(row) for row in found}
    if caller.is_customer:
        records = await _linked_to_what_is_seen(session, caller, records)
    return [records[number] for number in numbers if number in records]


async def _linked_to_what_is_seen(
    session: Sight, caller: Caller, records: Mapping[int, CaseRecord]
) -> dict[int, CaseRecord]:
    """The cases without the links to follow-ups, or from them, that the caller may not see."""
    linked = {each for record in records.values() for each in (record.state.follow_up_of, *record.state.follow_ups)}
    hidden = await unseen(session, caller, linked - records.keys())
    return {number: _without_links(record, hidden) for number, record in records.items()} if hidden else dict(records)


async def unseen(session: Sight, caller: Caller, numbers: Iterable[int | None]) -> frozenset[int]:
    """Those of the desk's cases that the caller may not see; None is no case."""
    asked = frozenset(number for number in numbers if number is not None)
    if not asked or not caller.is_customer:
        return frozenset()
    wanted = {"desk": caller.desk.id, "numbers": list(asked)}
    seen = await session.execute(_SEEN_NUMBERS, wanted | seen_by(caller.viewer))
    return asked - {row.number for row in seen}


def _without_links(record: CaseRecord, hidden: Collection[int]) -> CaseRecord:
    state = record.state
    follow_ups = tuple(number for number in state.follow_ups if number not in hidden)
    follow_up_of = None if state.follow_up_of in hidden else state.follow_up_of
    return replace(record, state=replace(state, follow_ups=follow_ups, follow_up_of=follow_up_of))


def _case_record(row: Row[*tuple[Any, ...]]) -> CaseRecord:
    case_id, number, policy, version, state, description, clock_offset = row
    return CaseRecord(
        id=case_id,
        number=number,
        policy=policy_of(policy),
        policy_version=version,
        state=STATES.validate_python(state),
        description=description,
        clock_offset=clock_offset,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """What people and accounts on cases are called, and how people are reached; those we know.

    Args:
        people: names by mail address.
        phones: telephone numbers by mail address.
        accounts: names by key.
    """

    people: Mapping[str, str]
    phones: Mapping[str, str]
    accounts: Mapping[str, str]


_NAMES: CompoundSelect[*tuple[Any, ...]] = union_all(
    select(true().label("person"), Person.email.label("key"), Person.name, Person.phone).where(
        Person.email == any_(bindparam("people", type_=ARRAY(Text)))
    ),
    select(false(), Account.key, Account.name, null()).where(
        Account.desk_id == bindparam("desk"), Account.key == any_(bindparam("accounts", type_=ARRAY(Text)))
    ),
)


async def names_of(session: Sight, caller: Caller, states: Collection[CaseState]) -> Names:
    """Names of the people and accounts on these cases of the caller's desk."""
    people = {each for state in states for each in (state.reporter, state.contact, state.assignee, *state.cc) if each}
    accounts = {state.account for state in states if state.account}
    wanted = {"desk": caller.desk.id, "people": list(people), "accounts": list(accounts)}
    rows = [tuple(row) for row in await session.execute(_NAMES, wanted)]
    return Names(
        people={key: name for person, key, name, _ in rows if person},
        phones={key: phone for _, key, _, phone in rows if phone},
        accounts={key: name for person, key, name, _ in rows if not person},
    )
