"""The portal as a part of the application: its pages, their files and what happens when they fail."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, FastAPI

from services.api.portal import failures, static_files
from services.api.portal.activity.pages import router as activity
from services.api.portal.admin.pages import router as admin
from services.api.portal.case.routes import router as case
from services.api.portal.cases.pages import router as cases
from services.api.portal.cases.saved import router as saved_lists
from services.api.portal.desks.pages import router as desks
from services.api.portal.headers import PageHeaders
from services.api.portal.login.oidc import router as oidc
from services.api.portal.login.pages import router as login
from services.api.portal.new_case.pages import router as new_case
from services.api.portal.overview.pages import router as overview
from services.api.portal.queues.pages import router as queues
from services.api.portal.rendering import make_templates
from services.api.portal.replies.pages import router as replies
from services.api.portal.static_files import StaticFiles
from shared.oidc import provider_of
from shared.settings import Settings

ROUTERS: Final[tuple[APIRouter, ...]] = (
    static_files.router,
    login,
    oidc,
    desks,
    new_case,
    queues,
    replies,
    cases,
    saved_lists,
    case,
    activity,
    overview,
    admin,
)
"""One for each folder of pages. Of two routes that match an address the first answers."""


def install(app: FastAPI, settings: Settings) -> None:
    """Add the portal to the application. Comes after ``services.api.errors.install``.

    Args:
        app: the application.
        settings: who logs people in, if not the portal itself.
    """
    app.state.oidc = provider_of(settings)
    app.state.static_files = StaticFiles()
    app.state.templates = make_templates(app.state.static_files)
    failures.install(app)
    app.add_middleware(PageHeaders)
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
