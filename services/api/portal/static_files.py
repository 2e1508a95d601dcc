"""Style sheets, scripts and icons: read once, packed once, kept by browsers for ever under an address of their own."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.api.problems import not_found

STATIC: Final = Path(__file__).parent / "static"
NEEDED: Final = ("vendor/htmx.min.js", "vendor/idiomorph-ext.min.js", "vendor/icons.svg")
"""What set-up puts there (``front_end.py``); without it there are no pages."""
SHEET: Final = "app.css"
"""All style sheets as one: tokens and base first, the others by name."""
_FIRST: Final = ("tokens.css", "base.css")
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes
    type: str


class StaticFiles:
    """The files as they are served, read once."""

    def __init__(self) -> None:
        paths = sorted(path for path in STATIC.rglob("*") if path.suffix in _TYPES)
        contents = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in paths if path.suffix != ".css"}
        sheets = sorted((path for path in paths if path.suffix == ".css"), key=_place)
        contents[SHEET] = b"\n".join(path.read_bytes() for path in sheets)
        digest = hashlib.sha256(b"".join(name.encode() + content for name, content in sorted(contents.items())))
        self._files = {name: _packed(name, content) for name, content in contents.items()}
        self.version = digest.hexdigest()[:12]

    @property
    def missing(self) -> list[str]:
        """What set-up has not put in place."""
        return [name for name in NEEDED if name not in self._files]

    def address(self, name: str) -> str:
        """Where a browser finds the file."""
        return f"/static/{self.version}/{name}"

    def answer(self, version: str, name: str, *, packed: bool) -> Response:
        """The file; for a page that is older than we are as it is now, not to be kept.

        Raises:
            Problem: 404.
        """
        file = self._files.get(name)
        if file is None:
            raise not_found(f"file «{name[:100]}»")
        headers = {"Cache-Control": _FOR_EVER if version == self.version else "no-cache", "Vary": "Accept-Encoding"}
        headers |= {"X-Content-Type-Options": "nosniff"} | ({"Content-Encoding": "gzip"} if packed else {})
        return Response(file.packed if packed else file.content, media_type=file.type, headers=headers)


def _place(sheet: Path) -> tuple[int, str]:
    return (_FIRST.index(sheet.name) if sheet.name in _FIRST else len(_FIRST), sheet.name)


def _packed(name: str, content: bytes) -> _File:
    return _File(content, gzip.compress(content, mtime=0), _TYPES[Path(name).suffix])


router = APIRouter(include_in_schema=False)


@router.get("/static/{version}/{name:path}")
async def get_static(version: str, name: str, request: Request) -> Response:
    """A style sheet, script or icon."""
    files: StaticFiles = request.app.state.static_files
    return files.answer(version, name, packed="gzip" in request.headers.get("Accept-Encoding", ""))
