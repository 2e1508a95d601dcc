"""Logging in and out."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.auth import COOKIE
from services.api.portal.desks.pages import first_page, local
from services.api.portal.forms import Form, FormHere, form_of, messages, read
from services.api.portal.login.showing import provider_here, show_log_in
from services.api.portal.pages import Page, PageHere, PersonPage, PersonPageHere
from services.api.portal.visitors import visitor_if_any
from services.api.problems import Problem
from services.api.sessions.cookie import drop_session, keep_session
from services.api.sessions.schemas import LogIn
from services.api.sessions.service import log_in, log_out
from shared.oidc import ProviderAwayError

router = APIRouter()

_SAME_SITE: Final = frozenset({"same-origin", "none"})


@router.get("/login")
async def get_login(page: PageHere) -> Response:
    """The form; whoever is logged in is led on."""
    wanted = local(page.request.query_params.get("next", ""))
    visitor = await visitor_if_any(page.request, page.context)
    if visitor is not None:
        known = PersonPage(request=page.request, context=page.context, visitor=visitor)
        return page.go(wanted) if wanted else await first_page(known)
    return await show_log_in(page, Form([("next", wanted)]), {}, elsewhere=await _log_out_elsewhere(page))


@router.post("/login")
async def post_login(page: PageHere) -> Response:
    """Log in."""
    if page.request.headers.get("Sec-Fetch-Site", "none") not in _SAME_SITE:
        raise Problem("csrf_token_missing", "Log in on this site's own page, not on that of another.")
    form = await form_of(page.request)
    client = page.request.client
    try:
        given = read(LogIn, {"email": form.text("email"), "password": form.text("password")})
        session = await log_in(
            page.context.database,
            page.context.log_ins,
            client.host if client else "",
            given.email,
            given.password.get_secret_value(),
        )
    except Problem as problem:
        waiting = dict(problem.headers) if problem.status == 429 else None
        return await show_log_in(page, form, messages(problem), status=problem.status, headers=waiting)
    answer = page.go(local(form.text("next")) or "/")
    keep_session(answer, session)
    return answer


@router.post("/logout")
async def post_logout(page: PersonPageHere, _form: FormHere) -> Response:
    """Log out; what the browser has kept of our pages goes too."""
    if token := page.request.cookies.get(COOKIE):
        await log_out(page.context, token)
    answer = page.go("/login?out" if provider_here(page) else "/login", said="You are logged out.")
    drop_session(answer)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def _log_out_elsewhere(page: Page) -> str | None:
    """Where one logs out of the provider too: offered to whoever has just logged out here."""
    provider = provider_here(page)
    if provider is None or "out" not in page.request.query_params:
        return None
    try:
        return await provider.end_address(f"{page.context.settings.public_url.rstrip('/')}/login")
    except ProviderAwayError:
        return None
