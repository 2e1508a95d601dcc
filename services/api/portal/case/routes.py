"""All pages of a case."""

from __future__ import annotations

from fastapi import APIRouter

from services.api.portal.case import actions, attachments, editing, pages

router = APIRouter()
for part in (pages, actions, editing, attachments):
    router.include_router(part.router)
