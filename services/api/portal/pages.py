"""A page in the making: who looks at it, and how it is rendered.

A route asks for one of ``PageHere`` (anybody), ``PersonPageHere`` (whoever is logged in) or ``DeskPageHere`` (somebody
on the desk of the address), and answers with ``page.render(template, …)`` or ``page.go(address)``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.api.auth import Visitor
from services.api.callers import Caller
from services.api.context import Context, Ctx
from services.api.portal.dates import Reader, reader_of
from services.api.portal.navigation import navigation
from services.api.portal.queues.catalogue import queues_for
from services.api.portal.rendering import templates
from services.api.portal.visitors import DeskChoice, caller_of, desks_of, visitor_of
from shared.domain.policy import IMPACTS

THEMES: Final = ("auto", "light", "dark")
SAID: Final = "said"
"""Cookie that holds, until the next page, what is to be told there."""
_YEAR_SECONDS: Final = 365 * 24 * 3600
_PAGE_BEHIND_SECONDS: Final = 3.0
"""What a list may lack while the index catches up: a page follows from so long ago, and misses nothing."""


@dataclass(kw_only=True)
class Page:
    """A page that anybody may see.

    Args:
        request: that it answers.
        context: of the process.
    """

    request: Request
    context: Context

    @cached_property
    def reader(self) -> Reader:
        """How whoever looks reads dates."""
        zone = unquote(self.request.cookies.get("zone", ""))
        return reader_of(self.request.headers.get("Accept-Language", ""), zone, self._zone)

    @property
    def is_fragment(self) -> bool:
        """Whether a part of the page is asked for by a script, not the page."""
        headers = self.request.headers
        return "HX-Request" in headers and "HX-History-Restore-Request" not in headers

    @property
    def address(self) -> str:
        """Path and query of the request."""
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    def render(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """Answer with a page, or a part of one.

        Args:
            template: its name below ``templates/``.
            status: of the answer.
            headers: of the answer, besides those that all pages have.
            values: what the template shows; ``page`` is always there.
        """
        html = templates(self.request).get_template(template).render(self._common() | values)
        said = {"Cache-Control": self.kept, "Vary": "HX-Request, Cookie"} | dict(headers or {})
        answer = HTMLResponse(html, status, said)
        if SAID in self.request.cookies and not self.is_fragment:
            answer.delete_cookie(SAID, path="/")
        return answer

    def go(self, address: str, said: str = "") -> Response:
        """Answer a form with the page that comes next.

        Args:
            address: where, on this site.
            said: a sentence to show there, as ``Case closed.``
        """
        if self.is_fragment:
            answer = Response(status_code=204, headers={"HX-Redirect": address})
        else:
            answer = RedirectResponse(address, 303)
        if said:
            answer.set_cookie(SAID, quote(said), max_age=60, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    def remember(self, answer: Response, name: str, value: str, *, for_scripts: bool = False) -> None:
        """Keep a habit of this browser: theme, desk.

        Args:
            answer: that tells the browser.
            name: of the habit.
            value: of the habit.
            for_scripts: whether scripts keep it as well, which they can't once it is out of their reach.
        """
        answer.set_cookie(
            name, quote(value), max_age=_YEAR_SECONDS, path="/", secure=True, httponly=not for_scripts, samesite="lax"
        )

    @property
    def kept(self) -> str:
        """Whether browsers may keep the page."""
        return "private, no-cache"

    @property
    def _zone(self) -> str:
        return "UTC"

    def _common(self) -> dict[str, Any]:
        theme = self.request.cookies.get("theme", "auto")
        return {
            "page": self,
            "theme": theme if theme in THEMES else "auto",
            "reader": self.reader,
            "said": unquote(self.request.cookies.get(SAID, "")),
            "visitor": None,
            "caller": None,
            "desk": None,
            "desks": (),
            "navigation": (),
            "queues": (),
            "new_key": _new_key,
        }


@dataclass(kw_only=True)
class PersonPage(Page):
    """A page for whoever is logged in."""

    visitor: Visitor

    @property
    def kept(self) -> str:
        """Not at all: after logging out, nobody finds it by going back."""
        return "no-store"

    def _common(self) -> dict[str, Any]:
        return super()._common() | {"visitor": self.visitor}


@dataclass(kw_only=True)
class DeskPage(PersonPage):
    """A page for somebody on a desk."""

    caller: Caller
    desks: list[DeskChoice] = field(default_factory=list)

    def path(self, *parts: object) -> str:
        """An address on this desk: ``path("cases", 12)``."""
        return "/".join(("/desks", self.caller.desk.slug, *(quote(str(part), safe="") for part in parts)))

    @property
    def place(self) -> int | None:
        """From where in the stream of events the page follows."""
        return self.context.hub.place(_PAGE_BEHIND_SECONDS)

    @property
    def least_filters(self) -> dict[str, list[str]]:
        """What a search over the whole desk has to name where the desk requires filters: every value there is."""
        desk = self.caller.desk
        lists = {"product": desk.products, "type": desk.case_types, "severity": desk.severities, "impact": [*IMPACTS]}
        return {name: lists[name] for name in desk.policy.required_filters if name in lists}

    @property
    def _zone(self) -> str:
        return self.caller.desk.timezone

    def _common(self) -> dict[str, Any]:
        return super()._common() | {
            "caller": self.caller,
            "desk": self.caller.desk,
            "desks": self.desks,
            "navigation": navigation(self.caller, self.request.url.path),
            "queues": queues_for(self.caller),
        }


def _new_key() -> str:
    """For a form, so that it is carried out once however often it is sent."""
    return uuid.uuid4().hex


async def _page(request: Request, context: Ctx) -> Page:
    return Page(request=request, context=context)


async def _person_page(request: Request, context: Ctx) -> PersonPage:
    return PersonPage(request=request, context=context, visitor=await visitor_of(request, context))


async def _desk_page(desk: str, page: Annotated[PersonPage, Depends(_person_page)]) -> DeskPage:
    caller = await caller_of(page.context, page.visitor, desk)
    whole = DeskPage(request=page.request, context=page.context, visitor=page.visitor, caller=caller)
    if not whole.is_fragment:
        whole.desks = await desks_of(page.context, page.visitor)
    return whole


PageHere = Annotated[Page, Depends(_page)]
PersonPageHere = Annotated[PersonPage, Depends(_person_page)]
DeskPageHere = Annotated[DeskPage, Depends(_desk_page)]
