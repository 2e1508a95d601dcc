"""The case that comes next in the queue that somebody works off."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from services.api.cases.listing import list_cases
from services.api.portal.pages import DeskPage
from services.api.portal.queues.catalogue import Queue, find_queue

QUEUE: Final = "queue"
"""Cookie that remembers the queue which somebody looked at last."""
AFTER_SENDING: Final = "after_sending"
"""Cookie that says whether one goes on to the next case after sending: ``next``; else one stays."""
_LOOKED_AT: Final = 100


async def next_case(page: DeskPage, number: int) -> int | None:
    """The case after this one in the queue that whoever looks was at last; None if there is no other.

    A case that has left the queue, because it is answered, is followed by the first.

    Args:
        page: of the case.
        number: of the case.

    Raises:
        Problem: 503.
    """
    queue = current_queue(page)
    if queue is None:
        return None
    query = queue.query(page.least_filters, page_size=_LOOKED_AT)
    numbers = [case.number for case in (await list_cases(page.context, page.caller, query)).items]
    after = numbers[numbers.index(number) + 1 :] if number in numbers else []
    return next((each for each in (*after, *numbers) if each != number), None)


def current_queue(page: DeskPage) -> Queue | None:
    """The queue that whoever looks was at last, if on this desk."""
    desk, _, name = unquote(page.request.cookies.get(QUEUE, "")).partition("/")
    return find_queue(page.caller, name) if desk == page.caller.desk.slug else None


def goes_on(page: DeskPage) -> bool:
    """Whether whoever looks wants the next case once they have sent a reply."""
    return page.request.cookies.get(AFTER_SENDING) == "next"
