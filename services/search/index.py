"""What the search service needs of an index, whichever engine keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts.search import NumbersPart, SearchAnswer, SearchQuery


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseDocument:
    """A case as the index keeps it.

    Args:
        id: UUID of the case.
        desk: slug of its desk; ``key`` is the desk's key, such as ``CON``.
        seq: the event up to which this is the case.
        text: description and public conversation; ``internal``: notes, which staff alone may find.
        people: addresses of reporter, contact and CC, who may see the case; ``names``: theirs.
        severity_rank: place in the desk's list, 0 first; None without a severity. Likewise ``impact_rank``.
        recorded_at: when its newest event was committed.
        due_at: when the window ends that runs; None if none does.
    """

    id: str
    desk: str
    key: str
    number: int
    seq: int
    subject: str
    text: str
    internal: str
    people: Sequence[str]
    names: Sequence[str]
    internal_reference: str | None
    status: str
    product: str | None
    type: str | None
    severity: str | None
    severity_rank: int | None
    impact: str | None
    impact_rank: int | None
    account: str | None
    assignee: str | None
    created_at: datetime
    updated_at: datetime
    recorded_at: datetime | None
    due_at: datetime | None = None


class IndexBrokenError(Exception):
    """The index can't be read or written any more; it has to be built anew."""


class QueryError(ValueError):
    """The query can't be answered as it was asked; the message says what to do."""


class CaseIndex(Protocol):
    """One copy of the index of all cases.

    Its methods block and may be called from any thread; each raises `IndexBrokenError` when the copy can't be used.
    """

    @property
    def name(self) -> str:
        """Tells this copy from others."""

    def add(self, documents: Sequence[CaseDocument]) -> None:
        """Add these cases, none of which it has. Seen after ``commit``."""

    def replace(self, documents: Sequence[CaseDocument]) -> None:
        """Add these cases, in place of what there is of them. Seen after ``commit``."""

    def remove(self, ids: Collection[str]) -> None:
        """Take these cases out. Seen after ``commit``."""

    def commit(self) -> None:
        """Make what was replaced and removed durable and visible."""

    def query(self, query: SearchQuery) -> SearchAnswer:
        """Answer a query.

        Raises:
            QueryError: it asks for something that does not exist.
        """

    def numbers(self, query: SearchQuery) -> Iterator[NumbersPart]:
        """All that a query finds, pages aside, as it is at the first part; that part comes soon.

        Raises:
            QueryError: it asks for something that does not exist.
        """

    def seq_of(self, case_id: str) -> int:
        """The event up to which the index knows that case; 0 if it does not know it."""

    def close(self) -> None:
        """Release everything; what was not committed is lost."""


class Copies(Protocol):
    """This node's copies of the index: the one that answers, and while it is being built the one that will."""

    def open_current(self) -> CaseIndex | None:
        """The copy that answered last; None if there is none, or it is damaged or of another version."""

    def create(self) -> CaseIndex:
        """A new, empty copy beside the current one."""

    def promote(self, index: CaseIndex) -> None:
        """From now on, after a restart too, this copy answers."""

    def sweep(self) -> None:
        """Remove all copies but the current one: replaced ones, and those whose making was broken off."""

    def close(self) -> None:
        """Let others use what the copies lie in."""
