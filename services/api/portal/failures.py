"""What goes wrong on a page becomes a page that says what to do; the problem is the one that the REST routes answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from services.api.portal.pages import Page
from services.api.problems import MEANINGS

_NO_PAGES: Final = ("/api/", "/static/", "/static-offline-docs", "/dev/", "/problems/", "/openapi.json", "/docs")
_NO_PAGES_EXACT: Final = frozenset({"/healthz", "/readyz", "/metrics"})

Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Have every problem that a page meets shown as a page. Comes after ``services.api.errors.install``."""
    handlers: dict[Any, Any] = dict(app.exception_handlers)
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _shown(handler))


def _shown(handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if not _is_page(request) or answer.media_type != "application/problem+json":
            return answer
        return _failure(request, answer, orjson.loads(bytes(answer.body)))

    return handle


def _is_page(request: Request) -> bool:
    path, headers = request.url.path, request.headers
    if path in _NO_PAGES_EXACT or path.startswith(_NO_PAGES):
        return False
    return "HX-Request" in headers or "text/html" in headers.get("Accept", "")


def _failure(request: Request, answer: Response, problem: dict[str, Any]) -> Response:
    page = Page(request=request, context=request.app.state.context)
    if problem["code"] == "unauthenticated":
        return _to_log_in(page)
    values = {"problem": problem, "advice": MEANINGS[problem["code"]].advice}
    kept = {name: answer.headers[name] for name in ("Retry-After", "Allow") if name in answer.headers}
    if page.is_fragment:
        kept |= {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
        return page.render("components/failure_toast.html", answer.status_code, kept, **values)
    return page.render("failure.html", answer.status_code, kept, **values)


def _to_log_in(page: Page) -> Response:
    """To the log-in, and from there back to where they wanted to be."""
    asked_for = page.request.headers.get("HX-Current-URL", "") if page.is_fragment else ""
    back = asked_for.partition("//")[2].partition("/")[2]
    wanted = f"/{back}" if back else page.address
    address = f"/login?next={quote(wanted, safe='')}" if page.request.method == "GET" or back else "/login"
    if page.is_fragment:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)
