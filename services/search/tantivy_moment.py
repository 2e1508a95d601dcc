"""The index as it was at one commit, and what has been counted in it."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Final

import tantivy

from services.search.tantivy_query import build
from shared.contracts.search import FACETS, SearchQuery, Viewer

_MOST_VALUES: Final = 10_000
"""Values counted for a facet; beyond that the rarest are left out (Tantivy refuses 65,000 in one answer)."""
_FACETS: Final = {name: {"terms": {"field": name, "size": _MOST_VALUES}} for name in FACETS}
_KEPT: Final = 64
"""Counts kept until the next commit: other pages, other orders and other people ask for the same ones."""


class Moment:
    """What one searcher finds; it does not change.

    Args:
        schema: of the index.
        searcher: made after the commit.
    """

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self.searcher = searcher
        self._counts = lru_cache(_KEPT)(partial(_count, schema, searcher))

    def facets(self, query: SearchQuery) -> dict[str, dict[str, int]]:
        """Each counted without its own filter, so that it shows what else could be chosen."""
        asked = SearchQuery(desk=query.desk, viewer=_eyes(query), q=query.q, filters=query.filters)
        return self._counts(asked.model_dump_json())

    def try_facets(self) -> None:
        """Read every column that facets are counted in."""
        self.searcher.aggregate(tantivy.Query.all_query(), _FACETS)


def _count(schema: tantivy.Schema, searcher: tantivy.Searcher, asked: str) -> dict[str, dict[str, int]]:
    query = SearchQuery.model_validate_json(asked)
    counted = searcher.aggregate(build(schema, query), _FACETS)
    for name in FACETS:
        if getattr(query.filters, name):
            others = query.filters.model_copy(update={name: []})
            wider = build(schema, query.model_copy(update={"filters": others}))
            counted |= searcher.aggregate(wider, {name: _FACETS[name]})
    return {name: _values(counted[name]) for name in FACETS}


def _eyes(query: SearchQuery) -> Viewer:
    """Staff see the same, unless the filters say whose cases are meant."""
    personal = query.filters.mine or query.filters.within
    return query.viewer if personal or not query.viewer.staff else Viewer(staff=True)


def _values(counted: dict[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in counted["buckets"]}
