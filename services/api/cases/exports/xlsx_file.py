"""An export as an Excel workbook, made while it is sent.

XlsxWriter writes a workbook only once it has all rows, so that a large one would begin after many seconds and lie on
disk meanwhile. It makes the workbook around the rows here: styles, headings, everything that is not the rows. These are
written into it as they come, with every text as a text: nothing in a cell can be a formula or a link.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

import xlsxwriter
from sqlalchemy import ColumnElement
from xlsxwriter.utility import xl_col_to_name

from services.api.cases.exports.rows import Cell

_SHEET: Final = "xl/worksheets/sheet1.xml"
_MOST_CHARACTERS: Final = 32_767
"""In a cell, counted as UTF-16 does; Excel calls a workbook with more damaged."""
_NOT_IN_XML: Final = re.compile("[\0-\x08\x0b-\x1f\ufffe\uffff]")
_LIKE_AN_ESCAPE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - as in a cell
_DAY_SECONDS: Final = 86_400
_WIDTH: Final = 18
_FASTEST: Final = 1


class _Sent:
    """What a zip file is written to: keeps it until it is taken, and can't go back."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


class XlsxFile:
    """Made piece by piece: each method returns the bytes that come next. To be closed."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    most_rows: int | None = 1_048_575
    """Beside the headings; a sheet of Excel has no more."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._sent = _Sent()
        self._zip = zipfile.ZipFile(self._sent, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST)  # type: ignore[call-overload]
        self._row = 1
        with zipfile.ZipFile(_around(headings)) as made:
            for name in made.namelist():
                if name != _SHEET:
                    self._zip.writestr(name, made.read(name))
            begin, sample, self._end = re.split(r'(<row r="2".*)(?=</sheetData>)', made.read(_SHEET).decode())
        self._columns = [xl_col_to_name(column) for column in range(len(headings))]
        self._moment = re.findall(r' s="\d+"', sample)[0]
        self._sheet = self._zip.open(_SHEET, "w")
        # How far the sheet reaches is known only at its end, and readers that are told less would stop there.
        self._sheet.write(re.sub("<dimension [^>]*>", "", begin).encode())

    @staticmethod
    def moment(local: ColumnElement[Any]) -> ColumnElement[Any]:
        """A time as Postgres is to give it, as it is."""
        return local

    def start(self) -> bytes:
        return self._sent.take()

    def rows(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        self._sheet.write("".join(map(self._xml, rows)).encode())
        return self._sent.take()

    def end(self) -> bytes:
        self._sheet.write(self._end.encode())
        self.close()
        return self._sent.take()

    def close(self) -> None:
        self._sheet.close()
        self._zip.close()

    def _xml(self, row: Sequence[Cell]) -> str:
        self._row += 1
        made = [self._cell(column, cell) for column, cell in zip(self._columns, row, strict=True) if cell is not None]
        return f'<row r="{self._row}">{"".join(made)}</row>'

    def _cell(self, column: str, cell: str | int | datetime) -> str:
        place = f'r="{column}{self._row}"'
        match cell:
            case str():
                return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{_escaped(cell)}</t></is></c>'
            case int():
                return f"<c {place}><v>{cell}</v></c>"
            case _:
                days = (cell - _DAY_ZERO).total_seconds() / _DAY_SECONDS
                return f"<c {place}{self._moment}><v>{days:.10f}</v></c>"


def _around(headings: Sequence[str]) -> io.BytesIO:
    """A workbook with headings, and in its second row one time for its style."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("Cases")
        heading, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.set_column(0, len(headings) - 1, _WIDTH)
        sheet.write_row(0, 0, headings, heading)
        sheet.write_datetime(1, 0, _DAY_ZERO, moment)
        sheet.freeze_panes(1, 0)
    made.seek(0)
    return made


def _escaped(text: str) -> str:
    if len(text) > _MOST_CHARACTERS // 2:
        text = _shortened(text)
    if not text.isprintable() or "_x" in text:
        text = _NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", _LIKE_AN_ESCAPE.sub("_x005F_", text))
    return escape(text)


def _shortened(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * _MOST_CHARACTERS:
        return text
    return units[: 2 * (_MOST_CHARACTERS - 1)].decode("utf-16-le", "ignore") + "…"
