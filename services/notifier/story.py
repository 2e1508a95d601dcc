"""What there is to tell: the events of one command, and the case right after them."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.directory import staff_of
from shared.contracts.events import EVENTS, STATES
from shared.db.cases import POLICIES
from shared.db.models import Attachment, Case, CaseEvent, Desk, Person
from shared.domain import events as e
from shared.domain.case import CaseState
from shared.domain.evolution import evolve
from shared.domain.policy import Policy

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
        staff: addresses of the desk's staff.
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


async def load_story(session: AsyncSession, case_id: uuid.UUID, seq: int) -> Story:
    """Read what there is to tell of an event.

    Raises:
        NoSuchEventError: the database does not hold it.
    """
    found = (
        await session.execute(select(Case, Desk).join(Desk, Desk.id == Case.desk_id).where(Case.id == case_id))
    ).one_or_none()
    events = await _events_of_command(session, case_id, seq)
    if found is None or not events:
        raise NoSuchEventError(f"event {seq} of case {case_id} is not in the database")
    case, desk = found
    state = await _state_after(session, case, events[-1].seq)
    people = _people(state, events)
    return Story(
        case_id=case_id,
        number=case.number,
        desk=DeskName(slug=desk.slug, name=desk.name, key=desk.key, timezone=desk.timezone),
        policy=POLICIES.validate_python(case.policy),
        state=state,
        events=events,
        names=await _names(session, people),
        files=await _files(session, case_id, events),
        staff=frozenset((await staff_of(session, {desk.slug}))[desk.slug]),
    )


async def _events_of_command(session: AsyncSession, case_id: uuid.UUID, seq: int) -> tuple[e.Event, ...]:
    command = select(CaseEvent.command_id).where(CaseEvent.case_id == case_id, CaseEvent.seq == seq).scalar_subquery()
    rows = await session.scalars(
        select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.command_id == command, CaseEvent.seq >= seq)
        .order_by(CaseEvent.seq)
    )
    return tuple(_event(row) for row in rows)


async def _state_after(session: AsyncSession, case: Case, seq: int) -> CaseState:
    """The case as it was right after event ``seq``: the read model's state, unless more has happened since."""
    if case.seq == seq:
        return STATES.validate_python(case.state)
    known = _remembered.get(case.id, {})
    start = max((place for place in known if place <= seq), default=0)
    state = known.get(start)
    rows = await session.scalars(
        select(CaseEvent)
        .where(CaseEvent.case_id == case.id, CaseEvent.seq > start, CaseEvent.seq <= seq)
        .order_by(CaseEvent.seq)
    )
    for row in rows:
        state = evolve(state, _event(row))
    if state is None:
        raise NoSuchEventError(f"case {case.id} has no events up to {seq}")
    _remember(case.id, seq, state)
    return state


def _remember(case_id: uuid.UUID, seq: int, state: CaseState) -> None:
    known = _remembered.setdefault(case_id, {})
    _remembered.move_to_end(case_id)
    known[seq] = state
    if len(known) > _STATES_REMEMBERED:
        del known[min(known)]
    if len(_remembered) > _CASES_REMEMBERED:
        _remembered.popitem(last=False)


def _event(row: CaseEvent) -> e.Event:
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


async def _names(session: AsyncSession, people: set[str]) -> dict[str, str]:
    rows = await session.execute(select(Person.email, Person.name).where(Person.email.in_(people)))
    return {row.email: row.name for row in rows}


async def _files(session: AsyncSession, case_id: uuid.UUID, events: Sequence[e.Event]) -> dict[str, str]:
    mentioned = {file for event in events for file in e.files_of(event)}
    if not mentioned:
        return {}
    rows = await session.execute(
        select(Attachment.id, Attachment.filename).where(
            Attachment.case_id == case_id, Attachment.id.in_([uuid.UUID(file) for file in mentioned])
        )
    )
    return {str(file): name for file, name in rows}
