"""How a case lies in Tantivy: its fields, and the making of a document."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import tantivy

from services.search.index import CaseDocument
from shared.contracts.search import FACETS
from shared.domain.case import Status

SCHEMA_VERSION: Final = 5
"""Raise it with every change of what documents hold: an index of another version is built anew."""

ID: Final = "id"
DESK: Final = "desk"
NUMBER: Final = "number"
SEQ: Final = "seq"
KEY: Final = "key"
PEOPLE: Final = "people"
SUBJECT: Final = "subject"
TEXT: Final = "text"
INTERNAL: Final = "internal"
DUE: Final = "due"
BEGINS: Final = "begins"
BEGINS_INTERNAL: Final = "begins_internal"
BEGINS_KEY: Final = "begins_key"
SHORT: Final = 3
"""Letters. Beginnings and words up to that length are in most cases, so that the index has them as terms of fields of
their own: one for all that everybody sees, one for what notes have beyond it."""
NOBODY: Final = "none"
"""How a case without an assignee is filtered and counted."""
COUNTED: Final = (("status", "severity", "impact"), ("product", "type"), ("account",), ("assignee",))
"""Facets that are counted together: each column costs as much as any other, and those of few values can share one."""

_WORDS: Final = "words"
_TIME_SORTS: Final = ("updated_at", "created_at")
_RANK_SORTS: Final = ("status", "severity", "impact")
_TEXT_SORTS: Final = ("subject", "product")
_STATUS_ORDER: Final = {status.value: rank for rank, status in enumerate(Status)}
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_MAX_U64: Final = 2**64 - 1
_RANK_BITS: Final = 32
_TIME_BITS: Final = 23
"""Left for the number beside 41 bits of milliseconds (until 2089): among cases of one millisecond a desk's first eight
million are in order of their numbers."""
_LAST: Final = "\U0010ffff"
_SORTED_CHARACTERS: Final = 100


def sort_field(key: str, *, descending: bool) -> str:
    """The field that sorts by that key in that direction; it breaks ties by number, newest first, in both."""
    if key == NUMBER:
        return NUMBER
    return f"{key}_{'desc' if descending else 'asc'}"


def together(facets: Sequence[str]) -> str:
    """The field with the values of facets that are counted together; of one facet its own."""
    return "_".join(facets)


def counted_field(name: str) -> str:
    """The column in which the values of a field are counted, as numbers."""
    return f"{name}_number"


def schema() -> tantivy.Schema:
    """The fields. Nothing is stored: answers are numbers, and those lie in a column."""
    builder = tantivy.SchemaBuilder()
    for name in (ID, DESK, KEY, PEOPLE):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in (BEGINS, BEGINS_INTERNAL, BEGINS_KEY):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    for name in dict.fromkeys((*FACETS, *map(together, COUNTED))):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for facets in COUNTED:
        builder.add_unsigned_field(counted_field(together(facets)), fast=True)
    for name in (SUBJECT, TEXT, INTERNAL):
        builder.add_text_field(name, tokenizer_name=_WORDS, index_option="freq")
    for name in (NUMBER, SEQ, DUE):
        builder.add_unsigned_field(name, fast=True)
    for descending in (False, True):
        for key in (*_TIME_SORTS, *_RANK_SORTS):
            builder.add_unsigned_field(sort_field(key, descending=descending), fast=True)
        for key in _TEXT_SORTS:
            name = sort_field(key, descending=descending)
            builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    return builder.build()


def analyzer() -> tantivy.TextAnalyzer:
    """Words are runs of letters and digits, without case and accents. No word is left out, however common or long."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    return builder.filter(tantivy.Filter.ascii_fold()).filter(tantivy.Filter.lowercase()).build()


_ANALYZER: Final = analyzer()
_AS_WORDS: Final = {place: chr(place).lower() if chr(place).isalnum() else " " for place in range(128)}
"""Makes of a text in ASCII its words with spaces between."""


def register_analyzer(index: tantivy.Index) -> None:
    """Make the index cut texts into words as `words_of` does."""
    index.register_tokenizer(_WORDS, _ANALYZER)


def words_of(text: str) -> list[str]:
    """The words of a text as they are in the index; in ASCII without the analyzer, in half its time."""
    return text.translate(_AS_WORDS).split() if text.isascii() else _ANALYZER.analyze(normalised(text))


def normalised(text: str) -> str:
    """Text in which an accented letter is one character, so that the analyzer can take the accent off."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def document(case: CaseDocument, number_of: Callable[[str, str], int]) -> tantivy.Document:
    """The case as a document.

    Args:
        case: what it holds.
        number_of: the number that stands for a value of a field in which facets are counted.

    Fields are added one by one with their types named: a wrong guess of a type kills the writer (stack-notes).
    """
    made = tantivy.Document()
    made.add_text(ID, case.id)
    made.add_text(DESK, case.desk)
    made.add_unsigned(NUMBER, case.number)
    made.add_unsigned(SEQ, case.seq)
    made.add_text(KEY, str(case.number))
    made.add_text(KEY, f"{case.key}-{case.number}".lower())
    for address in case.people:
        made.add_text(PEOPLE, address.lower())
    made.add_text(BEGINS_KEY, " ".join(_beginnings([str(case.number)])))
    text = "\n".join(filter(None, (case.text, *case.people, *case.names, case.internal_reference)))
    made.add_text(SUBJECT, normalised(case.subject))
    made.add_text(TEXT, normalised(text))
    public = _short(words_of(f"{case.subject}\n{text}"))
    made.add_text(BEGINS, " ".join(public))
    if case.internal:
        made.add_text(INTERNAL, normalised(case.internal))
        made.add_text(BEGINS_INTERNAL, " ".join(_short(words_of(case.internal)) - public))
    _add_facets(made, case, number_of)
    if case.due_at:
        made.add_unsigned(DUE, milliseconds(case.due_at))
    _add_sort_fields(made, case)
    return made


def _add_facets(made: tantivy.Document, case: CaseDocument, number_of: Callable[[str, str], int]) -> None:
    values: dict[str, str] = {name: getattr(case, name) or "" for name in FACETS}
    values["assignee"] = values["assignee"] or NOBODY
    # No value has a NUL in it: Postgres takes none.
    values |= {together(facets): "\0".join(values[name] for name in facets) for facets in COUNTED if len(facets) > 1}
    for name, value in values.items():
        if value:
            made.add_text(name, value)
    for name in map(together, COUNTED):
        if values[name]:
            made.add_unsigned(counted_field(name), number_of(name, values[name]))


def whole(word: str) -> str:
    """The term for a short word; its letters alone are the beginning of it and of others."""
    return f"{word}."


def _short(words: Iterable[str]) -> set[str]:
    """Short beginnings of the words, and the short ones among them."""
    each = set(words)
    return _beginnings(each) | {whole(word) for word in each if len(word) <= SHORT}


def _beginnings(words: Iterable[str]) -> set[str]:
    begins = {word[:SHORT] for word in words}
    for length in range(SHORT - 1, 0, -1):
        begins |= {each[:length] for each in begins}
    return begins


def milliseconds(moment: datetime) -> int:
    """A time as a number; those before 2020 are one."""
    return max(0, (moment - _EPOCH) // timedelta(milliseconds=1))


def _add_sort_fields(made: tantivy.Document, case: CaseDocument) -> None:
    for key in _TIME_SORTS:
        moment: datetime = getattr(case, key)
        _add_order(made, key, max(0, round((moment - _EPOCH).total_seconds() * 1000)), case.number, _TIME_BITS)
    status = _STATUS_ORDER.get(case.status, len(_STATUS_ORDER))
    for key, rank in (("status", status), ("severity", case.severity_rank), ("impact", case.impact_rank)):
        _add_order(made, key, rank, case.number, _RANK_BITS)
    for key in _TEXT_SORTS:
        _add_text_order(made, key, getattr(case, key), case.number)


def _add_order(made: tantivy.Document, key: str, value: int | None, number: int, bits: int) -> None:
    """One column for each direction, because ties are by number descending in both, and what is missing comes last."""
    most = 2**bits - 1
    number = min(number, most)
    ascending, descending = _MAX_U64 - number, number
    if value is not None:
        ascending = (value << bits) | (most - number)
        descending = ((value + 1) << bits) | number
    made.add_unsigned(sort_field(key, descending=False), ascending)
    made.add_unsigned(sort_field(key, descending=True), descending)


def _add_text_order(made: tantivy.Document, key: str, text: str | None, number: int) -> None:
    folded = _folded(text) if text else None
    inverse = 2**_RANK_BITS - 1 - number
    made.add_text(sort_field(key, descending=False), f"{_LAST if folded is None else folded}\0{inverse:08x}")
    made.add_text(sort_field(key, descending=True), f"{folded or ''}\0{number:08x}")


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    if not letters.isascii():
        letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return letters[:_SORTED_CHARACTERS].strip()
