"""The session's cookie, however somebody has logged in: out of reach of scripts, of other sites and of plain http."""

from __future__ import annotations

from fastapi import Response

from services.api.auth import COOKIE
from services.api.sessions.service import LIFETIME, Session


def keep_session(answer: Response, session: Session) -> None:
    """Have the browser keep a session that has just been started."""
    seconds = int(LIFETIME.total_seconds())
    answer.set_cookie(COOKIE, session.token, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def drop_session(answer: Response) -> None:
    """Have the browser forget its session."""
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
