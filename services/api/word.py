"""Word from the worker: a command is recorded, ahead of its workflow's own answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nats.aio.msg import Msg

from services.api.door import Door
from services.api.nats_link import NatsLink
from shared.contracts.workflow import RECORDED


@contextlib.asynccontextmanager
async def word_heard(link: NatsLink, door: Door) -> AsyncIterator[None]:
    """Let the door hear what is recorded while the block runs, as soon as NATS can be reached."""
    listening = asyncio.create_task(_listen(link, door), name="listen for word of what is recorded")
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(link: NatsLink, door: Door) -> None:
    nc = (await link.wait()).nc

    async def on_word(message: Msg) -> None:
        door.hear(RECORDED.validate_json(message.data))

    subject = nc.new_inbox()
    await nc.subscribe(subject, cb=on_word)
    door.told_on = subject
