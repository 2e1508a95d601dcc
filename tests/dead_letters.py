"""Dead letters for tests."""

from __future__ import annotations

import uuid

from shared.contracts.subjects import case_event
from shared.messaging import bury, connect, list_dead
from shared.settings import Settings


async def buried(settings: Settings, desk: str, reason: str = "The receiver is gone", number: int = 1) -> int:
    """Have a consumer, which nobody is, give up on an event of a case of the desk; returns the letter's id."""
    bus = await connect(settings, "test")
    try:
        consumer = f"nobody-{uuid.uuid4().hex}"
        subject, data = case_event(desk, number, "opened"), b'{"words": "What was to be told"}'
        await bury(bus, consumer=consumer, reason=reason, subject=subject, data=data, deliveries=3)
        return next(letter.seq for letter in await list_dead(bus) if letter.consumer == consumer)
    finally:
        await bus.close()
