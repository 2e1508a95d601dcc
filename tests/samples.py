"""Small real files of every type that desks take, and hostile ones."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping

import xlsxwriter

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WEBM = bytes.fromhex("1a45dfa3 9f 4286 81 01 42f7 81 01 42f2 81 04 42f3 81 08 4282 84") + b"webm" + bytes(200)
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(200)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>'
WINDOWS_PROGRAM = (
    b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(44) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0" + bytes(200)
)
LINUX_PROGRAM = b"\x7fELF\2\1\1" + bytes(200)
SCRIPT = b"#!/bin/sh\nrm -rf /\n"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def webm(*takes: bytes) -> bytes:
    """A recording with what was recorded between its pauses.

    A browser that pauses and resumes goes on with the same file: its parts have one head.
    """
    return WEBM + b"".join(takes)


def docx() -> bytes:
    return zipped({"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<r/>", "word/document.xml": b"<w:document/>"})


def xlsx() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        book.add_worksheet().write(0, 0, "Invoices")
    return content.getvalue()


def ole() -> bytes:
    """An old Office file: its header and an empty root directory."""
    header = OLE + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(14) + struct.pack("<I", 0)
    root = "Root Entry".encode("utf-16-le").ljust(64, b"\0") + struct.pack("<HBB", 22, 5, 0) + bytes(12)
    return header.ljust(512, b"\0") + (root + bytes(48)).ljust(512, b"\0")


def msi() -> bytes:
    """The same, with the class of a Windows installer."""
    return ole()[: 512 + 80] + bytes.fromhex("84100c0000000000c000000000000046") + bytes(416)


def bmp() -> bytes:
    pixels = bytes(4 * 3 * 4)
    header = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54)
    return header + struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def jpg() -> bytes:
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + bytes(100) + b"\xff\xd9"


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("log.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    return content.getvalue()


def pdf(size: int = 300) -> bytes:
    """A document of exactly that many bytes."""
    beginning, end = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", b"\ntrailer\n<<>>\n%%EOF\n"
    return beginning + os.urandom(size - len(beginning) - len(end)) + end


def zip_bomb() -> bytes:
    """Thirty kilobytes that unpack to as many megabytes."""
    return zipped({"zeros": bytes(30_000_000)})


def nested_zip_bomb() -> bytes:
    """An archive of archives that are all the same."""
    return zipped({"inner.zip": zipped({f"{n}.txt": bytes(100_000) for n in range(100)})})


SAMPLES: Mapping[str, bytes] = {
    "doc": ole(),
    "docx": docx(),
    "xls": ole(),
    "xlsx": xlsx(),
    "csv": b"number;amount\r\n1;4,50 \x80\r\n",
    "txt": "Größe: 5 €\n".encode(),
    "pdf": pdf(),
    "bmp": bmp(),
    "jpg": jpg(),
    "jpeg": jpg(),
    "png": png(),
    "tar": tar(),
    "zip": zipped({"log.txt": b"hello"}),
}
"""A file of each type that the strictest of the built-in desks takes (desk-rules T6)."""
