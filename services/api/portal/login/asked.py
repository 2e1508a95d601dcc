"""What a browser keeps while it is away at the OpenID provider: the question, and where to go then."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Final

from fastapi import Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shared.oidc import Question
from shared.settings import Settings

COOKIE: Final = "__Host-casebound-asked"
LIFETIME: Final = 900
"""Seconds that somebody may take to log in at the provider."""
_PURPOSE: Final = "casebound log-in"
_ALGORITHM: Final = "HS256"
_RULES: Final = jwt.JWTClaimsRegistry(iss={"essential": True, "value": _PURPOSE}, exp={"essential": True})


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A log-in that has begun.

    Args:
        question: by which the answer is recognised.
        wanted: the page of ours to go to then; empty: the first one.
    """

    question: Question
    wanted: str

    def keep(self, answer: Response, settings: Settings) -> None:
        """Have the browser keep it, signed; SameSite=Lax lets it come along on the way back from the provider."""
        claims = {"iss": _PURPOSE, "exp": int(time.time()) + LIFETIME, "wanted": self.wanted, **asdict(self.question)}
        sealed = jwt.encode({"alg": _ALGORITHM}, claims, _key(settings), algorithms=[_ALGORITHM])
        answer.set_cookie(COOKIE, sealed, max_age=LIFETIME, path="/", secure=True, httponly=True, samesite="lax")


def asked_by(request: Request, settings: Settings) -> Asked | None:
    """The log-in that this browser has begun, if it has and not too long ago."""
    try:
        claims = jwt.decode(request.cookies.get(COOKIE, ""), _key(settings), algorithms=[_ALGORITHM]).claims
        _RULES.validate(claims)
        question = Question(state=claims["state"], nonce=claims["nonce"], verifier=claims["verifier"])
        return Asked(question=question, wanted=claims["wanted"])
    except (JoseError, ValueError, KeyError):
        return None


def forget(answer: Response) -> None:
    """A question is answered once."""
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _key(settings: Settings) -> OctKey:
    return OctKey.import_key(settings.secret_key.get_secret_value())
