"""The index as it was at one commit, and what has been found and counted in it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Final

import tantivy

from services.search.facet_values import FacetValues
from services.search.tantivy_query import build
from services.search.tantivy_schema import COUNTED, NUMBER, counted_field, sort_field, together
from shared.contracts.search import SearchQuery, Viewer

RELEVANCE: Final = "relevance"
_MOST_VALUES: Final = 15_000
"""Counted in a column; beyond that the rarest are left out (Tantivy refuses 65,000 in one answer)."""
_COUNTS: Final = {
    name: {"terms": {"field": counted_field(name), "size": _MOST_VALUES}} for name in map(together, COUNTED)
}
_KEPT: Final = 256
"""Answers kept until the next commit: other pages and other people ask for the same ones, and everybody types the same
beginnings of words."""
_REACHES: Final = (100, 1_000, 10_000)
"""So many of the first matches are kept, the fewest that hold the page asked for: the first hundred cost as much as
one."""
_FIRST_SCORED: Final = 1_000

Found = tuple[int, Sequence[int]]
"""How many match, and the numbers of some of them in order."""


class Moment:
    """What one searcher finds; it does not change.

    Args:
        schema: of the index.
        searcher: made after the commit.
        values: at least those of the facets up to then.
    """

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher, values: FacetValues) -> None:
        self.searcher = searcher
        self._schema = schema
        self._counted = lru_cache(_KEPT)(partial(_count, schema, searcher, values))
        self._first = lru_cache(_KEPT)(partial(_find_first, schema, searcher))

    def page(self, query: SearchQuery) -> Found:
        """The page that is asked for."""
        # Beyond the last case the engine would still make room for all before.
        page = min(query.page, self.searcher.num_docs // query.page_size + 2)
        start, end = (page - 1) * query.page_size, page * query.page_size
        reach = next((reach for reach in _REACHES if end <= reach), None)
        if reach is None:
            return self.some(query, start, query.page_size)
        total, numbers = self._first(_asked(query), reach)
        return total, numbers[start:end]

    def some(self, query: SearchQuery, start: int, most: int) -> Found:
        """So many at most from that place on."""
        return _find(self._schema, self.searcher, query, start, most)

    def facets(self, query: SearchQuery) -> dict[str, dict[str, int]]:
        """Each counted without its own filter, so that it shows what else could be chosen."""
        return self._counted(_asked(query.model_copy(update={"sort": RELEVANCE})))

    def try_facets(self) -> None:
        """Read every column that facets are counted in."""
        self.searcher.aggregate(tantivy.Query.all_query(), _COUNTS)


def _asked(query: SearchQuery) -> str:
    """What is asked, pages aside. Staff see the same, unless the filters say whose cases are meant."""
    personal = query.filters.mine or query.filters.within
    viewer = query.viewer if personal or not query.viewer.staff else Viewer(staff=True)
    asked = SearchQuery(desk=query.desk, viewer=viewer, q=query.q, filters=query.filters, sort=query.sort)
    return asked.model_dump_json()


def _find_first(schema: tantivy.Schema, searcher: tantivy.Searcher, asked: str, reach: int) -> Found:
    total, numbers = _find(schema, searcher, SearchQuery.model_validate_json(asked), 0, reach)
    return total, array("Q", numbers)


def _find(schema: tantivy.Schema, searcher: tantivy.Searcher, query: SearchQuery, start: int, most: int) -> Found:
    if query.sort == RELEVANCE:
        return _by_relevance(searcher, build(schema, query, scored=True), start, most)
    descending = query.sort.startswith("-")
    found = searcher.search(
        build(schema, query),
        most,
        offset=start,
        order_by_field=sort_field(query.sort.removeprefix("-"), descending=descending),
        order=tantivy.Order.Desc if descending else tantivy.Order.Asc,
    )
    return _total(found), _numbers(searcher, found)


def _by_relevance(searcher: tantivy.Searcher, matches: tantivy.Query, start: int, most: int) -> Found:
    """Best first, then newest first.

    The engine breaks ties by place in the index, so that everything that ties with the last one wanted is fetched.
    """
    wanted = start + most
    fetched = max(wanted, _FIRST_SCORED)
    while True:
        found = searcher.search(matches, fetched)
        if len(found.hits) < fetched or found.hits[-1][0] < found.hits[wanted - 1][0]:
            break
        fetched *= 4
    scores = [score for score, _ in found.hits]
    ordered = sorted((-score, -number) for score, number in zip(scores, _numbers(searcher, found), strict=True))
    return _total(found), [-number for _, number in ordered[start:wanted]]


def _total(found: tantivy.SearchResult) -> int:
    return int(found.count)  # type: ignore[attr-defined]  # missing in the package's stubs


def _numbers(searcher: tantivy.Searcher, found: tantivy.SearchResult) -> list[int]:
    addresses = [address for _, address in found.hits]
    return [int(number or 0) for number in searcher.fast_field_values(NUMBER, addresses)]


def _count(
    schema: tantivy.Schema, searcher: tantivy.Searcher, values: FacetValues, asked: str
) -> dict[str, dict[str, int]]:
    query = SearchQuery.model_validate_json(asked)
    found: dict[str, dict[str, int]] = {}
    counted = searcher.aggregate(build(schema, query), _COUNTS)
    for facets in COUNTED:
        column = together(facets)
        found |= _by_facet(facets, counted[column], values)
        for name in (each for each in facets if getattr(query.filters, each)):
            others = query.filters.model_copy(update={name: []})
            wider = build(schema, query.model_copy(update={"filters": others}))
            found[name] = _by_facet(facets, searcher.aggregate(wider, {column: _COUNTS[column]})[column], values)[name]
    return found


def _by_facet(facets: Sequence[str], counted: dict[str, Any], values: FacetValues) -> dict[str, dict[str, int]]:
    """Which value of each of these facets how many cases have."""
    value_of = partial(values.value, together(facets))
    counts = [(value_of(bucket["key"]), bucket["doc_count"]) for bucket in counted["buckets"]]
    if len(facets) == 1:
        return {facets[0]: dict(counts)}
    found: dict[str, Counter[str]] = {name: Counter() for name in facets}
    for value, count in counts:
        for name, each in zip(facets, value.split("\0"), strict=True):
            if each:
                found[name][each] += count
    return {name: dict(count.most_common()) for name, count in found.items()}
