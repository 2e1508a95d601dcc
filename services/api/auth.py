"""Proving who one is: a bearer token, or the session cookie of a browser."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import bindparam, exists, select

from services.api.callers import Caller, load_caller
from services.api.context import Context, Ctx
from services.api.identity import Identity
from services.api.problems import Problem
from shared.db.engine import Database
from shared.db.models import LoginSession, Person
from shared.tokens import InvalidTokenError, verify

COOKIE = "__Host-casebound"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="From `casebound token EMAIL`.")
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    description=f"From `POST /api/v1/session`; all but GET needs the session's token in `{CSRF_HEADER}`.",
)


_GOING_ON: Final = (LoginSession.token_hash == bindparam("session"), LoginSession.expires_at > bindparam("now"))
"""What is true of a log-in session until it is logged out of or too old."""
_GOES_ON: Final = select(exists().where(*_GOING_ON))
_VISITOR: Final = (
    select(Person.email, Person.name, LoginSession.csrf_token, LoginSession.expires_at)
    .join(LoginSession, LoginSession.person_id == Person.id)
    .where(*_GOING_ON)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Somebody who has logged in with a browser."""

    identity: Identity
    name: str
    csrf_token: str

    @property
    def email(self) -> str:
        """Their address; a session is always a person's."""
        return self.identity.email or ""


def hash_of(token: str) -> bytes:
    """What is kept of a session's token: enough to recognise it, useless to a thief."""
    return hashlib.sha256(token.encode()).digest()


async def identify(request: Request, context: Ctx) -> Identity:
    """Who sends this request.

    Raises:
        Problem: 401 without a valid token or session; 403 for a session without its CSRF token.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        return _by_token(context, header)
    if cookie := request.cookies.get(COOKIE):
        return await _by_session(context, cookie, request)
    raise unauthenticated("This needs a bearer token or a session.")


def _by_token(context: Context, header: str) -> Identity:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthenticated("The header Authorization must read «Bearer …».")
    try:
        claims = verify(context.settings, token.strip())
    except InvalidTokenError as error:
        raise unauthenticated(str(error), 'Bearer error="invalid_token"') from None
    return Identity(
        email=claims.subject.lower() if claims.is_person else None,
        name=None if claims.is_person else claims.subject,
        desk=claims.desk,
        expires_at=claims.expires_at,
    )


async def _by_session(context: Context, cookie: str, request: Request) -> Identity:
    visitor = await find_visitor(context.database, cookie)
    if visitor is None:
        raise unauthenticated("The session has ended; log in again.")
    if request.method not in SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(given.encode(), visitor.csrf_token.encode()):
            raise Problem(
                "csrf_token_missing",
                f"The header {CSRF_HEADER} must repeat the session's csrf_token; GET /api/v1/session gives it.",
            )
    return visitor.identity


async def find_visitor(database: Database, token: str) -> Visitor | None:
    """Who is logged in by a session's token, if it has not ended."""
    proof = hash_of(token)
    async with database.reading() as connection:
        row = (await connection.execute(_VISITOR, _goes_on(proof))).one_or_none()
    if row is None:
        return None
    identity = Identity(email=row.email, name=None, desk=None, expires_at=row.expires_at, session=proof)
    return Visitor(identity=identity, name=row.name, csrf_token=row.csrf_token)


def _goes_on(session: bytes) -> dict[str, bytes | datetime]:
    """The values of ``_GOING_ON``."""
    return {"session": session, "now": datetime.now(UTC)}


def unauthenticated(detail: str, challenge: str = "Bearer") -> Problem:
    """401 with the header that RFC 9110 asks for."""
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


Proven = Annotated[Identity, Depends(identify)]


async def caller_on_desk(desk: str, identity: Proven, context: Ctx) -> Caller:
    """What the sender is on the desk of the path.

    Raises:
        Problem: 404 for an unknown desk, and alike for one that they have nothing to do with.
    """

    caller = await look_up(desk, identity, context)
    if caller is None:
        raise Problem("not_found", f"There is no desk «{desk[:80]}», or you have nothing to do with it.")
    return caller


async def look_up(desk: str, identity: Identity, context: Context) -> Caller | None:
    """What somebody is on a desk, as of two seconds ago at most; None if nothing."""

    async def load() -> Caller | None:
        async with context.database.reading() as connection:
            return await load_caller(connection, identity, desk)

    return await context.callers.get((identity.who, desk), load)


async def look_up_still(desk: str, identity: Identity, context: Context) -> Caller | None:
    """As ``look_up``, for what goes on after its beginning was allowed: None too once the session has ended."""
    if (proof := identity.session) is None:
        return await look_up(desk, identity, context)

    async def load() -> Caller | None:
        async with context.database.reading() as connection:
            goes_on = await connection.scalar(_GOES_ON, _goes_on(proof))
            return await load_caller(connection, identity, desk) if goes_on else None

    return await context.callers.get((proof, desk), load)


CallerHere = Annotated[Caller, Depends(caller_on_desk)]
DOCUMENTED_SCHEMES = [Depends(_bearer), Depends(_cookie)]
"""Only so that OpenAPI names them."""
