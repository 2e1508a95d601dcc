"""Sending a file out: in chunks, to be saved and never shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from services.api.attachments.records import AttachedRow
from services.api.commands import unavailable
from services.api.problems import Problem
from shared.objects import ObjectStore, ObjectStoreError
from shared.objects.attachments import object_name
from shared.telemetry import get_logger

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

_log = get_logger(__name__)


async def send(store: ObjectStore, row: AttachedRow, request: Request) -> Response:
    """The answer with the file, or with the part or the word that the request's headers ask for.

    Args:
        store: that has its content.
        row: what is known of it.
        request: may have ``Range``, ``If-Range`` and ``If-None-Match``.

    Raises:
        Problem: 416; or 503 if the store does not give it out.
    """
    headers = _headers(row)
    if request.headers.get("If-None-Match") in (headers["ETag"], "*"):
        return Response(status_code=304, headers=headers)
    wanted = _range(request, row, headers["ETag"])
    start, end = wanted or (0, row.size)
    headers["Content-Length"] = str(end - start)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.size}"
    chunks = store.read(object_name(row.id), start, end)
    try:
        first = await anext(chunks)
    except (ObjectStoreError, StopAsyncIteration) as error:
        _log.error("the content of a file can't be read", attachment=str(row.id), error=str(error))
        raise unavailable("The file's content can't be read at present; try again later.") from error
    return StreamingResponse(_chain(first, chunks), 206 if wanted else 200, headers, media_type=row.content_type)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _headers(row: AttachedRow) -> dict[str, str]:
    return {
        "Content-Disposition": content_disposition(row.filename),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{row.sha256}"',
        "Accept-Ranges": "bytes",
    }


def content_disposition(filename: str) -> str:
    """The header that has the file saved under its name (RFC 6266), whatever letters that has."""
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _range(request: Request, row: AttachedRow, etag: str) -> tuple[int, int] | None:
    """From where to before where; None for the whole, also where several parts are asked for (RFC 9110, 14.2).

    Raises:
        Problem: 416.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if not match or match[0] == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, row.size) if last else row.size
    else:
        start, end = max(0, row.size - int(last)), row.size
    if start < end:
        return start, end
    headers: Mapping[str, str] = {"Content-Range": f"bytes */{row.size}"}
    raise Problem(
        "range_not_satisfiable", f"The file has {row.size} bytes; none of them is in that range.", (), headers
    )
