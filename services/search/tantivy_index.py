"""The index in Tantivy, embedded: one directory, one writer, any number of readers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import tantivy

from services.search.checksums import verify
from services.search.facet_values import FacetValues
from services.search.index import CaseDocument, IndexBrokenError, QueryError
from services.search.tantivy_moment import RELEVANCE, Moment
from services.search.tantivy_query import has_words
from services.search.tantivy_schema import (
    ID,
    SEQ,
    document,
    register_analyzer,
    schema,
    sort_field,
)
from shared.contracts.search import NumbersPart, SearchAnswer, SearchQuery, SortKey

_WRITER_BYTES: Final = 64_000_000
_FIRST_NUMBERS: Final = 1_000
_MOST_NUMBERS: Final = 50_000
"""Found in one go for an export. Each go sorts again what came before, so that few are fewer work and more memory."""
_DEFAULT_SORT: Final = "-updated_at"
_BESIDE: Final = ThreadPoolExecutor(thread_name_prefix="facets")
"""Facets are counted while the page is found: the engine lets go of Python's lock, and each takes about as long."""


class TantivyIndex:
    """An index in a directory.

    Args:
        directory: exists; belongs to this process alone.
        new: make the index; else it has to be there.

    Raises:
        IndexBrokenError: what lies there is not a sound index, or another process writes it.
    """

    def __init__(self, directory: Path, *, new: bool = False) -> None:
        self._directory = directory
        self._schema = schema()
        self._writing = threading.Lock()
        with _sound(f"the index in {directory} can't be opened"):
            if not new and not tantivy.Index.exists(str(directory)):
                raise ValueError("there is none")
            verify(directory)
            self._index = tantivy.Index(self._schema, str(directory))
            register_analyzer(self._index)
            # Readers see a commit when `commit` returns, not some milliseconds later: searches wait for that.
            self._index.config_reader("manual", 0)
            self._values = FacetValues(self._schema, self._index.searcher())
            self._moment = self._now()
            self._writer: tantivy.IndexWriter | None = self._index.writer(_WRITER_BYTES, 1)
            self._try_every_column()

    @property
    def name(self) -> str:
        return self._directory.name

    def add(self, documents: Sequence[CaseDocument]) -> None:
        made = [document(case, self._values.number) for case in documents]
        with self._write() as writer:
            for each in made:
                writer.add_document(each)

    def replace(self, documents: Sequence[CaseDocument]) -> None:
        made = [(case.id, document(case, self._values.number)) for case in documents]
        with self._write() as writer:
            for case_id, each in made:
                writer.delete_documents_by_term(ID, case_id)
                writer.add_document(each)

    def remove(self, ids: Collection[str]) -> None:
        with self._write() as writer:
            for case_id in ids:
                writer.delete_documents_by_term(ID, case_id)

    def commit(self) -> None:
        with self._write() as writer:
            writer.commit()
            self._moment = self._now()

    def query(self, query: SearchQuery) -> SearchAnswer:
        query = query.model_copy(update={"sort": _sort(query)})
        moment = self._moment
        with _sound("the index can't be read"):
            counting = _BESIDE.submit(moment.facets, query)
            total, numbers = moment.page(query)
            return SearchAnswer(numbers=list(numbers), total=total, facets=counting.result())

    def numbers(self, query: SearchQuery) -> Iterator[NumbersPart]:
        query = query.model_copy(update={"sort": _sort(query)})
        moment = self._moment
        everything = max(1, moment.searcher.num_docs)
        # By relevance each go would score all again.
        start, total, most = 0, 1, everything if query.sort == RELEVANCE else _FIRST_NUMBERS
        while start < total:
            with _sound("the index can't be read"):
                total, numbers = moment.some(query, start, most)
            yield NumbersPart(start=start, numbers=list(numbers), total=total)
            start, most = start + most, min(most * 10, _MOST_NUMBERS)

    def seq_of(self, case_id: str) -> int:
        with _sound("the index can't be read"):
            searcher = self._moment.searcher
            found = searcher.search(tantivy.Query.term_query(self._schema, ID, case_id, "basic"), 1, count=False)
            if not found.hits:
                return 0
            (seq,) = searcher.fast_field_values(SEQ, [found.hits[0][1]])
            return int(seq or 0)

    def close(self) -> None:
        with self._writing:
            writer, self._writer = self._writer, None
            if writer:
                with _sound("the index can't be closed"):
                    writer.wait_merging_threads()

    @contextmanager
    def _write(self) -> Iterator[tantivy.IndexWriter]:
        with self._writing, _sound(f"the index in {self._directory} can't be written"):
            if self._writer is None:
                raise ValueError("it has been closed")
            yield self._writer

    def _now(self) -> Moment:
        self._index.reload()
        return Moment(self._schema, self._index.searcher(), self._values)

    def _try_every_column(self) -> None:
        self._moment.try_facets()
        everything = tantivy.Query.all_query()
        for key in get_args(SortKey):
            if key != RELEVANCE:
                self._moment.searcher.search(everything, 1, order_by_field=sort_field(key, descending=True))


def _sort(query: SearchQuery) -> str:
    """What to sort by. By relevance there is one direction, and without words it means nothing."""
    key = query.sort.removeprefix("-")
    if key not in get_args(SortKey):
        raise QueryError(f"can't sort by {key!r}; sort by one of {', '.join(get_args(SortKey))}, with - for descending")
    if key == RELEVANCE:
        return RELEVANCE if has_words(query.q) else _DEFAULT_SORT
    return query.sort


@contextmanager
def _sound(what: str) -> Iterator[None]:
    """Any failure of the engine is a broken index; its panics are no ordinary exceptions."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, QueryError, IndexBrokenError):
        raise
    except BaseException as error:
        raise IndexBrokenError(f"{what}: {error}") from error
