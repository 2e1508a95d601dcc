"""Log-in for browsers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.api.answers import Json
from services.api.auth import COOKIE, Proven, unauthenticated
from services.api.context import Ctx
from services.api.problems import documented
from services.api.sessions.cookie import drop_session, keep_session
from services.api.sessions.schemas import LogIn, PersonOut, SessionOut
from services.api.sessions.service import Session, find_session, log_in, log_out

router = APIRouter(prefix="/api/v1/session", tags=["session"])


@router.post("", response_model=SessionOut, responses=documented(401, 413, 422, 429, 503))
async def post_session(form: LogIn, request: Request, context: Ctx) -> JSONResponse:
    """Log in with address and password. Sets the session's cookie."""
    where_from = request.client.host if request.client else ""
    session = await log_in(context.database, context.log_ins, where_from, form.email, form.password.get_secret_value())
    answer = _answer(session)
    keep_session(answer, session)
    return answer


@router.get("", response_model=SessionOut, responses=documented(401, 503))
async def get_session(request: Request, context: Ctx) -> JSONResponse:
    """Read who is logged in, and the session's CSRF token."""
    token = request.cookies.get(COOKIE)
    session = await find_session(context.database, token) if token else None
    if session is None:
        raise unauthenticated("There is no session, or it has ended; log in with POST /api/v1/session.")
    return _answer(session)


@router.delete("", status_code=204, responses=documented(401, 403, 503))
async def delete_session(request: Request, context: Ctx, _proven: Proven) -> Response:
    """Log out."""
    if token := request.cookies.get(COOKIE):
        await log_out(context, token)
    answer = Response(status_code=204)
    drop_session(answer)
    return answer


def _answer(session: Session) -> Json:
    person = PersonOut(email=session.email, name=session.name)
    body = SessionOut(person=person, csrf_token=session.csrf_token).model_dump()
    return Json(body, headers={"Cache-Control": "no-store"})
