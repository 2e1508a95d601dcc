"""Server-sent events: the live events that one caller may see."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import nats.errors
import orjson

from services.api.callers import Caller
from services.api.events.hub import EventHub, Listener, Reset, Streamed
from services.api.events.records import hidden_from
from services.api.visibility import may_see
from shared.contracts.events import CaseEvent
from shared.messaging.pull import PullLostError

HEARTBEAT_SECONDS: Final = 15.0
LIFETIME_SECONDS: Final = 3600.0
_HELLO: Final = b"retry: 2000\n: following\n\n"
_HEARTBEAT: Final = b": still here\n\n"
_RESET: Final = b'event: reset\ndata: {"detail":"Events may have been missed: reload, then follow from here."}\n\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Follower:
    """Somebody who follows.

    Args:
        caller: who they are at the beginning.
        still: what they are by now; None once they may follow no more, which ends the stream.
        told: what they are told of an event of a case that they see: its fields, or None for nothing.
        session: the log-in session that proves it; None: a token does.
        expires_at: end of the session or token, and so of the stream.
    """

    caller: Caller
    still: Callable[[], Awaitable[Caller | None]]
    told: Callable[[Caller, CaseEvent, dict[str, Any]], Awaitable[dict[str, Any] | None]]
    session: bytes | None
    expires_at: datetime


async def live(hub: EventHub, follower: Follower, last_seen: int | None) -> AsyncIterator[bytes]:
    """The stream as it goes out.

    Args:
        hub: the source.
        follower: through whose eyes.
        last_seen: ``Last-Event-ID``: go on after that place; None: from now.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + min((follower.expires_at - datetime.now(UTC)).total_seconds(), LIFETIME_SECONDS)
    beat = clock() + HEARTBEAT_SECONDS
    with hub.listening(follower.session) as listener:
        yield _HELLO
        items = _from(hub, follower.caller.desk.slug, listener, last_seen)
        following = asyncio.ensure_future(anext(items, None))
        try:
            while clock() < end:
                done, _ = await asyncio.wait([following], timeout=max(0.0, min(beat, end) - clock()))
                now = await follower.still()
                item = following.result() if done else _HEARTBEAT
                if now is None or item is None:
                    return
                if done:
                    following = asyncio.ensure_future(anext(items, None))
                if written := item if isinstance(item, bytes) else await _written(follower, now, item):
                    beat = clock() + HEARTBEAT_SECONDS
                    yield written
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _from(
    hub: EventHub, desk: str, listener: Listener, last_seen: int | None
) -> AsyncIterator[list[Streamed | Reset]]:
    """What comes at once goes out at once."""
    position = last_seen or 0
    if last_seen is not None:
        async for item in _caught_up(hub, desk, last_seen):
            position = item.position if isinstance(item, Streamed) else 0
            yield [item]
    while heard := await listener.take():
        items: list[Streamed | Reset] = []
        for each in heard:
            if isinstance(each, Reset):
                position = 0
            elif each.position <= position or each.desk != desk:
                continue
            items.append(each)
        if items:
            yield items


async def _caught_up(hub: EventHub, desk: str, after: int) -> AsyncIterator[Streamed | Reset]:
    """What was missed, however often NATS goes away meanwhile."""
    while True:
        with contextlib.suppress(PullLostError, nats.errors.Error, OSError, TimeoutError):
            async for item in hub.missed(desk, after):
                after = item.position if isinstance(item, Streamed) else after
                yield item
            return
        await asyncio.sleep(1)


async def _written(follower: Follower, now: Caller, items: list[Streamed | Reset]) -> bytes:
    return b"".join([_RESET if isinstance(item, Reset) else await _event(follower, now, item) for item in items])


async def _event(follower: Follower, now: Caller, item: Streamed) -> bytes:
    """Nothing for what they don't see."""
    event = item.event
    if event.kind in hidden_from(now) or not may_see(now.viewer, event.data.case):
        return b""
    fields = await follower.told(now, event, item.fields)
    if fields is None:
        return b""
    line = item.line if fields is item.fields else orjson.dumps(orjson.loads(item.line) | {"data": fields})
    return b"id: %d\ndata: %s\n\n" % (item.position, line)
