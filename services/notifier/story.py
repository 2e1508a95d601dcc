"""What there is to tell: the events of one command, and the case right after them."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ARRAY, Row, Text, Uuid, any_, bindparam, cast, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.events import EVENTS, STATES
from shared.db.cases import policy_of
from shared.db.models import Attachment, Case, CaseEvent, Desk, Person, Staff
from shared.domain import events as e
from shared.domain.case import CaseState
from shared.domain.evolution import evolve
from shared.domain.policy import Policy

_Row = Row[*tuple[Any, ...]]
_CASES_REMEMBERED = 200
_STATES_REMEMBERED = 16
_remembered: OrderedDict[uuid.UUID, dict[int, CaseState]] = OrderedDict()
"""How cases were after the events told lately. What has happened never changes, and from there to the next event that
is told it is a short way; from the beginning, on a case with thousands of events, a long one."""


class NoSuchEventError(LookupError):
    """The database does not hold that event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskName:
    """What mails say of a desk."""

    slug: str
    name: str
    key: str
    timezone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One command's events and what a mail about them needs to know.

    Args:
        case_id: UUID of the case.
        number: the case's number on the desk.
        desk: the desk.
        policy: pinned to the case.
        state: the case right after the events.
        events: what the command caused, the first being what people are told about.
        names: people's names by address.
        files: names of the files that the events mention, by id.
        staff: addresses of the desk's staff among these people and the one who is told.
    """

    case_id: uuid.UUID
    number: int
    desk: DeskName
    policy: Policy
    state: CaseState
    events: tuple[e.Event, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    staff: frozenset[str] = frozenset()

    @property
    def told(self) -> e.Event:
        """The event that people are told about; the others follow from it."""
        return self.events[0]

    @property
    def key(self) -> str:
        """What people call the case, such as ``CON-12``."""
        return f"{self.desk.key}-{self.number}"

    def visible_to(self, recipient: str) -> tuple[e.Event, ...]:
        """The events that this person may read: internal notes are for staff (desk-rules standard 5)."""
        return tuple(event for event in self.events if event.kind not in e.STAFF_ONLY or recipient in self.staff)


_case, _event_row, _desk = Case.__table__.c, CaseEvent.__table__.c, Desk.__table__.c
_EVENT_COLUMNS: Final = (
    _event_row.seq,
    _event_row.kind,
    _event_row.at,
    _event_row.actor,
    _event_row.command_id,
    _event_row.command,
    _event_row.part,
    _event_row.data,
)
_first = CaseEvent.__table__.alias("first")
_COMMAND: Final = (
    select(
        *_EVENT_COLUMNS,
        *(
            _case.number,
            cast(_case.policy, Text).label("policy"),
            _case.state,
            _case.seq.label("latest"),
            _case.desk_id,
        ),
        *(_desk.slug, _desk.name, _desk.key, _desk.timezone),
    )
    .join_from(_first, CaseEvent, (_event_row.case_id == _first.c.case_id) & (_event_row.seq >= _first.c.seq))
    .join(Case, _case.id == _event_row.case_id)
    .join(Desk, _desk.id == _case.desk_id)
    .where(
        _first.c.case_id == bindparam("case"),
        _first.c.seq == bindparam("seq"),
        _event_row.command_id == _first.c.command_id,
    )
    .order_by(_event_row.seq)
)
"""The events of the command that led to the one with that number, from that one on; with each its case and desk."""
_BETWEEN: Final = (
    select(*_EVENT_COLUMNS)
    .where(
        _event_row.case_id == bindparam("case"),
        _event_row.seq > bindparam("start"),
        _event_row.seq <= bindparam("end"),
    )
    .order_by(_event_row.seq)
)
_PEOPLE: Final = select(
    Person.email, Person.name, exists().where(Staff.person_id == Person.id, Staff.desk_id == bindparam("desk"))
).where(Person.email == any_(bindparam("people", type_=ARRAY(Text))))
_FILES: Final = select(Attachment.id, Attachment.filename).where(
    Attachment.case_id == bindparam("case"), Attachment.id == any_(bindparam("files", type_=ARRAY(Uuid)))
)


async def load_story(connection: AsyncConnection, case_id: uuid.UUID, seq: int, recipient: str) -> Story:
    """Read what there is to tell somebody of an event.

    Raises:
        NoSuchEventError: the database does not hold it.
    """
    rows = (await connection.execute(_COMMAND, {"case": case_id, "seq": seq})).all()
    if not rows:
        raise NoSuchEventError(f"event {seq} of case {case_id} is not in the database")
    case = rows[0]
    events = tuple(map(_event, rows))
    state = await _state_after(connection, case_id, case, events[-1].seq)
    wanted = {"desk": case.desk_id, "people": [recipient, *_people(state, events)]}
    people = (await connection.execute(_PEOPLE, wanted)).all()
    return Story(
        case_id=case_id,
        number=case.number,
        desk=DeskName(slug=case.slug, name=case.name, key=case.key, timezone=case.timezone),
        policy=policy_of(case.policy),
        state=state,
        events=events,
        names={email: name for email, name, _ in people},
        files=await _files(connection, case_id, events),
        staff=frozenset(email for email, _, is_staff in people if is_staff),
    )


async def _state_after(connection: AsyncConnection, case_id: uuid.UUID, case: _Row, seq: int) -> CaseState:
    """The case as it was right after event ``seq``: the read model's state, unless more has happened since."""
    if case.latest == seq:
        return STATES.validate_python(case.state)
    known = _remembered.get(case_id, {})
    start = max((place for place in known if place <= seq), default=0)
    state = known.get(start)
    for row in await connection.execute(_BETWEEN, {"case": case_id, "start": start, "end": seq}):
        state = evolve(state, _event(row))
    if state is None:
        raise NoSuchEventError(f"case {case_id} has no events up to {seq}")
    _remember(case_id, seq, state)
    return state


def _remember(case_id: uuid.UUID, seq: int, state: CaseState) -> None:
    known = _remembered.setdefault(case_id, {})
    _remembered.move_to_end(case_id)
    known[seq] = state
    if len(known) > _STATES_REMEMBERED:
        del known[min(known)]
    if len(_remembered) > _CASES_REMEMBERED:
        _remembered.popitem(last=False)


def _event(row: _Row) -> e.Event:
    common: dict[str, Any] = {
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "command_id": row.command_id,
        "command": row.command,
        "part": row.part,
        "kind": row.kind,
    }
    return EVENTS.validate_python(row.data | common)


def _people(state: CaseState, events: Sequence[e.Event]) -> set[str]:
    mentioned = {state.reporter, state.contact, state.assignee, *state.cc, *(event.actor.email for event in events)}
    for event in events:
        match event:
            case e.Assigned():
                mentioned |= {event.assignee, event.previous}
            case e.Edited():
                mentioned |= {
                    value
                    for change in event.changes
                    for value in (change.before, change.after)
                    if isinstance(value, str)
                }
    return {address for address in mentioned if address}


async def _files(connection: AsyncConnection, case_id: uuid.UUID, events: Sequence[e.Event]) -> dict[str, str]:
    mentioned = {file for event in events for file in e.files_of(event)}
    if not mentioned:
        return {}
    wanted = {"case": case_id, "files": [uuid.UUID(file) for file in mentioned]}
    return {str(file): name for file, name in await connection.execute(_FILES, wanted)}
