"""Names of uploaded files, made safe to show, to store in a header and to save on any system."""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 200
"""In UTF-8; file systems take 255, and some programs add to a name that is taken."""
_ENDING_MAX_CHARACTERS = 20
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
_SPECIAL = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)
"""Names that mean a device on Windows, whatever ending follows."""


def safe_filename(given: str) -> str:
    """What is kept of the name that an uploader gave.

    Without folders, without characters that can't be seen (among them those that turn the direction of writing, which
    make ``exe.pdf`` of ``fdp.exe``), without those that some system forbids; not empty, not overlong.
    """
    name = _FOLDERS.sub("", unicodedata.normalize("NFC", given))
    name = "".join(" " if letter.isspace() else letter for letter in name if letter.isspace() or _is_visible(letter))
    name = " ".join(_SPECIAL.sub("_", name).split()).rstrip(". ")
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > _ENDING_MAX_CHARACTERS:
        stem, dot, ending = name, "", ""
    room = MAX_BYTES - len(f"{dot}{ending}".encode())
    stem = stem.encode()[:room].decode(errors="ignore").strip(". ") or "file"
    if _RESERVED.fullmatch(stem.split(".", maxsplit=1)[0].rstrip()):
        stem = f"_{stem}"
    return f"{stem}{dot}{ending}"


def ending_of(filename: str) -> str:
    """What stands behind the last dot, in small letters; empty if nothing does."""
    _, dot, ending = filename.rpartition(".")
    return ending.lower() if dot else ""


def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter)[0] != "C"
