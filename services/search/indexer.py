"""From events to the index. An event is only a hint that a case has changed; what is indexed is read from Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.search.feed import DELIVER_POLICY
from services.search.index import CaseDocument, IndexBrokenError
from services.search.live_index import IndexNotReadyError, LiveIndex
from shared.contracts.events import CaseEvent
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM
from shared.messaging import Bus, Incoming, consume
from shared.telemetry import SpanKind, get_logger, span
from shared.telemetry.metrics import index_lag_seconds

_WINDOW_SECONDS, _WIDEST_WINDOW_SECONDS = 0.05, 0.2
"""For how long changes are gathered for one commit, which costs about the same for many cases as for one: the shorter
time for each case that the last commit had, up to the longer."""
_MOST_CASES: Final = 200
_SLOWEST_SECONDS: Final = 1.0
_SECONDS_PER_CHARACTER: Final = 1e-6
"""Indexing a case reads all its text again. A case of a million characters is therefore written at most once a second,
so that it can't take all of the indexer's time; and never more seldom, for callers wait 2 s for their own event."""
_ACK_SECONDS: Final = 3.0
"""Also how long events that a killed process held stay missing after its restart; hearing one twice is harmless."""
_NO_LIMIT: Final = -1
_PAUSE_SECONDS: Final = 1.0
_HOPELESS: Final = 8

_log = get_logger(__name__)


@dataclass(slots=True)
class _Hint:
    """What has been heard of a case and is not yet in the index."""

    seq: int = 0
    due: float = 0.0
    messages: dict[int, tuple[Incoming, str | None]] = field(default_factory=dict)
    """By their place in the stream: of a message that comes again the latest delivery counts."""


class Indexer:
    """Collects the cases that have changed and brings them up to date together.

    Events are acknowledged once the index has them, and may come late, twice and in any order.

    Args:
        live: the index.
    """

    def __init__(self, live: LiveIndex) -> None:
        self._live = live
        self._hints: dict[UUID, _Hint] = {}
        self._not_before: dict[UUID, float] = {}
        self._heard = asyncio.Event()

    async def follow(self, bus: Bus, durable: str) -> None:
        """Take in events until cancelled.

        Args:
            bus: the connection.
            durable: name of the consumer, which exists.
        """
        await consume(
            bus,
            stream=CASES_STREAM,
            durable=durable,
            filter_subject=ALL_CASE_EVENTS,
            handle=self.hear,
            batch=256,
            max_wait=0,
            ack_wait=_ACK_SECONDS,
            # A hint must survive any outage of Postgres; what nobody can use is rejected in words.
            max_deliver=_NO_LIMIT,
            backoff=(_ACK_SECONDS,),
            deliver_policy=DELIVER_POLICY,
        )

    async def hear(self, messages: Sequence[Incoming]) -> None:
        """Note which cases have changed; ``run`` does the rest."""
        for message in messages:
            try:
                event = CaseEvent.model_validate_json(message.data)
                case_id = UUID(event.case_id)
            except (ValidationError, ValueError) as error:
                await message.reject(f"not an event of a case: {error}")
                continue
            hint = self._hints.get(case_id)
            if hint is None:
                hint = self._hints[case_id] = _Hint(due=self._not_before.get(case_id, 0.0))
            hint.seq = max(hint.seq, event.data.seq)
            hint.messages[message.stream_seq] = (message, message.traceparent or event.traceparent)
        self._heard.set()

    async def run(self) -> None:
        """Bring cases up to date until cancelled, however long Postgres or the index are away."""
        window = _WINDOW_SECONDS
        while True:
            await self._until_due()
            await asyncio.sleep(window)  # others change at the same moment: one commit for all
            due = self._take_due()
            window = min(_WIDEST_WINDOW_SECONDS, _WINDOW_SECONDS * max(1, len(due)))
            if not await self._settle(due):
                await asyncio.sleep(_PAUSE_SECONDS)

    async def flush(self) -> None:
        """Index at once what has been heard, as far as that is possible now."""
        hints, self._hints = self._hints, {}
        if hints and not await self._settle(hints):
            _log.warning("stopped before all events were indexed; they will come again", cases=len(self._hints))

    async def _until_due(self) -> None:
        while True:
            self._heard.clear()
            wait = min((hint.due for hint in self._hints.values()), default=float("inf")) - _now()
            if wait <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == float("inf") else wait):
                    await self._heard.wait()

    def _take_due(self) -> dict[UUID, _Hint]:
        now = _now()
        self._not_before = {case_id: moment for case_id, moment in self._not_before.items() if moment > now}
        due = [case_id for case_id, hint in self._hints.items() if hint.due <= now][:_MOST_CASES]
        return {case_id: self._hints.pop(case_id) for case_id in due}

    async def _settle(self, hints: dict[UUID, _Hint]) -> bool:
        """Index and acknowledge; False if that has to be tried again, for which the hints are kept."""
        try:
            await self._index(hints)
        except asyncio.CancelledError:
            self._put_back(hints)
            raise
        except (OSError, SQLAlchemyError, IndexBrokenError, IndexNotReadyError) as error:
            _log.warning("can't index now, trying again", error=str(error) or repr(error), cases=len(hints))
            self._put_back(hints)
            return False
        except Exception as error:
            if len(hints) > 1:  # one of them may be at fault: the others must not suffer for it
                return all([await self._settle({case_id: hint}) for case_id, hint in hints.items()])
            _log.exception("a case can't be indexed", case_id=str(*hints))
            await self._give_up(hints, error)
        return True

    async def _index(self, hints: Mapping[UUID, _Hint]) -> None:
        messages = [message for hint in hints.values() for message in hint.messages.values()]
        with ExitStack() as spans:
            for _, traceparent in messages:
                spans.enter_context(span("search index", kind=SpanKind.CONSUMER, parent=traceparent))
            behind = [case_id for case_id, hint in hints.items() if self._live.seq_of(str(case_id)) < hint.seq]
            if behind:
                self._measure(await self._live.refresh(behind))
        await asyncio.gather(*(message.ack() for message, _ in messages))

    def _measure(self, documents: Iterable[CaseDocument]) -> None:
        now = _now()
        for case in documents:
            pause = min(_SLOWEST_SECONDS, (len(case.text) + len(case.internal)) * _SECONDS_PER_CHARACTER)
            if pause > _WINDOW_SECONDS:
                self._not_before[UUID(case.id)] = now + pause
        recorded = [case.recorded_at for case in documents if case.recorded_at]
        if recorded:
            index_lag_seconds.set(max(0.0, (datetime.now(UTC) - min(recorded)).total_seconds()))

    def _put_back(self, hints: Mapping[UUID, _Hint]) -> None:
        for case_id, hint in hints.items():
            newer = self._hints.setdefault(case_id, hint)
            if newer is not hint:
                newer.seq = max(newer.seq, hint.seq)
                newer.messages = hint.messages | newer.messages

    async def _give_up(self, hints: Mapping[UUID, _Hint], error: Exception) -> None:
        for hint in hints.values():
            for message, _ in hint.messages.values():
                if message.deliveries >= _HOPELESS:
                    await message.reject(f"{type(error).__name__}: {error}")
                else:
                    await message.retry(_ACK_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
