"""Looking into zip archives without unpacking them: their directory stands at the end and says what is inside."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from services.api.attachments.evidence import Evidence

UNPACKED_MAX_BYTES = 1024 * 1024 * 1024
RATIO_LOOKED_AT_FROM = 10 * 1024 * 1024
RATIO_MAX = 200
"""Text becomes a twentieth at best, logs a fiftieth; only nothing at all becomes so little."""
NESTED_RATIO_MAX = 10
"""An archive can't be packed again, unless what it holds is the same over and over."""
_ARCHIVES = (".zip", ".jar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".tar.lz4")


class NotReadableError(Exception):
    """It is no zip archive, or one with more files in it than can be looked through."""


def directory_of(evidence: Evidence) -> Sequence[zipfile.ZipInfo]:
    """What the archive says of the files in it.

    Raises:
        NotReadableError: it says nothing that can be read.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(_Remembered(evidence), 1)) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError, ValueError, OSError) as error:
        raise NotReadableError(str(error)) from error


def why_a_bomb(files: Sequence[zipfile.ZipInfo]) -> str:
    """Why the archive is made to fill somebody's disk; empty if it is not."""
    unpacked, packed = sum(file.file_size for file in files), sum(file.compress_size for file in files)
    if unpacked > UNPACKED_MAX_BYTES:
        return f"it would unpack to {unpacked:,} bytes"
    if unpacked > RATIO_LOOKED_AT_FROM and unpacked > RATIO_MAX * packed:
        return f"it would unpack to {unpacked / max(packed, 1):,.0f} times its size"
    for file in files:
        if file.filename.lower().endswith(_ARCHIVES) and file.file_size > NESTED_RATIO_MAX * max(file.compress_size, 1):
            return "it holds archives that hold the same over and over"
    return ""


class _Remembered(io.RawIOBase):
    """The file as far as it is remembered: its end."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__()
        self._tail = evidence.tail
        self._size = evidence.size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start = self._position - (self._size - len(self._tail))
        if start < 0:
            raise zipfile.BadZipFile("its directory is larger than what is looked at")
        found = self._tail[start : start + len(buffer)]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)
