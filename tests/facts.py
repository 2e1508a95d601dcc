"""What is in the record, in the stream, in the index and in the mailboxes: read where it is, and compared."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import asyncpg
import nats
import orjson
from nats.js.api import DeliverPolicy
from nats.js.errors import NotFoundError

from shared.contracts.events import CaseEvent
from shared.contracts.subjects import CASES_STREAM, INDEXER, NOTIFIER
from shared.db.roles import Role
from shared.settings import Settings
from tests.client import Caller
from tests.waiting import until

SAMPLES = 25
_LINK = re.compile(r"/desks/([\w-]+)/cases/(\d+)#event-(\d+)")


def new_word() -> str:
    """A word that no other text has."""
    return f"word{uuid.uuid4().hex}"


@dataclass
class Ledger:
    """What callers were told has been done. Every text has a word that no other has."""

    opened: dict[str, int] = field(default_factory=dict)
    """Number of the case by its subject."""
    commented: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Number of the case and of the event by the comment."""

    @property
    def commands(self) -> int:
        return len(self.opened) + len(self.commented)


@dataclass(frozen=True)
class Recorded:
    """A row of ``case_event``."""

    case_id: str
    number: int
    seq: int
    kind: str
    part: int
    command_id: str
    actor: str | None
    data: dict[str, object]

    @property
    def event_id(self) -> str:
        return f"{self.case_id}:{self.seq}"

    @property
    def text(self) -> str | None:
        return {"opened": self.data.get("subject"), "commented": self.data.get("body")}.get(self.kind)  # type: ignore[return-value]


@dataclass(frozen=True)
class Mail:
    """A mail that has arrived."""

    recipient: str
    message_id: str
    desk: str
    number: int
    seq: int


def mail_from_text(recipient: str, message_id: str, text: str) -> Mail:
    """What a mail is about is where its link leads."""
    link = _LINK.search(text)
    assert link, f"a mail without a link to its event: {text[:200]}"
    return Mail(recipient, message_id, link[1], int(link[2]), int(link[3]))


# ------------------------------------------------------------------------------------------ reading


async def _rows(settings: Settings, query: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(settings.database_url, server_settings=Role.SERVICE.settings)
    try:
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def recorded(settings: Settings, desk: str) -> list[Recorded]:
    """A desk's events in Postgres, case by case."""
    query = """
        SELECT e.case_id::text, c.number, e.seq, e.kind, e.part, e.command_id, e.actor_email AS actor, e.data::text
        FROM case_event e JOIN "case" c ON c.id = e.case_id JOIN desk d ON d.id = c.desk_id
        WHERE d.slug = $1 ORDER BY c.number, e.seq
    """
    rows = await _rows(settings, query, desk)
    return [Recorded(**{**row, "data": orjson.loads(row["data"])}) for row in map(dict, rows)]


async def streamed(settings: Settings, desk: str) -> list[CaseEvent]:
    """A desk's events in the stream from its first message on, in order."""
    connection = await nats.connect(settings.nats_url)
    try:
        js = connection.jetstream()
        subjects = await js.stream_info(CASES_STREAM, subjects_filter=f"cases.v1.{desk}.>")
        expected = sum((subjects.state.subjects or {}).values())
        reading = await js.subscribe(f"cases.v1.{desk}.>", ordered_consumer=True, deliver_policy=DeliverPolicy.ALL)
        events = []
        for _ in range(expected):
            message = await reading.next_msg(timeout=10)
            event = CaseEvent.model_validate_json(message.data)
            assert (message.headers or {}).get("Nats-Msg-Id") == event.id, f"{event.id} has another Nats-Msg-Id"
            events.append(event)
        return events
    finally:
        await connection.close()


async def mailbox(settings: Settings, desk: str) -> list[Mail]:
    """A desk's mail in the local mailbox, which shows only the latest over HTTP."""
    rows = await _rows(settings, 'SELECT "to", message_id, text FROM mailbox_message')
    mails = [mail_from_text(row["to"][0], row["message_id"], row["text"]) for row in rows]
    return [mail for mail in mails if mail.desk == desk]


# ------------------------------------------------------------------------------------------ waiting


async def told(settings: Settings, desk: str, seconds: float, *, untold: int = 0) -> float:
    """Wait until everything that has happened on a desk is in the stream, the index and the mailboxes.

    Args:
        settings: of the stack.
        desk: its slug.
        seconds: how long at most.
        untold: events that were written beside the product, of which the stream knows nothing.

    Returns:
        How many seconds it took.
    """
    start = time.monotonic()
    await until(lambda: _everything_told(settings, desk, untold), seconds, "stream, index and mail")
    return time.monotonic() - start


async def _everything_told(settings: Settings, desk: str, untold: int) -> bool:
    """Whether relay, search and notifier have nothing left to do: asked in the order in which they do it."""
    query = """
        SELECT count(*) AS events, count(*) FILTER (WHERE e.published_at IS NULL) AS unpublished,
            (SELECT count(*) FROM delivery v JOIN "case" c ON c.id = v.case_id JOIN desk d ON d.id = c.desk_id
             WHERE d.slug = $1 AND v.status = 'pending') AS waiting
        FROM case_event e JOIN "case" c ON c.id = e.case_id JOIN desk d ON d.id = c.desk_id WHERE d.slug = $1
    """
    [before] = await _rows(settings, query, desk)
    if before["unpublished"] or not await _consumers_are_done(settings, desk, before["events"] - untold):
        return False
    [after] = await _rows(settings, query, desk)
    return not after["waiting"] and after["events"] == before["events"]


async def _consumers_are_done(settings: Settings, desk: str, events: int) -> bool:
    """Whether search and notifier have dealt with all that is in the stream, which has as many events of the desk."""
    connection = await nats.connect(settings.nats_url)
    try:
        js = connection.jetstream()
        stream = await js.stream_info(CASES_STREAM, subjects_filter=f"cases.v1.{desk}.>")
        found = await js.consumers_info(CASES_STREAM)
    except NotFoundError:
        return False
    finally:
        await connection.close()
    if sum((stream.state.subjects or {}).values()) < events:
        return False
    ours = [each for each in found if each.name == NOTIFIER or each.name.startswith(INDEXER)]
    return len(ours) >= 2 and not any(each.num_pending or each.num_ack_pending for each in ours)


# ------------------------------------------------------------------------------------------ comparing


async def check_all(
    settings: Settings,
    desk: str,
    ledger: Ledger,
    staff: Caller,
    mails: Sequence[Mail],
    allowed_twice: Iterable[str] = (),
) -> str:
    """Hold record, stream, mail and index, which have been `told`, to what callers were told.

    Returns:
        How much there was, in words; arguments are those of the checks below.
    """
    events = await recorded(settings, desk)
    check_record(events, ledger)
    check_stream(await streamed(settings, desk), events)
    check_mail(mails, events, allowed_twice)
    await check_index(staff, ledger)
    return f"{len(events)} events and {len(mails)} mails"


def check_record(events: Sequence[Recorded], ledger: Ledger) -> None:
    """Every acknowledged command is recorded once, where its caller was told it is; nothing else is."""
    by_case: defaultdict[int, list[int]] = defaultdict(list)
    for event in events:
        by_case[event.number].append(event.seq)
    gaps = {number: seqs for number, seqs in by_case.items() if seqs != list(range(1, len(seqs) + 1))}
    assert not gaps, f"gaps or repetitions in the numbers of events: {gaps}"
    _each_once(((event.number, event.command_id, event.part) for event in events), "commands were applied twice")
    _each_once((event.text for event in events if event.text), "texts were recorded twice")
    opened = {str(event.text): event.number for event in events if event.kind == "opened"}
    commented = {str(event.text): (event.number, event.seq) for event in events if event.kind == "commented"}
    _same(ledger.opened.items(), opened.items(), "openings in the record")
    _same(ledger.commented.items(), commented.items(), "comments in the record")


def check_stream(stream: Sequence[CaseEvent], events: Sequence[Recorded]) -> None:
    """The stream has every recorded event once, and each case's in order."""
    _each_once((event.id for event in stream), "events are in the stream twice")
    _same((event.event_id for event in events), (event.id for event in stream), "events in the stream")
    last: dict[str, int] = {}
    for event in stream:
        assert event.data.seq > last.get(event.case_id, 0), f"{event.id} came after a later event of its case"
        last[event.case_id] = event.data.seq


def check_mail(mails: Sequence[Mail], events: Sequence[Recorded], allowed_twice: Iterable[str] = ()) -> None:
    """Every recipient was told of every event once.

    Args:
        mails: what has arrived.
        events: what there was to tell.
        allowed_twice: ids of mails that were on their way when the process that would have noted it was killed.
    """
    twice = {message_id for message_id, count in Counter(mail.message_id for mail in mails).items() if count > 1}
    assert not twice - set(allowed_twice), f"mailed twice: {sorted(twice - set(allowed_twice))[:10]}"
    arrived = {(mail.number, mail.seq, mail.recipient) for mail in mails}
    assert len(arrived) == len({mail.message_id for mail in mails}), "one event was mailed to one person under two ids"
    _same(expected_mail(events), arrived, "mails")


def expected_mail(events: Sequence[Recorded]) -> set[tuple[int, int, str]]:
    """Number, event and recipient of every mail that the profile «standard» asks for (desk-rules "mail")."""
    expected: set[tuple[int, int, str]] = set()
    case: dict[str, object] = {}
    for event in events:
        if event.kind == "opened":
            case = {name: event.data.get(name) for name in ("reporter", "contact", "cc", "assignee")}
        previous = case.get("assignee")
        if event.kind == "assigned":
            case["assignee"] = event.data["assignee"]
        cc = case["cc"]
        assert isinstance(cc, list)
        people = {case["assignee"], previous}
        if event.kind != "sealed":
            people |= {case["reporter"], case["contact"]}
        if event.kind not in {"assigned", "sealed"}:
            people |= set(cc)
        if event.part == 0 and event.kind != "sealed":
            expected |= {(event.number, event.seq, str(who)) for who in people - {None, event.actor}}
    return expected


async def check_index(staff: Caller, ledger: Ledger) -> None:
    """The index has every case, and words lead to the cases that they are in.

    Args:
        staff: somebody who sees all cases of the desk.
        ledger: what there is to find; of subjects, and of comments, ``SAMPLES`` are searched for.
    """
    found = await staff.cases(page_size=1)
    assert not found.get("stale"), "the list came from Postgres: search did not answer"
    assert found["total"] == len(ledger.opened), f"{found['total']} cases in the index, {len(ledger.opened)} opened"
    places = {body: number for body, (number, _) in ledger.commented.items()}
    for texts in (ledger.opened, places):
        some = list(texts.items())
        for text, number in some[:: max(1, len(some) // SAMPLES)] + some[-1:]:
            hits = await staff.cases(q=text.split()[0])
            numbers = [case["number"] for case in hits["items"]]
            assert numbers == [number], f"«{text}» of case {number} was found in {numbers}"


def _each_once(values: Iterable[object], what: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    assert not twice, f"{len(twice)} {what}: {twice[:5]}"


def _same(expected: Iterable[object], found: Iterable[object], what: str) -> None:
    wanted, there = set(expected), set(found)
    missing, more = wanted - there, there - wanted
    assert not missing, f"{what}: {len(missing)} of {len(wanted)} missing: {sorted(missing, key=str)[:5]}"
    assert not more, f"{what}: {len(more)} too many: {sorted(more, key=str)[:5]}"
