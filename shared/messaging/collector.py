"""Dead letters for what nobody rejected in words: the server's notices lead to the originals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import BaseModel

from shared.contracts.subjects import ADVISORIES_STREAM
from shared.messaging.bus import Bus
from shared.messaging.consume import consume
from shared.messaging.dead_letters import ORIGINAL_SUBJECT, bury
from shared.messaging.incoming import BURIED, Incoming

COLLECTOR: Final = "dead-letters"


class _Advisory(BaseModel):
    """What the server says when it will not deliver a message to a consumer any more."""

    type: str
    stream: str
    consumer: str
    stream_seq: int
    deliveries: int
    reason: str = ""


async def collect_dead_letters(bus: Bus) -> None:
    """Write dead letters for messages that nobody rejected in words: each time the process died over them.

    Runs until cancelled; any number may run at once.
    """

    async def collect(advisories: Sequence[Incoming]) -> None:
        for advisory in advisories:
            await _collect(bus, advisory)
            await advisory.ack()

    await consume(bus, stream=ADVISORIES_STREAM, durable=COLLECTOR, filter_subject=None, handle=collect, max_wait=0)


async def _collect(bus: Bus, incoming: Incoming) -> None:
    advisory = _Advisory.model_validate_json(incoming.data)
    if advisory.stream == ADVISORIES_STREAM or advisory.reason == BURIED.decode().removeprefix("+TERM "):
        return
    try:
        original: RawStreamMsg | None = await bus.js.get_msg(advisory.stream, advisory.stream_seq)
    except NotFoundError:
        original = None
    headers = (original.headers if original else None) or {}
    await bury(
        bus,
        consumer=advisory.consumer,
        reason=_reason(advisory),
        stream=advisory.stream,
        stream_seq=advisory.stream_seq,
        deliveries=advisory.deliveries,
        subject=headers.get(ORIGINAL_SUBJECT) or (original.subject if original else None) or "unknown",
        headers=headers,
        data=(original.data or b"") if original else None,
    )


def _reason(advisory: _Advisory) -> str:
    if advisory.type.endswith(".terminated"):
        return f"The consumer ended it: {advisory.reason or 'no reason given'}"
    return f"Delivered {advisory.deliveries} times and never settled: the consumer died or hung each time"
