"""Bearer tokens: who the bearer is, signed with the stack's own key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey
from sqlalchemy import select

from shared.db.engine import Database
from shared.db.models import Desk, Person, ServiceAccount
from shared.settings import Settings

_ISSUER = "casebound"
_ALGORITHM = "HS256"
_MIN_KEY_CHARACTERS = 32
_RULES = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": _ISSUER}, sub={"essential": True}, exp={"essential": True}
)


class InvalidTokenError(ValueError):
    """A token that proves nothing; the message says why, for its bearer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a token says.

    Args:
        subject: a person's mail address, or a service account's name.
        desk: the only desk on which it is good; None for all. A service account always has one.
        expires_at: UTC.
    """

    subject: str
    desk: str | None
    expires_at: datetime

    @property
    def is_person(self) -> bool:
        """Whether it is a person's; names of service accounts hold no @."""
        return "@" in self.subject


def issue(settings: Settings, subject: str, desk: str | None, ttl: timedelta) -> str:
    """Sign a token. Whether the subject exists is the caller's business.

    Args:
        settings: hold the key.
        subject: a person's mail address, or a service account's name.
        desk: the only desk on which it is good; None for all.
        ttl: how long it is valid.

    Raises:
        ValueError: no usable ``CASEBOUND_SECRET_KEY``.
    """
    now = datetime.now(UTC)
    claims: dict[str, str | int] = {"iss": _ISSUER, "sub": subject, "iat": int(now.timestamp())}
    claims["exp"] = int((now + ttl).timestamp())
    if desk:
        claims["desk"] = desk
    return jwt.encode(
        {"alg": _ALGORITHM}, claims, _key(settings.secret_key.get_secret_value()), algorithms=[_ALGORITHM]
    )


def verify(settings: Settings, token: str) -> Claims:
    """Read a token.

    Raises:
        InvalidTokenError: expired, forged, for something else, or no token at all.
    """
    try:
        claims = dict(_signed(token, settings.secret_key.get_secret_value()))
        _RULES.validate(claims)
        return Claims(
            subject=str(claims["sub"]), desk=claims.get("desk"), expires_at=datetime.fromtimestamp(claims["exp"], UTC)
        )
    except ExpiredTokenError:
        raise InvalidTokenError("The token has expired; get a new one.") from None
    except (JoseError, ValueError, TypeError, OverflowError):
        raise InvalidTokenError("The token is not one of ours, or has been altered.") from None


@lru_cache(maxsize=10_000)
def _signed(token: str, secret: str) -> tuple[tuple[str, Any], ...]:
    """What a token says whose signature is right; remembered, for it is asked at every request."""
    return tuple(jwt.decode(token, _key(secret), algorithms=[_ALGORITHM]).claims.items())


def token_for(settings: Settings, name: str, *, desk: str | None, ttl: timedelta) -> str:
    """Sign a token for a person or a service account that exists.

    Args:
        settings: of the stack.
        name: a person's mail address, or a service account's name.
        desk: the only desk on which it is good; a service account that several desks know needs it.
        ttl: how long it is valid.

    Raises:
        LookupError: nobody by that name, or no such desk; says what to do.
        ValueError: no usable ``CASEBOUND_SECRET_KEY``.
    """
    subject, slug = asyncio.run(_find(settings, name.strip(), desk))
    return issue(settings, subject, slug, ttl)


async def _find(settings: Settings, name: str, desk: str | None) -> tuple[str, str | None]:
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.read() as session:
            if desk and not await session.scalar(select(Desk.id).where(Desk.slug == desk)):
                known = ", ".join(await session.scalars(select(Desk.slug).order_by(Desk.slug))) or "none yet"
                raise LookupError(f"there is no desk «{desk}»; there are: {known}")
            if "@" in name:
                person = await session.scalar(select(Person.email).where(Person.email == name.lower()))
                if person is None:
                    raise LookupError(
                        f"nobody has the address {name}; add them to a desk file and run `casebound desk apply`"
                    )
                return person, desk
            found = select(Desk.slug).join(ServiceAccount).where(ServiceAccount.name == name).order_by(Desk.slug)
            desks = list(await session.scalars(found))
    finally:
        await database.close()
    return name, _choose(name, desk, desks)


def _choose(name: str, desk: str | None, desks: list[str]) -> str:
    if desk in desks:
        return desk
    if not desks:
        raise LookupError(
            f"there is no service account «{name}»; add it to a desk file under `services` and run "
            "`casebound desk apply` (people are named by their mail address)"
        )
    if desk:
        raise LookupError(f"the desk «{desk}» has no service account «{name}»; it is one of: {', '.join(desks)}")
    if len(desks) > 1:
        raise LookupError(f"several desks have a service account «{name}»: choose one with --desk: {', '.join(desks)}")
    return desks[0]


def _key(secret: str) -> OctKey:
    if len(secret) < _MIN_KEY_CHARACTERS:
        raise ValueError(
            f"CASEBOUND_SECRET_KEY needs at least {_MIN_KEY_CHARACTERS} characters; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return OctKey.import_key(secret)
