"""The OpenID provider that people log in with: OpenID Connect Core, authorization code with PKCE.

An answer is believed only if every check of the standard holds: who issued it, for whom, when, in answer to which
question (nonce), and signed with a key that the provider publishes. What fails is said in words for whoever runs this.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ValidationError

from shared.settings import Settings

CLOCK_SKEW: Final = 60
"""Seconds by which the provider's clock may differ from ours."""
SIGNED_BY: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a published key alone; never «none», and never a secret that we hold too."""
SCOPE: Final = "openid email profile"
_TIMEOUT: Final = 5.0
_KNOWN_FOR: Final = 600.0
"""Seconds for which what the provider says about itself is remembered."""


class ProviderAwayError(Exception):
    """The provider can't be reached, or does not say what a provider has to say about itself."""


class UntrustedAnswerError(Exception):
    """The provider, or somebody in its name, answered with something that proves nothing."""


class ProviderFacts(BaseModel):
    """What a provider says about itself (OpenID Connect Discovery)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False

    @property
    def addresses(self) -> list[str]:
        """All that we, or a browser that we send, would go to."""
        optional = [each for each in (self.userinfo_endpoint, self.end_session_endpoint) if each]
        return [self.authorization_endpoint, self.token_endpoint, self.jwks_uri, *optional]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What one log-in is recognised by when the browser comes back; each is used once.

    Args:
        state: ties the answer to the browser that asked.
        nonce: ties the ID token to this question.
        verifier: proves that whoever redeems the code has asked for it (PKCE).
    """

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Question:
        """One that nobody can guess."""
        return cls(state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(slots=True)
class _Known:
    facts: ProviderFacts
    keys: KeySet
    until: float


class Provider:
    """One provider, and Casebound as its client.

    Args:
        issuer: its address, exactly as it writes it in its tokens.
        client_id: our name there.
        client_secret: our secret there.
    """

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._known: _Known | None = None

    async def facts(self) -> ProviderFacts:
        """What it says about itself, as of ten minutes ago at most.

        Raises:
            ProviderAwayError: it can't be reached, or is not the provider of the settings.
        """
        return (await self._know()).facts

    async def question_address(self, question: Question, back: str) -> str:
        """Where to send a browser to log in.

        Args:
            question: of this log-in.
            back: where the provider sends the browser afterwards.

        Raises:
            ProviderAwayError: it can't be reached.
        """
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back,
            "scope": SCOPE,
            "state": question.state,
            "nonce": question.nonce,
            "code_challenge": question.challenge,
            "code_challenge_method": "S256",
        }
        return _with_query((await self.facts()).authorization_endpoint, asked)

    async def end_address(self, back: str) -> str | None:
        """Where one logs out of the provider too; None if it has no such page.

        Raises:
            ProviderAwayError: it can't be reached.
        """
        page = (await self.facts()).end_session_endpoint
        asked = {"client_id": self._client_id, "post_logout_redirect_uri": back}
        return _with_query(page, asked) if page else None

    async def verified_address(self, code: str, question: Question, back: str, issuer: str | None) -> str:
        """Redeem a code, and check what comes for it.

        Args:
            code: that the browser brought back.
            question: of this log-in; that the state matches, the caller has seen to.
            back: as it was given to `question_address`.
            issuer: ``iss`` of what the browser brought back (RFC 9207), if it was there.

        Returns:
            The person's mail address, in lower case, which the provider says it has verified.

        Raises:
            ProviderAwayError: it can't be reached.
            UntrustedAnswerError: says which check failed.
        """
        facts = await self.facts()
        if issuer is None and facts.authorization_response_iss_parameter_supported:
            raise UntrustedAnswerError("the answer does not name its issuer")
        if issuer not in (None, self.issuer):
            raise UntrustedAnswerError("the answer is from another issuer")
        granted = await self._redeem(facts, code, question, back)
        claims = await self._checked(granted.get("id_token"), question.nonce)
        if "email" not in claims and facts.userinfo_endpoint:
            claims = await self._more(facts.userinfo_endpoint, granted.get("access_token"), claims)
        address = claims.get("email")
        if not isinstance(address, str) or "@" not in address:
            raise UntrustedAnswerError("it names no mail address; allow Casebound the scope «email» there")
        if claims.get("email_verified") not in (True, "true"):
            raise UntrustedAnswerError("the mail address has not been verified there")
        return address.strip().lower()

    async def _know(self, *, anew: bool = False) -> _Known:
        if self._known and not anew and time.monotonic() < self._known.until:
            return self._known
        page = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            facts = ProviderFacts.model_validate(await _asked("GET", page))
        except ValidationError as error:
            missing = ", ".join(str(each["loc"][0]) for each in error.errors())
            raise ProviderAwayError(f"{page} says nothing usable about: {missing}") from None
        if facts.issuer != self.issuer:
            raise ProviderAwayError(f"{page} is about the issuer {facts.issuer}; the setting must be the very same")
        if unsafe := [each for each in facts.addresses if urlsplit(each).scheme not in _schemes(self.issuer)]:
            raise ProviderAwayError(f"{page} names an address without https: {unsafe[0]}")
        try:
            keys = KeySet.import_key_set(await _asked("GET", facts.jwks_uri))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderAwayError(f"{facts.jwks_uri} holds no usable keys: {error}") from None
        self._known = _Known(facts, keys, time.monotonic() + _KNOWN_FOR)
        return self._known

    async def _redeem(self, facts: ProviderFacts, code: str, question: Question, back: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": question.verifier,
        }
        methods = facts.token_endpoint_auth_methods_supported
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            auth = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._client_secret))
            return await _asked("POST", facts.token_endpoint, data=form, auth=auth)
        form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        return await _asked("POST", facts.token_endpoint, data=form)

    async def _checked(self, token: object, nonce: str) -> dict[str, Any]:
        if not isinstance(token, str):
            raise UntrustedAnswerError("there is no ID token in the answer")
        try:
            claims = await self._signed(token)
            jwt.JWTClaimsRegistry(
                leeway=CLOCK_SKEW,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise UntrustedAnswerError(f"the ID token does not hold: {error}") from None
        if not secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise UntrustedAnswerError("the ID token answers another question (nonce)")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._client_id:
            raise UntrustedAnswerError("the ID token was issued to somebody else (azp)")
        return claims

    async def _signed(self, token: str) -> dict[str, Any]:
        try:
            return dict(jwt.decode(token, (await self._know()).keys, algorithms=SIGNED_BY).claims)
        except InvalidKeyIdError:  # a new key, perhaps
            return dict(jwt.decode(token, (await self._know(anew=True)).keys, algorithms=SIGNED_BY).claims)

    async def _more(self, address: str, token: object, claims: dict[str, Any]) -> dict[str, Any]:
        """What the provider says about the person beyond the ID token."""
        more = await _asked("GET", address, headers={"Authorization": f"Bearer {token}"})
        if more.get("sub") != claims["sub"]:
            raise UntrustedAnswerError("what it says about the person is about somebody else (sub)")
        return claims | more


def provider_of(settings: Settings) -> Provider | None:
    """The provider of these settings; None if there is none.

    Raises:
        ValueError: one of the three settings is missing.
    """
    secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else ""
    given = {"ISSUER": settings.oidc_issuer or "", "CLIENT_ID": settings.oidc_client_id or "", "CLIENT_SECRET": secret}
    if not any(given.values()):
        return None
    if missing := [f"CASEBOUND_OIDC_{name}" for name, value in given.items() if not value]:
        raise ValueError(f"log-in with an OpenID provider also needs {' and '.join(missing)}")
    return Provider(*given.values())


async def _asked(method: str, address: str, **more: Any) -> dict[str, Any]:
    """The provider's answer.

    Raises:
        ProviderAwayError: none, a failure of its own, or no JSON object.
        UntrustedAnswerError: it refuses.
    """
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            answer = await client.request(method, address, **more)
        body = answer.json() if answer.content else {}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderAwayError(f"{address}: {str(error) or type(error).__name__}") from None
    except ValueError:
        raise ProviderAwayError(f"{address} answered {answer.status_code} with something that is not JSON") from None
    if method == "POST" and 400 <= answer.status_code < 500 and isinstance(body, dict):
        raise UntrustedAnswerError(f"it refuses the code: {body.get('error', answer.status_code)}")
    if answer.status_code != httpx.codes.OK or not isinstance(body, dict):
        raise ProviderAwayError(f"{address} answered {answer.status_code}")
    return body


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _schemes(issuer: str) -> tuple[str, ...]:
    """Only a provider that is itself reached without TLS, as on a developer's machine, may name such addresses."""
    return ("https",) if urlsplit(issuer).scheme == "https" else ("https", "http")
