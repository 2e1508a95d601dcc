"""How fast an upload has to come, so that nobody keeps others waiting by sending next to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from services.api.problems import Problem

UPLOAD_SECONDS = 15 * 60
"""For a whole file."""
IDLE_SECONDS = 30.0
"""Without a byte. A telephone that changes cells, or a line that is dialled again, is back by then."""
JUDGED_SECONDS = 60.0
LEAST_BYTES_PER_SECOND = 8 * 1024
"""In each such stretch. 25 MB need 28 KB a second to come within the time for a file; smaller ones may be slower."""


class Pace:
    """Watches one upload. Only the time counts in which the sender is waited for: a slow store is not their fault.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waited = 0.0
        self._received = 0

    async def next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """What comes next; None once all has come.

        Raises:
            Problem: 408, as nothing or too little has come. The chunks can't be asked any more then.
        """
        start = self._clock()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _cut_off(f"Nothing more of the file has come for {IDLE_SECONDS:g} seconds") from None
        if chunk is not None:
            self._judge(self._clock() - start, len(chunk))
        return chunk

    def _judge(self, waited: float, received: int) -> None:
        self._waited += waited
        self._received += received
        if self._waited < JUDGED_SECONDS:
            return
        if self._received < LEAST_BYTES_PER_SECOND * JUDGED_SECONDS:
            rate, least = self._received / self._waited / 1024, LEAST_BYTES_PER_SECOND / 1024
            raise _cut_off(f"The file comes too slowly: {rate:.1f} KB a second; {least:g} KB are needed")
        self._waited, self._received = 0.0, 0


def _cut_off(why: str) -> Problem:
    return Problem("upload_timeout", f"{why}. The upload was cut off; nothing was kept. Send the file again.")
