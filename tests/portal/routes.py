"""Every page and form of the portal, read from the application itself, and for whom each is.

Whoever adds a route adds a line to ``AUDIENCE``; a test fails until they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import FastAPI

from services.api.portal.portal import ROUTERS

Audience = Literal["anybody", "person", "customer", "staff", "lead", "admin"]
"""The least that one has to be. Who is staff may all that customers may see; leads are staff, admins are leads."""

CASE: Final = "/desks/{desk}/cases/{number}"
AUDIENCE: Final[Mapping[str, Audience]] = {
    "GET /": "anybody",
    "GET /login": "anybody",
    "POST /login": "anybody",
    "GET /login/oidc": "anybody",
    "GET /login/oidc/callback": "anybody",
    "POST /logout": "person",
    "POST /theme": "person",
    "GET /desks": "person",
    "GET /desks/{desk}": "person",
    "GET /desks/{desk}/cases": "customer",
    "POST /desks/{desk}/cases/selected": "staff",
    "GET /desks/{desk}/cases/lists": "customer",
    "POST /desks/{desk}/cases/lists": "customer",
    "POST /desks/{desk}/cases/lists/{filter_id}": "customer",
    "GET /desks/{desk}/cases/new": "customer",
    "POST /desks/{desk}/cases/new": "customer",
    "GET /desks/{desk}/cases/new/account": "customer",
    "GET /desks/{desk}/cases/new/similar": "customer",
    f"GET {CASE}": "customer",
    f"GET {CASE}/activity": "customer",
    f"POST {CASE}/activity": "customer",
    f"GET {CASE}/activity/reply/{{seq}}": "customer",
    f"POST {CASE}/activity/preview": "customer",
    f"GET {CASE}/actions/{{action}}": "customer",
    f"POST {CASE}/actions/{{action}}": "customer",
    f"POST {CASE}/attachments": "customer",
    f"GET {CASE}/attachments/{{attachment}}/remove": "customer",
    f"POST {CASE}/attachments/{{attachment}}/remove": "customer",
    f"GET {CASE}/fields/{{name}}": "customer",
    f"POST {CASE}/fields/{{name}}": "customer",
    "GET /desks/{desk}/queues": "staff",
    "GET /desks/{desk}/queues/{queue}": "staff",
    "POST /desks/{desk}/queues/{queue}": "staff",
    "POST /desks/{desk}/habits/after-sending": "staff",
    f"GET {CASE}/replies": "staff",
    f"POST {CASE}/attach": "customer",
    "GET /desks/{desk}/replies": "staff",
    "GET /desks/{desk}/replies/new": "staff",
    "POST /desks/{desk}/replies/new": "staff",
    "GET /desks/{desk}/replies/{reply_id}": "lead",  # one that is the desk's; one's own is for all staff
    "POST /desks/{desk}/replies/{reply_id}": "lead",
    "GET /desks/{desk}/admin": "lead",
    "GET /desks/{desk}/admin/calendar": "lead",
    "GET /desks/{desk}/admin/people": "lead",
    "GET /desks/{desk}/admin/webhooks": "lead",
    "GET /desks/{desk}/admin/webhooks/{webhook}": "lead",
    "POST /desks/{desk}/admin/webhooks/{webhook}/test": "lead",
    "POST /desks/{desk}/admin/webhooks/{webhook}/deliveries/{delivery}/replay": "lead",
    "GET /desks/{desk}/admin/dead-letters": "lead",
    "POST /desks/{desk}/admin/dead-letters/{letter}/replay": "lead",
    "GET /desks/{desk}/admin/desk-file": "lead",
    "GET /desks/{desk}/overview": "lead",
    "GET /desks/{desk}/overview/cases": "lead",
}
WITHOUT_TOKEN: Final = frozenset({"POST /login", f"POST {CASE}/attachments"})
"""Forms that have none: of whoever has no session yet, and a file alone. What another site sends is refused as such."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One way to ask the portal for something."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def audience(self) -> Audience:
        return AUDIENCE[self.name]

    def address(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled in."""
        return self.path.format_map(values)


def page_routes() -> list[PageRoute]:
    """All of them, as the application serves them; but for style sheets and scripts, which are nobody's."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    paths = app.openapi()["paths"]
    return [PageRoute(method.upper(), path) for path in paths for method in paths[path]]


PAGE_ROUTES: Final = page_routes()
