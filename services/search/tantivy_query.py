"""From a search to a Tantivy query. Made of query objects: what a user types is never parsed as a query language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tantivy import FieldType, Occur, Query, Schema

from services.search.tantivy_schema import (
    BEGINS,
    BEGINS_INTERNAL,
    BEGINS_KEY,
    DESK,
    DUE,
    INTERNAL,
    KEY,
    PEOPLE,
    SHORT,
    SUBJECT,
    TEXT,
    milliseconds,
    normalised,
    whole,
    words_of,
)
from shared.contracts.search import FACETS, Filters, SearchQuery, Span, Viewer

_SUBJECT_BOOST: Final = 3.0
_KEY_BOOST: Final = 10.0
_MAX_WORDS: Final = 64
_LONGEST_WORD: Final = 250
"""Bytes. Longer ones are in no index: Tantivy's automata for beginnings of words have a bounded size."""
_CASE_KEY: Final = re.compile(r"(?:[a-z][a-z0-9]*-)?[0-9]{1,10}")


def build(schema: Schema, search: SearchQuery, *, scored: bool = False) -> Query:
    """The query for everything that a search finds, pages aside.

    Args:
        schema: of the index.
        search: what is asked.
        scored: whether the order is by relevance, for which a whole last word counts more than a beginning.
    """
    parts = [_term(schema, DESK, search.desk), *_visible(schema, search.viewer)]
    parts += _filtered(schema, search.filters, search.viewer)
    fields = (SUBJECT, TEXT, INTERNAL) if search.viewer.staff else (SUBJECT, TEXT)
    begins = (BEGINS, BEGINS_INTERNAL) if search.viewer.staff else (BEGINS,)
    parts += _Words(schema, fields, begins, scored=scored).all_of(search.q)
    return _all(parts)


def has_words(q: str) -> bool:
    """Whether anything in it can be searched for."""
    return bool(words_of(q))


class _Words:
    """The words of a search, every one of which must occur in one of the fields; the last may be a beginning."""

    def __init__(self, schema: Schema, fields: Sequence[str], begins: Sequence[str], *, scored: bool) -> None:
        self._schema = schema
        self._fields = fields
        self._begins = begins
        self._scored = scored

    def all_of(self, q: str) -> Iterator[Query]:
        chunks = [(chunk, tokens) for chunk in normalised(q).split() if (tokens := words_of(chunk))]
        for place, (chunk, tokens) in enumerate(chunks[:_MAX_WORDS]):
            last = place == len(chunks) - 1
            written = _all(self._token(token, last and token is tokens[-1]) for token in tokens[:_MAX_WORDS])
            yield _any([written, *self._number(chunk, last)])

    def _token(self, token: str, last: bool) -> Query:
        if len(token.encode()) > _LONGEST_WORD:
            return Query.empty_query()
        if self._is_short(token):
            return _any(_term(self._schema, name, token if last else whole(token)) for name in self._begins)
        return _any(self._in_field(name, token, last) for name in self._fields)

    def _in_field(self, name: str, token: str, last: bool) -> Query:
        whole = Query.term_query(self._schema, name, token, "freq")
        if last:
            beginning = _beginning(self._schema, name, token)
            whole = _any([whole, beginning]) if self._scored else beginning
        return Query.boost_query(whole, _SUBJECT_BOOST) if name == SUBJECT else whole

    def _number(self, chunk: str, last: bool) -> Iterator[Query]:
        typed = chunk.strip("#()[]{}<>\"'.,;:!?").lower()
        if not _CASE_KEY.fullmatch(typed):
            return
        yield Query.boost_query(_term(self._schema, KEY, typed), _KEY_BOOST)
        if last and typed.isdigit() and self._is_short(typed):
            yield _term(self._schema, BEGINS_KEY, typed)
        elif last:
            yield _beginning(self._schema, KEY, typed)

    def _is_short(self, word: str) -> bool:
        return len(word) <= SHORT and not self._scored


def _visible(schema: Schema, viewer: Viewer) -> Iterator[Query]:
    """Nothing for staff; for a customer the cases that they may see, and no others."""
    if not viewer.staff:
        own = [_term(schema, PEOPLE, viewer.email.lower())] if viewer.email else []
        yield _any([*own, *(_term(schema, "account", account) for account in viewer.accounts)])


def _filtered(schema: Schema, filters: Filters, viewer: Viewer) -> Iterator[Query]:
    for name in FACETS:
        if values := _values(filters, name):
            yield Query.term_set_query(schema, name, values)
    if filters.mine:
        email = (viewer.email or "").lower()
        yield _any(_term(schema, name, email) for name in (PEOPLE, "assignee") if email)
    if filters.due:
        yield _during(schema, DUE, filters.due)
    if filters.within:
        yield from _filtered(schema, filters.within, viewer)


def _during(schema: Schema, name: str, span: Span) -> Query:
    start = milliseconds(span.start) if span.start else 0
    return Query.range_query(
        schema, name, FieldType.Unsigned, start, milliseconds(span.end), include_lower=True, include_upper=False
    )


def _values(filters: Filters, name: str) -> list[str]:
    values: list[str] = getattr(filters, name)
    return [value.lower() for value in values] if name == "assignee" else values


def _term(schema: Schema, name: str, value: str) -> Query:
    return Query.term_query(schema, name, value, "basic")


def _beginning(schema: Schema, name: str, text: str) -> Query:
    """Words that begin so: by an automaton for no edits at all, which is made in no time. One for a regular expression
    takes milliseconds."""
    return Query.fuzzy_term_query(schema, name, text, distance=0, transposition_cost_one=False, prefix=True)


def _all(queries: Iterator[Query] | Sequence[Query]) -> Query:
    parts = list(queries)
    return parts[0] if len(parts) == 1 else Query.boolean_query([(Occur.Must, part) for part in parts])


def _any(queries: Iterator[Query] | Sequence[Query]) -> Query:
    parts = list(queries)
    if len(parts) == 1:
        return parts[0]
    return Query.boolean_query([(Occur.Should, part) for part in parts]) if parts else Query.empty_query()
