"""A form with a file, read as it comes in: nothing of it is held in memory or on disk but what is being worked on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.api.problems import FieldError, Problem, invalid

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM_MAX_BYTES = 16 * 1024
"""What a form may have besides the file: boundaries, headers, the other field."""
_FIELD_MAX_BYTES = 100


class FileForm:
    """A ``multipart/form-data`` request with one part ``file`` and at most one ``kind``, in any order.

    Args:
        content_type: the request's header of that name.
        body: what comes in.

    Attributes:
        filename: as the sender gives it; known once the first of the file's bytes have come.
        kind: the other field's value, empty if it is left out; known once all has come.

    Raises:
        Problem: 415 for any other type of request.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        form_type, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if form_type != b"multipart/form-data" or not boundary:
            raise Problem("unsupported_media_type", "Send the file as multipart/form-data, in a field «file».")
        self._body = body
        self._parser = MultipartParser(boundary, self._callbacks())
        self._content: list[bytes] = []
        self._fields: dict[str, bytes] = {}
        self._part = ""
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._complete = False
        self.filename: str | None = None

    @property
    def kind(self) -> str:
        return self._fields.get("kind", b"").decode(errors="replace")

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes. The whole form has been read when they end.

        Raises:
            Problem: 422 for a form that can't be read, or is another.
        """
        overhead = 0
        async for received in self._body:
            self._parse(received)
            content, self._content = self._content, []
            overhead += len(received) - sum(map(len, content))
            if overhead > FORM_MAX_BYTES:
                raise _wrong("body", f"the form has more than {FORM_MAX_BYTES} bytes besides the file.")
            for chunk in content:
                yield chunk
        if not self._complete:
            raise _wrong("body", "the form is cut off; its last boundary is missing.")
        if self.filename is None:
            raise invalid(FieldError(field="file", message="file is required."))

    def _parse(self, received: bytes) -> None:
        try:
            if received:
                self._parser.write(received)
        except FormParserError as error:
            raise _wrong("body", f"not a readable multipart form ({error}).") from error

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._end_of_header,
            "on_headers_finished": self._start_of_part,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _end_of_header(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _start_of_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._headers = {}
        self._part = options.get(b"name", b"").decode(errors="replace")
        filename = options.get(b"filename")
        if self._part not in {"file", "kind"}:
            raise _wrong(self._part[:50] or "body", "is not a field of this form; it has «file» and «kind».")
        if (self._part == "file") != (filename is not None):
            raise _wrong(self._part, "«file» is sent with a file name, «kind» without.")
        if (self._part == "file" and self.filename is not None) or self._part in self._fields:
            raise _wrong(self._part, "is there twice; send one file in each request.")
        if filename is not None:
            self.filename = filename.decode(errors="replace")
        else:
            self._fields[self._part] = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part == "file":
            self._content.append(data[start:end])
            return
        self._fields[self._part] += data[start:end]
        if len(self._fields[self._part]) > _FIELD_MAX_BYTES:
            raise _wrong(self._part, f"has more than {_FIELD_MAX_BYTES} bytes.")

    def _end(self) -> None:
        self._complete = True


def _wrong(field: str, message: str) -> Problem:
    return invalid(FieldError(field=field, message=f"{field}: {message}"))
