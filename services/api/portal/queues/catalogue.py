"""The queues that staff work off, and which cases each of them holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.api.callers import Caller
from services.api.cases.filters import ME, NOBODY, ListQuery
from shared.domain.case import ActorKind, Status

_ACTIVE: Final = [status.value for status in Status if status not in (Status.RESOLVED, Status.CLOSED)]
_WORKING: Final = [status.value for status in Status if status is not Status.CLOSED]


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """A list of cases that somebody works off from the top.

    Args:
        name: in its address.
        label: what it is called.
        about: which cases are in it, as a sentence.
        when_empty: what is said when there is none.
        icon: one of ``icons.txt``.
        key: that leads there after ``g``.
        filters: of ``GET /cases``.
        sort: its order; the first is the next to be worked on.
        closing: only where resolved cases close by themselves.
    """

    name: str
    label: str
    about: str
    when_empty: str
    icon: str
    key: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: str = "updated_at"
    closing: bool = False

    def query(
        self, least_filters: Mapping[str, list[str]], page: int = 1, page_size: int = 25, after_seq: int | None = None
    ) -> ListQuery:
        """The queue as a list of cases.

        Args:
            least_filters: what the desk's lists have to name.
            page: from 1.
            page_size: up to 100.
            after_seq: of a change of one's own that it is to know.
        """
        pages = {"page": page, "page_size": page_size, "after_seq": after_seq}
        asked = {**least_filters, **self.filters, "sort": self.sort, **pages}
        return ListQuery.model_validate(asked)


QUEUES: Final[tuple[Queue, ...]] = (
    Queue(
        name="mine",
        label="Mine",
        about="Everything that is assigned to you and not closed, what has been quiet longest first.",
        when_empty="No case is assigned to you.",
        icon="user-check",
        key="m",
        filters={"assignee": [ME], "status": _WORKING},
    ),
    Queue(
        name="unassigned",
        label="Unassigned",
        about="Cases that nobody has taken on yet, the oldest first.",
        when_empty="Every case has somebody who sees to it.",
        icon="inbox",
        key="u",
        filters={"assignee": [NOBODY], "status": _ACTIVE},
        sort="created_at",
    ),
    Queue(
        name="awaiting-me",
        label="Awaiting me",
        about="Your cases in which the next step is the desk's, what has been quiet longest first.",
        when_empty="Nobody is waiting for you.",
        icon="hourglass",
        key="a",
        filters={"awaiting": "me"},
    ),
    Queue(
        name="about-to-close",
        label="About to close",
        about="Resolved cases that close by themselves within a week if nobody answers, the longest resolved first.",
        when_empty="No case closes by itself this week.",
        icon="calendar-clock",
        key="b",
        filters={"due": "week", "status": [Status.RESOLVED.value]},
        closing=True,
    ),
)
"""In the order of the side bar."""


def queues_for(caller: Caller | None) -> tuple[Queue, ...]:
    """The queues that somebody has: staff only."""
    if caller is None or caller.kind is not ActorKind.STAFF:
        return ()
    closes = caller.desk.policy.auto_close_after is not None
    return tuple(queue for queue in QUEUES if closes or not queue.closing)


def find_queue(caller: Caller, name: str) -> Queue | None:
    """The queue of that name, if the caller has it."""
    return next((queue for queue in queues_for(caller) if queue.name == name), None)
