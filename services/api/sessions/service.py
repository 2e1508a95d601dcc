"""Log-in sessions of browsers."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select

from services.api.auth import find_visitor, hash_of
from services.api.context import Context
from services.api.problems import Problem
from services.api.sessions.limiter import AttemptLimiter
from shared.db.engine import Database
from shared.db.models import LoginSession, Person

LIFETIME = timedelta(hours=12)
_hasher = PasswordHasher()


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session; ``token`` is known only at the moment of log-in."""

    email: str
    name: str
    csrf_token: str
    token: str = ""


@cache
def _hash_of_nothing() -> str:
    """For addresses that we don't know: checking them takes as long, and so tells nothing."""
    return _hasher.hash(secrets.token_urlsafe())


async def log_in(database: Database, limiter: AttemptLimiter, where_from: str, email: str, password: str) -> Session:
    """Start a session.

    Args:
        database: where people and sessions are.
        limiter: counts failures.
        where_from: the client's address; failures count for it and the mail address together.
        email: in lower case.
        password: as typed.

    Raises:
        Problem: 401, the same for an unknown address and a wrong password; 429 after too many failures.
    """
    key = f"{where_from} {email}"
    if wait := limiter.wait(key):
        seconds = max(1, round(wait))
        raise Problem(
            "too_many_attempts",
            f"Too many failed log-ins for this address; try again in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )
    limiter.failed(key)
    async with database.read() as session:
        person = await session.scalar(select(Person).where(Person.email == email))
    hashed = person.password_hash if person else None
    matches = await asyncio.to_thread(_matches, hashed, password)
    if person is None or not matches:
        raise Problem("wrong_credentials", "The address or the password is wrong.")
    limiter.succeeded(key)
    return await start_session(database, person)


def _matches(hashed: str | None, password: str) -> bool:
    try:
        _hasher.verify(hashed or _hash_of_nothing(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


async def start_session(database: Database, person: Person) -> Session:
    """Start a session for somebody who has proved who they are."""
    token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    async with database.write() as session:
        await session.execute(delete(LoginSession).where(LoginSession.expires_at < now))
        session.add(
            LoginSession(
                token_hash=hash_of(token), person_id=person.id, csrf_token=csrf_token, expires_at=now + LIFETIME
            )
        )
    return Session(email=person.email, name=person.name, csrf_token=csrf_token, token=token)


async def find_session(database: Database, token: str) -> Session | None:
    """The session that a cookie belongs to, if it has not ended."""
    visitor = await find_visitor(database, token)
    return Session(email=visitor.email, name=visitor.name, csrf_token=visitor.csrf_token) if visitor else None


async def log_out(context: Context, token: str) -> None:
    """End a session, and what is open by it: live pages of this process at once, those of others when they look."""
    await end_session(context.database, token)
    context.hub.log_out(hash_of(token))


async def end_session(database: Database, token: str) -> None:
    """Forget a session. Ending one that is over does nothing."""
    async with database.write() as session:
        await session.execute(delete(LoginSession).where(LoginSession.token_hash == hash_of(token)))
