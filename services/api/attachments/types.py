"""Which types of files there are: what their content must look like, and what is never taken."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import puremagic

from services.api.attachments.archives import NotReadableError, directory_of
from services.api.attachments.evidence import OLE, Evidence

DOWNLOAD_ALONE = "application/octet-stream"
"""For what a browser would run or guess at: it is saved, whoever asks for it how."""


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of files.

    Args:
        content_type: as which they are sent out.
        fits: whether content is of this type.
    """

    content_type: str
    fits: Callable[[Evidence], bool]


def _text(evidence: Evidence) -> bool:
    return evidence.is_text


def _begins(beginning: bytes, evidence: Evidence) -> bool:
    return evidence.head.startswith(beginning)


def _known_as(endings: str, evidence: Evidence) -> bool:
    """Whether puremagic takes it for one of these."""
    try:
        found = {match.extension for match in puremagic.magic_string(evidence.head)}
    except (puremagic.PureError, ValueError):
        return False
    return not found.isdisjoint(f".{ending}" for ending in endings.split())


def _pdf(evidence: Evidence) -> bool:
    return b"%PDF-" in evidence.head[:1024]


def _ole(evidence: Evidence) -> bool:
    return evidence.head.startswith(OLE)


def _zip(evidence: Evidence) -> bool:
    return evidence.head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and _members(evidence) is not None


def _members(evidence: Evidence) -> set[str] | None:
    try:
        return {file.filename for file in directory_of(evidence)}
    except NotReadableError:
        return None


def _office(folder: str, evidence: Evidence) -> bool:
    """The Office formats since 2007: a zip archive with a list of parts and a folder that tells which; no macros.

    Under a password it is an OLE file in which the archive is one encrypted stream.
    """
    if _ole(evidence):
        return _ENCRYPTED in evidence.head + evidence.tail
    members = _members(evidence) or set()
    in_folder = any(name.startswith(folder) for name in members)
    return "[Content_Types].xml" in members and in_folder and not any("vbaProject" in name for name in members)


_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def _open_document(kind: str, evidence: Evidence) -> bool:
    return _zip(evidence) and f"mimetypeapplication/vnd.oasis.opendocument.{kind}".encode() in evidence.head[:256]


def _tar(evidence: Evidence) -> bool:
    """The sum of the first header's bytes, its own field taken as blanks, stands in that field in octal digits."""
    header = evidence.head[:512]
    try:
        stated = int(header[148:156].strip(b"\0 ") or b"-", 8)
    except ValueError:
        return False
    return len(header) == 512 and stated == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])


_NO_VIDEO = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis", b"crx ", b"qt  ")


def _mp4(evidence: Evidence) -> bool:
    return evidence.head[4:8] == b"ftyp" and evidence.head[8:12] not in _NO_VIDEO


def _matroska(kind: bytes, evidence: Evidence) -> bool:
    return evidence.head.startswith(b"\x1aE\xdf\xa3") and kind in evidence.head[:128]


_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
WEBM = FileType("video/webm", partial(_matroska, b"webm"))
MP4 = FileType("video/mp4", _mp4)
_JPEG = FileType("image/jpeg", partial(_begins, b"\xff\xd8\xff"))

TYPES: Mapping[str, FileType] = {
    **dict.fromkeys(("txt", "log", "md", "ini", "conf", "cfg", "sql"), FileType("text/plain", _text)),
    **dict.fromkeys(("csv", "tsv"), FileType("text/csv", _text)),
    **dict.fromkeys(("json", "har"), FileType("application/json", _text)),
    **dict.fromkeys(("xml", "html", "htm", "xhtml", "svg", "eml", "yaml", "yml"), FileType(DOWNLOAD_ALONE, _text)),
    "rtf": FileType("application/rtf", partial(_begins, b"{\\rtf")),
    "pdf": FileType("application/pdf", _pdf),
    "doc": FileType("application/msword", _ole),
    "xls": FileType("application/vnd.ms-excel", _ole),
    "ppt": FileType("application/vnd.ms-powerpoint", _ole),
    "msg": FileType("application/vnd.ms-outlook", _ole),
    "docx": FileType(f"{_OPEN_XML}.wordprocessingml.document", partial(_office, "word/")),
    "xlsx": FileType(f"{_OPEN_XML}.spreadsheetml.sheet", partial(_office, "xl/")),
    "pptx": FileType(f"{_OPEN_XML}.presentationml.presentation", partial(_office, "ppt/")),
    "odt": FileType(f"{_OPEN_DOCUMENT}.text", partial(_open_document, "text")),
    "ods": FileType(f"{_OPEN_DOCUMENT}.spreadsheet", partial(_open_document, "spreadsheet")),
    "odp": FileType(f"{_OPEN_DOCUMENT}.presentation", partial(_open_document, "presentation")),
    "zip": FileType("application/zip", _zip),
    "tar": FileType("application/x-tar", _tar),
    **dict.fromkeys(("gz", "tgz"), FileType("application/gzip", partial(_begins, b"\x1f\x8b"))),
    "7z": FileType("application/x-7z-compressed", partial(_known_as, "7z")),
    "rar": FileType("application/vnd.rar", partial(_known_as, "rar")),
    "xz": FileType("application/x-xz", partial(_known_as, "xz")),
    "bmp": FileType("image/bmp", partial(_known_as, "bmp")),
    "gif": FileType("image/gif", partial(_known_as, "gif")),
    **dict.fromkeys(("jpg", "jpeg"), _JPEG),
    "png": FileType("image/png", partial(_known_as, "png")),
    "webp": FileType("image/webp", partial(_known_as, "webp")),
    **dict.fromkeys(("heic", "heif"), FileType("image/heic", partial(_known_as, "heic heif"))),
    **dict.fromkeys(("tif", "tiff"), FileType("image/tiff", partial(_known_as, "tif tiff"))),
    "mp3": FileType("audio/mpeg", partial(_known_as, "mp3 mpga")),
    "wav": FileType("audio/wav", partial(_known_as, "wav")),
    "webm": WEBM,
    "mkv": FileType("video/x-matroska", partial(_matroska, b"matroska")),
    "mp4": MP4,
    "mov": FileType("video/quicktime", partial(_known_as, "mov qt")),
}
"""By ending. What is missing here and not unsafe is taken, where a desk takes any safe type, and only ever saved."""

RECORDINGS: Mapping[str, FileType] = {"webm": WEBM, "mp4": MP4}
"""What browsers record a screen as (desk-rules A4)."""

_PROGRAMS = (
    "apk app application appx asp aspx bash bat cgi chm class cmd com command cpl csh deb desktop dll dmg drv efi exe "
    "fish gadget hlp hta inf ipa jar jnlp js jse jsp ksh lnk mjs msc msi msix msp mst ocx php pif pkg pl ps1 ps1xml "
    "psd1 psm1 py pyc pyw pyz rb reg rpm run scf scr sct sh sys url vb vbe vbs webloc ws wsc wsf wsh zsh"
)
_DISK_IMAGES = "img iso udf vhd vhdx"
"""They hide from a system that what is in them came from elsewhere."""
_WITH_SCRIPTS = "htm html mht mhtml shtml svg svgz swf xht xhtml xsl xslt"
_WITH_MACROS = "docm dotm one potm ppam ppsm pptm sldm xlam xll xlsb xlsm xltm"
UNSAFE = frozenset(f"{_PROGRAMS} {_DISK_IMAGES} {_WITH_SCRIPTS} {_WITH_MACROS}".split())
"""Endings that a desk which takes any safe type does not take."""

_EXECUTABLE = (
    b"\x7fELF",
    b"#!",
    b"\xef\xbb\xbf#!",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xbe\xba\xfe\xca",
    b"\0asm",
    b"dex\n0",
    b"L\0\0\0\x01\x14\x02\0",
)
"""Linux, scripts, macOS (and Java), WebAssembly, Android, shortcuts of Windows."""
_INSTALLERS = tuple(struct.pack("<IHH8s", part, 0, 0, b"\xc0\0\0\0\0\0\0\x46") for part in range(0xC1082, 0xC1087))
"""Classes of installers, patches and transforms of Windows: OLE files, as the old Office formats are."""


def is_executable(evidence: Evidence) -> bool:
    """Whether some system would run it as a program, by its content."""
    windows = evidence.head.startswith((b"MZ", b"ZM")) and not evidence.is_text
    return windows or evidence.head.startswith(_EXECUTABLE) or evidence.ole_class in _INSTALLERS
