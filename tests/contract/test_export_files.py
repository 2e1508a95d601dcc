"""The files of an export by themselves: whatever people wrote, they open, and nothing in them runs."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from services.api.cases.exports import sending
from services.api.cases.exports.csv_file import CsvFile, inert
from services.api.cases.exports.rows import Cell
from services.api.cases.exports.xlsx_file import XlsxFile

STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


def workbook(rows: list[list[Cell]]) -> Any:
    file = XlsxFile([f"Column {number}" for number in range(len(rows[0]))])
    content = file.start() + b"".join(file.rows([row]) for row in rows) + file.end()
    return openpyxl.load_workbook(io.BytesIO(content))["Cases"]


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "\n1", "  =1", "\u00a0=1", "\u3000=1", "\u200b=1", "\ufeff=1"),
        *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\ufe631", " \uff1d1", "\x01=1", "-"),
    ],
)
def test_what_could_be_a_formula_is_marked_as_text(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "1", "a=1", "'=1", "(=1)", "Ünïcödé", "日本", "\u2013 a dash", "1-2"])
def test_what_could_not_stays(text: str) -> None:
    assert inert(text) == text


@given(STORABLE)
def test_csv_gives_back_every_text(text: str) -> None:
    file = CsvFile(["Subject", "Number"])
    content = file.start() + file.rows([[text, 1]]) + file.end()
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [
        ["Subject", "Number"],
        [inert(text), "1"],
    ]
    assert content.endswith(b"\r\n")


@settings(deadline=None)
@given(STORABLE)
def test_a_workbook_gives_back_every_text(text: str) -> None:
    cell = workbook([[text, None, 7]])["A2"]
    assert unescape(cell.value or "") == text
    assert cell.data_type in {"s", "inlineStr", "n"}
    assert cell.data_type != "n" or not text


def test_a_workbook_has_times_numbers_and_gaps() -> None:
    moment = datetime(2026, 3, 29, 1, 30, 5)  # noqa: DTZ001
    sheet = workbook([[12, None, moment], [None, "", None]])
    assert [cell.value for cell in sheet[2]] == [12, None, moment]
    assert sheet["C2"].is_date
    assert [cell.value for cell in sheet[1]] == ["Column 0", "Column 1", "Column 2"]
    assert sheet["A1"].font.b
    assert sheet.max_row == 3


@pytest.mark.parametrize("text", ["x" * 32_768, "🙂" * 16_384, "x" * 70_000])
def test_what_no_cell_holds_ends_with_a_mark(text: str) -> None:
    value = str(workbook([[text]])["A2"].value)
    assert value.endswith("…")
    assert 32_766 <= len(value.encode("utf-16-le")) // 2 <= 32_767
    assert text.startswith(value[:-1])


@pytest.mark.parametrize("text", ["x" * 32_767, "🙂" * 16_383])
def test_what_a_cell_holds_is_whole(text: str) -> None:
    assert workbook([[text]])["A2"].value == text


def test_many_columns_have_their_letters() -> None:
    sheet = workbook([list(range(30))])
    assert (sheet["AD2"].value, sheet["AD1"].value) == (29, "Column 29")


def test_a_workbook_that_is_given_up_is_none() -> None:
    file = XlsxFile(["Subject"])
    begun = file.start() + file.rows([["a"]])
    file.close()
    with pytest.raises(Exception, match="not a zip file"):
        openpyxl.load_workbook(io.BytesIO(begun))


async def test_the_next_rows_are_read_while_the_last_are_written() -> None:
    done = []

    async def read() -> AsyncGenerator[list[list[Cell]], None]:
        for batch in (1, 2, 3):
            await asyncio.sleep(0)
            done.append(f"{batch} read")
            yield [[batch]] * 500

    async for rows in sending._one_ahead(read()):
        await sending._written(CsvFile(["Number"]), rows)
        done.append(f"{rows[0][0]} written")
    assert done == ["1 read", "2 read", "1 written", "3 read", "2 written", "3 written"]
