"""Reading cases from the record."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, Integer, Row, any_, bindparam, select

from services.api.callers import Caller
from services.api.problems import Problem, not_found
from services.api.visibility import SEEN, seen_by
from shared.contracts.events import STATES
from shared.db.cases import POLICIES
from shared.db.engine import Reader
from shared.db.models import Case, Person
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


async def find_case(session: Reader, caller: Caller, number: str | int) -> CaseRecord:
    """A case that the caller may see.

    Args:
        session: for reading.
        caller: through whose eyes.
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
    _row.id, _row.number, _row.policy, _row.policy_version, _row.state, _row.description, _row.clock_offset
).where(_row.desk_id == bindparam("desk"), _row.number == any_(bindparam("numbers", type_=ARRAY(Integer))), SEEN)


async def find_cases(session: Reader, caller: Caller, numbers: Collection[int]) -> list[CaseRecord]:
    """Those of the cases that the caller may see, in the order of ``numbers``."""
    wanted = {"desk": caller.desk.id, "numbers": [number for number in numbers if number < 2**31]}
    found = await session.execute(_FIND, wanted | seen_by(caller.viewer))
    records = {row.number: _case_record(row) for row in found}
    return [records[number] for number in numbers if number in records]


def _case_record(row: Row[*tuple[Any, ...]]) -> CaseRecord:
    return CaseRecord(
        id=row.id,
        number=row.number,
        policy=POLICIES.validate_python(row.policy),
        policy_version=row.policy_version,
        state=STATES.validate_python(row.state),
        description=row.description,
        clock_offset=row.clock_offset,
    )


async def names_of(session: Reader, records: Iterable[CaseRecord]) -> dict[str, str]:
    """Names of the people on these cases, by address; those we know."""
    addresses = {
        address
        for record in records
        for address in (record.state.reporter, record.state.contact, record.state.assignee, *record.state.cc)
        if address
    }
    found = await session.execute(select(Person.email, Person.name).where(Person.email.in_(addresses)))
    return {row.email: row.name for row in found}
