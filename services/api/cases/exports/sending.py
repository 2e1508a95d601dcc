"""A whole filtered list as a file, sent while it is read: nothing of it is kept but the cases' numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from fastapi.responses import StreamingResponse
from starlette.types import Send

from services.api.callers import Caller, DeskView
from services.api.cases.exports.csv_file import CsvFile
from services.api.cases.exports.rows import Cell, Rows, columns
from services.api.cases.exports.xlsx_file import XlsxFile
from services.api.cases.filters import ExportQuery
from services.api.cases.finding import SearchAwayError, as_search, numbers_from_record, numbers_from_search
from services.api.context import Context
from services.api.problems import FieldError, invalid
from shared.contracts.search import SearchQuery
from shared.telemetry import get_logger

FILES: Final[dict[str, type[CsvFile] | type[XlsxFile]]] = {"csv": CsvFile, "xlsx": XlsxFile}
_ROWS_AT_ONCE: Final = 500
"""A connection to Postgres is held only while so many are read, however slowly the file is taken."""
_ROWS_IN_A_TURN: Final = 50
"""Written in about a millisecond, after which others have their turn: the reading of the next rows is one of them."""

_T = TypeVar("_T")

_log = get_logger(__name__)


class ExportBrokenError(Exception):
    """The file can't be finished."""


class FileSent(StreamingResponse):
    """A file; if it breaks off, the server cuts the connection, by which the receiver knows that it is not whole."""

    async def stream_response(self, send: Send) -> None:
        with suppress(ExportBrokenError):
            await super().stream_response(send)


async def export(context: Context, caller: Caller, query: ExportQuery) -> AsyncGenerator[bytes, None]:
    """The file, begun: what is to be refused is refused before its first byte. Later on it ends with an
    ``ExportBrokenError`` if it can't be finished.

    Raises:
        Problem: 422 as for a list, or for more cases than the format holds; 503 if words are asked for and no search
            node answers.
    """
    pieces = _pieces(context, caller, query)
    return _begun(await anext(pieces), pieces)


def file_name(desk: DeskView, query: ExportQuery) -> str:
    """Such as ``connect-cases-2026-11-22.csv``; the day is the desk's."""
    return f"{desk.slug}-cases-{datetime.now(ZoneInfo(desk.timezone)):%Y-%m-%d}.{query.format}"


async def _begun(first: bytes, others: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(others):
        yield first
        try:
            async for piece in others:
                yield piece
        except Exception as error:
            _log.error("export broken off", error=repr(error))
            raise ExportBrokenError(repr(error)) from None


async def _pieces(context: Context, caller: Caller, query: ExportQuery) -> AsyncGenerator[bytes, None]:
    desk, begun, count = caller.desk, False, 0
    wanted = await as_search(context, caller, query, query.after_seq)
    file = FILES[query.format](list(columns(desk).values()))
    try:
        async with aclosing(_one_ahead(_read(context, caller, wanted, Rows(desk, file.moment)))) as batches:
            async for total, rows in batches:
                if not begun:
                    _check_size(query, total, file.most_rows)
                    yield file.start()
                    begun = True
                yield await _written(file, rows)
                count += len(rows)
        yield file.end()
        _log.info("cases exported", desk=desk.slug, format=query.format, cases=count)
    finally:
        file.close()


async def _written(file: CsvFile | XlsxFile, rows: Sequence[Sequence[Cell]]) -> bytes:
    pieces = []
    for some in _split(rows, _ROWS_IN_A_TURN):
        pieces.append(file.rows(some))
        await asyncio.sleep(0)
    return b"".join(pieces)


async def _one_ahead(source: AsyncGenerator[_T, None]) -> AsyncGenerator[_T, None]:
    """The same; each is got while the one before is worked on."""
    async with aclosing(source):
        coming = asyncio.ensure_future(anext(source, None))
        try:
            while (item := await coming) is not None:
                coming = asyncio.ensure_future(anext(source, None))
                yield item
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _read(
    context: Context, caller: Caller, query: SearchQuery, rows: Rows
) -> AsyncGenerator[tuple[int, Sequence[Sequence[Cell]]], None]:
    """Rows in order, so many at once, each time with the total of cases; before the first is read, the total alone."""
    begun = False
    async with aclosing(_batches(context, caller, query)) as batches:
        async for total, numbers in batches:
            if not begun:
                yield total, ()
                begun = True
            async with context.database.reading_as(caller.eyes) as session:
                found = await rows.read(session, caller, numbers)
            yield total, found


async def _batches(
    context: Context, caller: Caller, query: SearchQuery
) -> AsyncGenerator[tuple[int, Sequence[int]], None]:
    """Numbers in order, so many at once, each time with the total; one empty batch if there are none."""
    begun = False
    try:
        async with aclosing(numbers_from_search(context.nats, query)) as parts:
            async for part in parts:
                begun = True
                for batch in _split(part.numbers, _ROWS_AT_ONCE):
                    yield part.total, batch
    except SearchAwayError as error:
        _log.warning("no answer from search", error=str(error))
        if begun:
            raise
    if begun:
        return
    async with context.database.read_as(caller.eyes) as session:
        everything = await numbers_from_record(session, caller, query)
    for batch in _split(everything, _ROWS_AT_ONCE):
        yield len(everything), batch


def _split(items: Sequence[_T], most: int) -> list[Sequence[_T]]:
    """In so many at a time; one empty part of nothing."""
    return [items[start : start + most] for start in range(0, max(1, len(items)), most)]


def _check_size(query: ExportQuery, total: int, most: int | None) -> None:
    if most is not None and total > most:
        message = f"format: the list has {total:,} cases, and {query.format} holds {most:,}. Narrow it, or take csv."
        raise invalid(FieldError(field="format", message=message, allowed=["csv"]))
