"""Logging in with the OpenID provider of the settings: there, and back with an answer that is checked.

What fails ends on the log-in page with a sentence that says what to do; the details are for the log.
"""

from __future__ import annotations

import secrets
from email.utils import parseaddr
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from services.api.portal.desks.pages import local
from services.api.portal.forms import Form
from services.api.portal.login.asked import Asked, asked_by, forget
from services.api.portal.login.showing import provider_here, show_log_in
from services.api.portal.pages import Page, PageHere
from services.api.portal.visitors import desks_of_person
from services.api.problems import not_found
from services.api.sessions.cookie import keep_session
from services.api.sessions.service import start_session
from shared.db.models import Person
from shared.oidc import Provider, ProviderAwayError, Question, UntrustedAnswerError
from shared.telemetry import get_logger

router = APIRouter()

BACK: Final = "/login/oidc/callback"
_log = get_logger(__name__)


@router.get("/login/oidc")
async def get_log_in_elsewhere(page: PageHere) -> Response:
    """Off to the provider."""
    provider = _provider(page)
    asked = Asked(question=Question.new(), wanted=local(page.request.query_params.get("next", "")))
    try:
        address = await provider.question_address(asked.question, _back(page))
    except ProviderAwayError as error:
        return await _away(page, error, asked.wanted)
    answer = RedirectResponse(address, 303, {"Cache-Control": "no-store"})
    asked.keep(answer, page.context.settings)
    return answer


@router.get(BACK)
async def get_back_from_log_in(page: PageHere) -> Response:
    """Back from the provider, with a code or a refusal."""
    provider, asked = _provider(page), asked_by(page.request, page.context.settings)
    answer = await _answered(page, provider, asked)
    answer.headers["Cache-Control"] = "no-store"
    forget(answer)
    return answer


async def _answered(page: Page, provider: Provider, asked: Asked | None) -> Response:
    query, wanted = page.request.query_params, asked.wanted if asked else ""
    if "code" not in query:
        _log.info("log-in not finished at the provider", error=query.get("error", "")[:100])
        said = f"You were not logged in by {page.context.settings.oidc_name}. Try again, or another way."
        return await _refused(page, said, wanted)
    state = query.get("state", "")
    if asked is None or not secrets.compare_digest(state.encode(), asked.question.state.encode()):
        return await _refused(page, "This log-in was begun in another window, or too long ago. Begin again.", wanted)
    try:
        address = await provider.verified_address(query["code"], asked.question, _back(page), query.get("iss"))
    except ProviderAwayError as error:
        return await _away(page, error, wanted)
    except UntrustedAnswerError as error:
        _log.warning("an answer of the OpenID provider was refused", reason=str(error))
        said = f"The answer of {page.context.settings.oidc_name} could not be believed: {error}. "
        return await _refused(page, f"{said}Try again; if it stays so, tell whoever runs this.", wanted)
    return await _admit(page, address, wanted)


async def _admit(page: Page, address: str, wanted: str) -> Response:
    """Let somebody in whom some desk knows."""
    database = page.context.database
    async with database.read() as session:
        person = await session.scalar(select(Person).where(Person.email == address))
    if person is None or not await desks_of_person(page.context, address):
        _log.info("somebody logged in at the provider whom no desk knows")
        settings = page.context.settings
        sender = parseaddr(settings.mail_from)[1]
        return page.render("login/stranger.html", 403, address=address, sender=sender, name=settings.oidc_name)
    answer = page.go(local(wanted) or "/")
    keep_session(answer, await start_session(database, person))
    return answer


async def _refused(page: Page, said: str, wanted: str = "") -> Response:
    return await show_log_in(page, Form([("next", wanted)]), {"": said}, status=401)


async def _away(page: Page, error: ProviderAwayError, wanted: str) -> Response:
    _log.warning("the OpenID provider is away", reason=str(error))
    said = f"{page.context.settings.oidc_name} does not answer. Try again in a moment."
    return await show_log_in(page, Form([("next", wanted)]), {"": said[0].upper() + said[1:]}, status=503)


def _provider(page: Page) -> Provider:
    """The provider.

    Raises:
        Problem: 404 where there is none.
    """
    provider = provider_here(page)
    if provider is None:
        raise not_found("other log-in here")
    return provider


def _back(page: Page) -> str:
    return f"{page.context.settings.public_url.rstrip('/')}{quote(BACK)}"
