"""Small numbers for the values that cases are filtered by: an index counts those sooner than texts."""

from __future__ import annotations

import sys
import threading

import tantivy

from services.search.tantivy_schema import facet_field
from shared.contracts.search import FACETS


class FacetValues:
    """Which number stands for which value of a facet, in one index, for any number of threads.

    The index itself remembers, as each case has both: what no case has needs no number.

    Args:
        schema: of the index.
        searcher: sees every case that is in it.
    """

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._adding = threading.Lock()
        self._values = {name: _values(schema, searcher, name) for name in FACETS}
        self._numbers = {
            name: {value: number for number, value in values.items()} for name, values in self._values.items()
        }

    def number(self, facet: str, value: str) -> int:
        """The number of a value, a new one if need be."""
        number = self._numbers[facet].get(value)
        return self._new(facet, value) if number is None else number

    def value(self, facet: str, number: int) -> str:
        """The value that has the number."""
        return self._values[facet][number]

    def _new(self, facet: str, value: str) -> int:
        numbers, values = self._numbers[facet], self._values[facet]
        with self._adding:
            if value not in numbers:
                number = next(reversed(values), -1) + 1
                values[number] = sys.intern(value)
                numbers[value] = number
            return numbers[value]


def _values(schema: tantivy.Schema, searcher: tantivy.Searcher, facet: str) -> dict[int, str]:
    """The values that cases have, in order of their numbers."""
    found = {}
    for value, _ in searcher.terms_with_prefix(facet, ""):
        having = searcher.search(tantivy.Query.term_query(schema, facet, value, "basic"), 1, count=False)
        for number in searcher.fast_field_values(facet_field(facet), [address for _, address in having.hits]):
            found[int(number or 0)] = sys.intern(value)
    return dict(sorted(found.items()))
