"""What people type, in Markdown, as harmless HTML: for pages and for mail alike."""

from __future__ import annotations

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {
    *("a", "b", "blockquote", "br", "code", "del", "em", "hr", "i", "li", "ol", "p", "pre", "s", "strong", "ul"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "tbody", "td", "th", "thead", "tr"),
}
"""No images: what is fetched from elsewhere tells others who reads, and when."""


def render_markdown(typed: str) -> Markup:
    """What a person typed as harmless HTML: no scripts, no forms, no images, no HTML of their own."""
    html = _markdown().render(typed)
    return Markup(nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"}))  # noqa: S704


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
