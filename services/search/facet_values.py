"""Small numbers for the values that cases are filtered by: an index counts those sooner than texts."""

from __future__ import annotations

import sys
import threading

import tantivy

from services.search.tantivy_schema import COUNTED, counted_field, together


class FacetValues:
    """Which number stands for which value of a field in which facets are counted, in one index, for any number of
    threads.

    The index itself remembers, as each case has both: what no case has needs no number.

    Args:
        schema: of the index.
        searcher: sees every case that is in it.
    """

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._adding = threading.Lock()
        self._values = {name: _values(schema, searcher, name) for name in map(together, COUNTED)}
        self._numbers = {
            name: {value: number for number, value in values.items()} for name, values in self._values.items()
        }

    def number(self, field: str, value: str) -> int:
        """The number of a value, a new one if need be."""
        number = self._numbers[field].get(value)
        return self._new(field, value) if number is None else number

    def value(self, field: str, number: int) -> str:
        """The value that has the number."""
        return self._values[field][number]

    def _new(self, field: str, value: str) -> int:
        numbers, values = self._numbers[field], self._values[field]
        with self._adding:
            if value not in numbers:
                number = next(reversed(values), -1) + 1
                values[number] = sys.intern(value)
                numbers[value] = number
            return numbers[value]


def _values(schema: tantivy.Schema, searcher: tantivy.Searcher, field: str) -> dict[int, str]:
    """The values that cases have, in order of their numbers."""
    found = {}
    for value, _ in searcher.terms_with_prefix(field, ""):
        having = searcher.search(tantivy.Query.term_query(schema, field, value, "basic"), 1, count=False)
        for number in searcher.fast_field_values(counted_field(field), [address for _, address in having.hits]):
            found[int(number or 0)] = sys.intern(value)
    return dict(sorted(found.items()))
