"""What is looked at of a file while it passes: its beginning, its end, and whether it is text."""

from __future__ import annotations

from collections import deque

HEAD_BYTES = 8 * 1024
TAIL_BYTES = 1024 * 1024
"""Room for the directory of a zip archive with some ten thousand files: it stands at the end."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ROOT_CLASS = slice(80, 96)
_TEXT = bytes(sorted({*range(0x20, 0x100), *b"\t\n\v\f\r\x1b"} - {0x7F}))
"""Characters of text in any encoding that goes by single bytes, or UTF-8."""
_WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff")
"""Text in UTF-16 says so at its beginning."""


class Evidence:
    """Collects it, chunk by chunk; at most a little more than ``HEAD_BYTES`` and ``TAIL_BYTES`` are kept.

    Attributes:
        head: the first bytes.
        size: how many bytes have passed.
        is_text: whether none of them occurs in binary files alone.
    """

    def __init__(self) -> None:
        self.head = b""
        self.size = 0
        self.is_text = True
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._ole_root = bytearray()

    def add(self, chunk: bytes) -> None:
        """The next bytes of the file."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self._look_for_ole_root(chunk)
        self.is_text = self.is_text and (self.head.startswith(_WIDE_TEXT) or not chunk.translate(None, _TEXT))
        self.size += len(chunk)
        self._tail.append(chunk)
        self._tail_bytes += len(chunk)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def tail(self) -> bytes:
        """The last bytes, ``TAIL_BYTES`` or all there are."""
        return b"".join(self._tail)[-TAIL_BYTES:]

    @property
    def ole_class(self) -> bytes:
        """Of an OLE file (the old Office formats, installers): what says which program it is for; empty if unknown."""
        return bytes(self._ole_root[_OLE_ROOT_CLASS])

    def _look_for_ole_root(self, chunk: bytes) -> None:
        """Its root directory may stand anywhere; the header says where."""
        if not self.head.startswith(OLE) or len(self.head) < 512:
            return
        sector, shift = int.from_bytes(self.head[48:52], "little"), min(int.from_bytes(self.head[30:32], "little"), 12)
        start = (sector + 1) << shift
        missing = range(start + len(self._ole_root), start + 128)
        if missing and self.size <= missing.start < self.size + len(chunk):
            self._ole_root += chunk[missing.start - self.size : missing.stop - self.size]
