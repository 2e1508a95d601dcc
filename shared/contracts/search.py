"""What is asked of the search service over NATS, and its answer (contract: ``search.v1.query``)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

SortKey = Literal[
    "updated_at", "created_at", "number", "subject", "status", "severity", "impact", "product", "relevance"
]
FACETS = ("status", "product", "type", "severity", "impact", "account", "assignee")


class Viewer(BaseModel):
    """Through whose eyes a search looks; nothing outside it is found, counted or hinted at.

    Args:
        staff: sees every case of the desk and internal notes.
        email: sees cases they reported, are the contact of or are copied on.
        accounts: keys of the accounts of which every case is seen.
    """

    staff: bool = False
    email: str | None = None
    accounts: list[str] = Field(default_factory=list)


class Span(BaseModel):
    """A stretch of time, from ``start`` (default: ever since) to before ``end``."""

    start: datetime | None = None
    end: datetime


class Filters(BaseModel):
    """Each list: any of these values; several lists: all of them. Empty: no restriction.

    ``assignee`` may hold an address or the word ``none``; ``mine`` means reported by, contact of, copied to or
    assigned to the viewer; ``due`` is when the window ends that runs; ``within`` are further filters, through all of
    which a case must pass too.
    """

    status: list[str] = Field(default_factory=list)
    product: list[str] = Field(default_factory=list)
    type: list[str] = Field(default_factory=list)
    severity: list[str] = Field(default_factory=list)
    impact: list[str] = Field(default_factory=list)
    account: list[str] = Field(default_factory=list)
    assignee: list[str] = Field(default_factory=list)
    mine: bool = False
    due: Span | None = None
    within: Filters | None = None


class After(BaseModel):
    """The answer must know that case at least up to that event."""

    case_id: str
    seq: int


class SearchQuery(BaseModel):
    """One page of the cases of a desk that match.

    Args:
        q: words; all must occur, the last one may be a beginning. Empty: no restriction. ``CON-12`` or ``12`` finds
            that case's number too.
        sort: field, with ``-`` in front for descending; ties by number, newest first.
        page: from 1.
        page_size: 1 to 100.
        after: wait, for a short bounded time, until the index knows that event.
    """

    desk: str
    viewer: Viewer
    q: str = ""
    filters: Filters = Field(default_factory=Filters)
    sort: str = "-updated_at"
    page: int = Field(default=1, ge=1)
    page_size: int = Field(default=25, ge=1, le=100)
    after: After | None = None


class SearchAnswer(BaseModel):
    """Numbers of the cases on that page, in order; the reader takes the cases themselves from Postgres.

    Args:
        numbers: case numbers.
        total: exact number of matches.
        facets: for each field that can be filtered by, which value how many cases have that pass through all *other*
            filters: what choosing that value too would add.
        stale: the wait for ``after`` ended before the index had caught up.
        error: set if the query could not be answered, with what to do.
    """

    numbers: list[int] = Field(default_factory=list)
    total: int = 0
    facets: dict[str, dict[str, int]] = Field(default_factory=dict)
    stale: bool = False
    error: str | None = None


class NumbersPart(BaseModel):
    """A part of all that a query finds, pages aside. The parts of an answer come in order and show one moment.

    Args:
        start: how many numbers came before.
        numbers: the next case numbers; none only if nothing was found.
        total: how many there are in all parts.
        stale: the wait for ``after`` ended before the index had caught up.
        error: set if the query could not be answered, or not to its end.
    """

    start: int = 0
    numbers: list[int] = Field(default_factory=list)
    total: int = 0
    stale: bool = False
    error: str | None = None
