"""The templates, and what all of them can use."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.api.attachments.types import UNSAFE
from services.api.portal.static_files import StaticFiles
from shared.markdown import render_markdown

_TEMPLATES: Final = Path(__file__).parent / "templates"
HUES: Final = 8
"""Colours of avatars; ``avatar.css`` has them."""


def make_templates(files: StaticFiles) -> Environment:
    """Make the environment of all templates.

    Args:
        files: for their addresses.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.globals |= {
        "static": files.address,
        "files_missing": lambda: files.missing,
        "unsafe_endings": sorted(UNSAFE),
    }
    environment.filters |= {"markdown": render_markdown, "hue": hue, "initials": initials}
    return environment


def templates(request: Request) -> Environment:
    """Those of the application that answers this request."""
    environment: Environment = request.app.state.templates
    return environment


@lru_cache(maxsize=8192)
def hue(who: str) -> int:
    """A colour for somebody, the same everywhere."""
    return hashlib.sha256(who.encode()).digest()[0] % HUES


@lru_cache(maxsize=8192)
def initials(name: str) -> str:
    """One or two letters for an avatar."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
    return "".join(letters).upper() or "?"
