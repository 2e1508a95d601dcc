"""What the tab Activity shows of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from services.api.cases.records import CaseRecord
from services.api.portal.activity.composer import Composer, composer_of
from services.api.portal.activity.conversations import Part, Timeline, beginning_of, read_timeline
from services.api.portal.pages import DeskPage
from services.api.portal.queues.next import current_queue, goes_on
from shared.db.models import CaseRead
from shared.db.viewed import Sight

LARGEST_SEQ: Final = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """The tab.

    Args:
        record: the case.
        timeline: the part of it that is shown.
        composer: for a new post.
        reply: for an answer, where one is asked for.
        path: of the case's page.
        read: the last event that whoever looks has seen before; None if they come for the first time.
    """

    record: CaseRecord
    timeline: Timeline
    composer: Composer
    reply: Composer | None
    path: str
    read: int | None = None

    @property
    def address(self) -> str:
        """Under which parts of the tab are fetched, and what is written is sent."""
        return f"{self.path}/activity"


async def activity_of(page: DeskPage, record: CaseRecord, refused: Composer | None = None) -> Mapping[str, Any]:
    """What ``activity/tab.html`` shows.

    The page's address may say ``before=SEQ`` for earlier events, and ``reply=SEQ`` to answer one: so without script.

    Args:
        page: on which the tab is.
        record: the case, as far as whoever looks may see it.
        refused: the form that comes back with what was typed.
    """
    reply_to = refused.thread if refused else _number(page, "reply")
    async with page.context.database.read_as(page.caller.eyes) as session:
        timeline = await read_timeline(session, page.caller, record, Part(before=_number(page, "before")))
        reply = await reply_composer(session, page, record, reply_to) if reply_to else None
        query = select(CaseRead.seq).where(CaseRead.case_id == record.id, CaseRead.person == page.caller.address)
        read = await session.scalar(query)
    composer = composer_for(page, record)
    if refused and refused.thread is None:
        composer = refused
    elif refused:
        reply = refused
    return {"activity": replace(_activity(page, record, timeline, composer, reply), read=read)}


async def part_of(page: DeskPage, record: CaseRecord, part: Part) -> Mapping[str, Any]:
    """A part of what happened, as ``activity/delta.html`` shows it."""
    async with page.context.database.read_as(page.caller.eyes) as session:
        timeline = await read_timeline(session, page.caller, record, part)
    return {"activity": _activity(page, record, timeline, composer_for(page, record), None)}


async def reply_composer(session: Sight, page: DeskPage, record: CaseRecord, seq: int) -> Composer | None:
    """The form for an answer to a conversation, 0 for a new one; None if there is no such conversation."""
    if seq == 0:
        return composer_for(page, record)
    begin = await beginning_of(session, page.caller, record, seq)
    return composer_for(page, record, begin.seq, of_note=begin.kind == "noted") if begin else None


def composer_for(page: DeskPage, record: CaseRecord, thread: int | None = None, *, of_note: bool = False) -> Composer:
    """The form for a case, as whoever looks works; see ``composer_of``."""
    composer = composer_of(page.caller, record, thread, of_note=of_note)
    return replace(composer, goes_on=goes_on(page)) if current_queue(page) else composer


def _activity(
    page: DeskPage, record: CaseRecord, timeline: Timeline, composer: Composer, reply: Composer | None
) -> Activity:
    path = page.path("cases", record.number)
    return Activity(record=record, timeline=timeline, composer=composer, reply=reply, path=path)


def _number(page: DeskPage, name: str) -> int | None:
    """A number of the page's address; None for what is none."""
    given = page.request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and int(given) <= LARGEST_SEQ else None
