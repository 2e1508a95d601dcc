"""Dead letters: what a consumer gave up on, why, and the way back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from nats.js.api import Header
from nats.js.errors import NotFoundError
from pydantic import BaseModel, Field

from shared.contracts.subjects import CASES_STREAM, DEAD_STREAM, dead_letter
from shared.messaging.bus import Bus, publish
from shared.messaging.topology import replay_subject
from shared.telemetry import get_logger
from shared.telemetry.metrics import dead_letters

ORIGINAL_SUBJECT: Final = "Casebound-Original-Subject"

_log = get_logger(__name__)


class DeadLetter(BaseModel):
    """One dead letter, as it lies in the stream ``DEAD``.

    Args:
        reason: why the consumer gave up.
        consumer: who gave up.
        stream: where the original was; None if it was no message.
        stream_seq: its place there.
        subject: what it was published on.
        deliveries: how often it had been delivered.
        headers: the original's.
        data: the original's, as text, or in base64 if it is not UTF-8; None if the stream no longer has it.
        seq: place in ``DEAD``: what ``replay_dead`` wants.
    """

    reason: str
    consumer: str
    stream: str | None = None
    stream_seq: int | None = None
    subject: str
    deliveries: int
    headers: dict[str, str] = Field(default_factory=dict)
    data: str | None
    encoding: Literal["utf-8", "base64"] = "utf-8"
    at: datetime
    seq: int = Field(default=0, exclude=True)

    @property
    def original(self) -> bytes:
        """The original message."""
        if self.encoding == "base64":
            return base64.b64decode(self.data or "")
        return (self.data or "").encode()


class DeadLetterNotFoundError(LookupError):
    """There is no such dead letter, or nothing in it that could be replayed."""


async def bury(
    bus: Bus,
    *,
    consumer: str,
    reason: str,
    subject: str,
    data: bytes | None,
    deliveries: int,
    headers: Mapping[str, str] | None = None,
    stream: str | None = None,
    stream_seq: int | None = None,
    message_id: str | None = None,
) -> None:
    """Write a dead letter; the same one (by stream, place and consumer, or ``message_id``) within a day only once.

    Raises:
        nats.errors.Error: it is not certain that it is stored.
    """
    text, encoding = _as_text(data)
    letter = DeadLetter(
        reason=reason[:2000],
        consumer=consumer,
        stream=stream,
        stream_seq=stream_seq,
        subject=subject,
        deliveries=deliveries,
        headers=dict(headers or {}),
        data=text,
        encoding=encoding,
        at=datetime.now(UTC),
    )
    once = message_id or (f"{stream}:{stream_seq}:{consumer}" if stream else None)
    trace = {"traceparent": letter.headers["traceparent"]} if "traceparent" in letter.headers else None
    ack = await publish(bus, dead_letter(consumer), letter.model_dump_json().encode(), message_id=once, headers=trace)
    if not ack.duplicate:
        dead_letters.labels(consumer).inc()
        _log.warning("dead letter", consumer=consumer, stream_seq=stream_seq, deliveries=deliveries, letter=ack.seq)


def _as_text(data: bytes | None) -> tuple[str | None, Literal["utf-8", "base64"]]:
    if data is None:
        return None, "utf-8"
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"


async def list_dead(bus: Bus, limit: int = 100) -> list[DeadLetter]:
    """Return the newest dead letters, newest first.

    Args:
        bus: the connection.
        limit: at most that many.
    """
    state = (await bus.js.stream_info(DEAD_STREAM)).state
    found: list[DeadLetter] = []
    for seq in range(state.last_seq, state.first_seq - 1, -1):
        if len(found) == min(limit, state.messages):
            break
        try:
            found.append(await _letter(bus, seq))
        except DeadLetterNotFoundError:
            continue
    return found


async def replay_dead(bus: Bus, seq: int) -> None:
    """Give a dead letter back to the consumer that gave up on it, and to no other; then take it off the list.

    It comes as a new delivery whose ``subject``, headers and data are the original's. If the consumer gives up
    again, there is a new dead letter.

    Args:
        bus: the connection.
        seq: the letter's, from `list_dead`.

    Raises:
        DeadLetterNotFoundError: there is no such letter, or its original is lost.
    """
    letter = await _letter(bus, seq)
    if letter.data is None:
        raise DeadLetterNotFoundError(f"Dead letter {seq} can't be replayed: the stream no longer had its original.")
    headers = {k: v for k, v in letter.headers.items() if not k.startswith("Nats-")}
    await publish(
        bus,
        replay_subject(letter.consumer),
        letter.original,
        message_id=f"replay:{seq}",
        headers=headers | {ORIGINAL_SUBJECT: letter.subject, Header.EXPECTED_STREAM: CASES_STREAM},
    )
    await bus.js.delete_msg(DEAD_STREAM, seq)


async def _letter(bus: Bus, seq: int) -> DeadLetter:
    try:
        message = await bus.js.get_msg(DEAD_STREAM, seq)
    except NotFoundError as error:
        raise DeadLetterNotFoundError(f"There is no dead letter {seq}.") from error
    letter = DeadLetter.model_validate_json(message.data or b"{}")
    letter.seq = seq
    return letter
