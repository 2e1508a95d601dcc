"""An export as CSV: RFC 4180, in UTF-8 with the mark by which Excel knows it, and no cell that is a formula."""

from __future__ import annotations

import csv
import io
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func

from services.api.cases.exports.rows import Cell

_FORMULA_STARTS = frozenset("=+-@")
_PLAIN = frozenset(string.ascii_letters + string.digits)
_LINE_STARTS = frozenset("\t\r\n")
_UNSEEN = re.compile(r"[\s\0-\x1f\u200b-\u200f\u2060\ufeff]*")


class CsvFile:
    """Made piece by piece: each method returns the bytes that come next."""

    media_type = "text/csv; charset=utf-8"
    most_rows: int | None = None

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = headings

    @staticmethod
    def moment(local: ColumnElement[Any]) -> ColumnElement[Any]:
        """A time as Postgres is to give it, as text."""
        return func.to_char(local, "YYYY-MM-DD HH24:MI:SS")

    def start(self) -> bytes:
        return b"\xef\xbb\xbf" + self.rows([self._headings])

    def rows(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        lines = io.StringIO(newline="")
        # Most cells are as they are to be, and a call for each would cost more than all the rest.
        csv.writer(lines).writerows(
            [cell if type(cell) is not str or cell[:1] in _PLAIN else inert(cell) for cell in row] for row in rows
        )
        return lines.getvalue().encode()

    def end(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is held."""


def inert(text: str) -> str:
    """The text, with ``'`` in front if a spreadsheet could take it for a formula.

    That is if it begins, after white space and characters that are not seen, with one of ``= + - @`` or a wide form of
    it, or right away with a tab or the end of a line (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    first = text[_UNSEEN.match(text).end() :][:1]  # type: ignore[union-attr]  # it matches the empty text too
    if text[:1] in _LINE_STARTS or unicodedata.normalize("NFKC", first) in _FORMULA_STARTS:
        return f"'{text}"
    return text
