"""Reading the activity of a case as people follow it: conversations with their replies, and what else happened.

A post starts a conversation and comments answer it (desk-rules C8, C9). The latest stands first. A page of it is cut
from the events by their number; a conversation that began before the page is shown with its beginning all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Row, Text, any_, bindparam, cast, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.api.attachments.records import files_by_id
from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.events.records import shown_to
from services.api.portal.activity.wording import File, Line, Wording, addresses
from shared.contracts.events import EVENTS
from shared.db.models import CaseEvent, Person
from shared.db.viewed import Sight
from shared.domain import events as e

PAGE: Final = 40
"""Events that are shown at first, and with each step back."""
_row = CaseEvent.__table__.c
_EVENT = (_row.seq, _row.kind, _row.at, _row.actor, _row.command_id, _row.command, _row.part, _row.data)
Post = e.Opened | e.Commented | e.Noted


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Something that somebody said.

    Args:
        event: it.
        who: said it.
        files: that came with it; of those that were removed the name is left.
        copied: whom it copied, by name.
        answers: the event that it answers, where that is not the beginning of the conversation.
        lines: what else the same step brought about.
    """

    event: Post
    who: str
    files: list[File] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    answers: int | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def seq(self) -> int:
        """Of the event."""
        return self.event.seq

    @property
    def text(self) -> str:
        """What was said, in Markdown."""
        return e.text_of(self.event)

    @property
    def internal(self) -> bool:
        """Whether customers don't see it."""
        return self.event.kind in e.STAFF_ONLY


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A post and what was said to it.

    Args:
        begin: the post.
        replies: oldest first.
        whole: whether all replies are here.
    """

    begin: Message
    replies: list[Message]
    whole: bool

    @property
    def order(self) -> int:
        """Its place among what happened: that of its latest message."""
        return self.replies[-1].seq if self.replies else self.begin.seq


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A part of what happened, the latest first.

    Args:
        items: conversations and lines.
        before: for what came before this part; None if this is all.
        last: the latest event.
    """

    items: list[Conversation | Line]
    before: int | None
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Which events: the newest below ``before``, all after ``after``, or the whole conversation of ``around``."""

    before: int | None = None
    after: int | None = None
    around: int | None = None


async def read_timeline(session: Sight, caller: Caller, record: CaseRecord, part: Part) -> Timeline:
    """What happened to a case, as far as the caller may see it.

    Args:
        session: looks through the caller's eyes.
        caller: who looks.
        record: the case.
        part: which part of it.
    """
    source = _Source(session, caller, record.id)
    if part.around is not None:
        events = await source.conversation(part.around)
        more = False
    elif part.after is not None:
        events = await source.find(_row.seq > part.after)
        events += await source.holders_of_removed(events)
        more = False
    else:
        below = true() if part.before is None else _row.seq < part.before
        events = await source.find(below, PAGE + 1)
        more = len(events) > PAGE
        events = events[-PAGE:]
    parents = await source.parents(events)
    shown = {event.seq: event for event in events}
    begins = {seq: _beginning(seq, parents) for seq, event in shown.items() if isinstance(event, Post)}
    shown |= {event.seq: event for event in await source.with_seqs(set(begins.values()) - shown.keys())}
    items = _Grouping(parents, await _wording(session, caller, record, shown.values())).items(
        [shown[seq] for seq in sorted(shown)], begins, whole=not more and part.after is None
    )
    lowest = min((event.seq for event in events), default=None)
    return Timeline(items=items, before=lowest if more else None, last=record.state.seq)


async def beginning_of(session: Sight, caller: Caller, record: CaseRecord, seq: int) -> Post | None:
    """The post with which the conversation began that an event belongs to; None for what is no part of one."""
    source = _Source(session, caller, record.id)
    found = await source.with_seqs({seq})
    begin = await source.with_seqs({_beginning(seq, await source.parents(found))})
    return begin[0] if begin and isinstance(begin[0], Post) else None


class _Source:
    """The events of one case that one caller may see."""

    def __init__(self, session: Sight, caller: Caller, case_id: uuid.UUID) -> None:
        self._session = session
        self._mine: ColumnElement[bool] = (_row.case_id == case_id) & shown_to(caller)

    async def find(self, where: ColumnElement[bool], limit: int | None = None) -> list[e.Event]:
        """The newest that are so, oldest first."""
        query = select(*_EVENT).where(self._mine, where).order_by(_row.seq.desc()).limit(limit)
        return [_event(row) for row in await self._session.execute(query)][::-1]

    async def with_seqs(self, seqs: Collection[int]) -> list[e.Event]:
        """Those with these numbers."""
        return await self.find(_row.seq == any_(cast(list(seqs), ARRAY(Integer)))) if seqs else []

    async def parents(self, events: Iterable[e.Event]) -> dict[int, int]:
        """What each of the posts answers, and what that answers, to the beginnings."""
        replies = [event.seq for event in events if isinstance(event, e.Commented | e.Noted) and event.in_reply_to]
        if not replies:
            return {}
        answered = cast(_row.data["in_reply_to"].astext, Integer).label("answered")
        up = select(_row.seq, answered).where(self._mine, _row.seq == any_(bindparam("replies", type_=ARRAY(Integer))))
        climb = up.cte("climb", recursive=True)
        climb = climb.union(select(_row.seq, answered).where(self._mine, _row.seq == climb.c.answered))
        rows = await self._session.execute(select(climb.c.seq, climb.c.answered), {"replies": replies})
        return {row.seq: row.answered for row in rows if row.answered is not None}

    async def conversation(self, seq: int) -> list[e.Event]:
        """An event with all of the conversation that it belongs to, and what followed from its messages."""
        found = await self.with_seqs({seq})
        if not found or not isinstance(found[0], Post):
            return found
        answered = cast(_row.data["in_reply_to"].astext, Integer).label("answered")
        query = select(_row.seq, answered).where(self._mine, _row.kind.in_(("commented", "noted")))
        parents = {row.seq: row.answered for row in await self._session.execute(query) if row.answered is not None}
        begin = _beginning(seq, parents)
        members = {begin, *(each for each in parents if _beginning(each, parents) == begin)}
        return await self.with_seqs(members)

    async def holders_of_removed(self, events: Iterable[e.Event]) -> list[e.Event]:
        """The events with which the files came that some of these removed: they look different now."""
        removed = [
            event.attachment for event in events if isinstance(event, e.AttachmentRemoved | e.NoteAttachmentRemoved)
        ]
        if not removed:
            return []
        names = cast(_row.data["attachments"], JSONB).has_any(cast(removed, ARRAY(Text)))
        known = {event.seq for event in events}
        return [event for event in await self.find(names) if event.seq not in known]


def _event(row: Row[*tuple[Any, ...]]) -> e.Event:
    known = {name: value for name, value in row._asdict().items() if name != "data"}
    return EVENTS.validate_python({**row.data, **known})


def _beginning(seq: int, parents: Mapping[int, int]) -> int:
    while seq in parents:
        seq = parents[seq]
    return seq


async def _wording(session: Sight, caller: Caller, record: CaseRecord, events: Collection[e.Event]) -> Wording:
    named = {address for event in events for address in addresses(event)}
    names: dict[str, str] = {}
    if named:
        rows = await session.execute(select(Person.email, Person.name).where(Person.email.in_(named)))
        names = {row.email: row.name for row in rows}
    ids = [file for event in events for file in e.files_of(event)]
    return Wording(
        desk=caller.desk,
        policy=record.policy,
        seq=record.state.seq,
        status=record.state.status,
        names=names,
        files=await files_by_id(session, caller, record, ids) if ids else {},
    )


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Puts events together as they are shown."""

    parents: Mapping[int, int]
    wording: Wording

    def items(self, events: Sequence[e.Event], begins: Mapping[int, int], *, whole: bool) -> list[Conversation | Line]:
        """Conversations and lines, the latest first.

        Args:
            events: by number.
            begins: for each post of this part the beginning of its conversation.
            whole: whether all events of the case are here.
        """
        messages = {event.seq: self._message(event, begins) for event in events if isinstance(event, Post)}
        lines: list[Line] = []
        for event in events:
            if isinstance(event, Post):
                continue
            said = messages.get(event.seq - event.part) if event.part else None
            (said.lines if said else lines).append(self.wording.line(event))
        threads: dict[int, list[Message]] = {}
        for seq, begin in sorted(begins.items()):
            thread = threads.setdefault(begin, [])
            if seq != begin:
                thread.append(messages[seq])
        conversations = [
            Conversation(begin=messages[begin], replies=replies, whole=whole or begin in begins)
            for begin, replies in threads.items()
            if begin in messages
        ]
        return sorted([*conversations, *lines], key=lambda item: item.order, reverse=True)

    def _message(self, event: Post, begins: Mapping[int, int]) -> Message:
        parent = self.parents.get(event.seq)
        deeper = parent is not None and parent != begins.get(event.seq)
        return Message(
            event=event,
            who=self.wording.line(event).who,
            files=self.wording.files_of(event),
            copied=[self.wording.name(each) for each in event.cc] if isinstance(event, e.Commented) else [],
            answers=parent if deeper else None,
        )
