"""Small files of each type, as people attach them."""

from __future__ import annotations

import io
import tarfile
import zipfile

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(100)


def _zip(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "<part/>")
    return target.getvalue()


def _tar() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("log.txt"))
    return target.getvalue()


def _picture(kind: str) -> bytes:
    beginnings = {
        "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00",
        "bmp": b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00",
    }
    return beginnings[kind] + bytes(64)


SAMPLES: dict[str, bytes] = {
    "doc": _OLE,
    "docx": _zip("[Content_Types].xml", "word/document.xml"),
    "xls": _OLE,
    "xlsx": _zip("[Content_Types].xml", "xl/workbook.xml"),
    "csv": b"invoice,error\n4711,1217\n",
    "txt": b"Error 1217\n",
    "pdf": b"%PDF-1.7\n%%EOF\n",
    "bmp": _picture("bmp"),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "png": _picture("png"),
    "tar": _tar(),
    "zip": _zip("log.txt"),
}
"""Of each type that the strictest of the built-in desks takes."""

_WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87\x81\x04B\x85\x81\x02"


def webm(*takes: bytes) -> bytes:
    """A recording with what was recorded between its pauses.

    A browser that pauses and resumes goes on with the same file: its parts have one head.
    """
    return _WEBM + b"".join(takes)
