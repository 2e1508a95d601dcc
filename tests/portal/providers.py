"""OpenID providers to log in with: oidc-provider-mock for what goes well, and one that answers as it is told to."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from services.api.app import create_app
from services.local.ports import LOOPBACK, choose_ports
from tests.http_server import answering, listening
from tests.stack import Stack
from tests.waiting import until

CLIENT_ID: Final = "casebound-test"
CLIENT_SECRET: Final = "known to the provider & us alone"


@asynccontextmanager
async def api_with(stack: Stack, issuer: str, **settings: Any) -> AsyncIterator[tuple[FastAPI, str]]:
    """Another API of the stack, whose people log in with this provider; yields it and its address."""
    listener, address = listening()
    over = {
        "public_url": address,
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": SecretStr(CLIENT_SECRET),
        "oidc_name": "Example ID",
    }
    app = create_app(stack.settings.model_copy(update=over | settings))
    async with answering(app, listener, timeout_graceful_shutdown=1):
        yield app, address


@asynccontextmanager
async def mock_provider(*people: dict[str, Any]) -> AsyncIterator[str]:
    """Run oidc-provider-mock with these people; yields its issuer."""
    port = choose_ports(["provider"], {})["provider"]
    issuer = f"http://{LOOPBACK}:{port}"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    for person in people:
        command += ["--user-claims", json.dumps(person)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            await until(lambda: _answers(http, issuer), what="the provider")
        yield issuer
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: httpx.AsyncClient, issuer: str) -> bool:
    try:
        return (await http.get(f"{issuer}/.well-known/openid-configuration")).status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class Hostile:
    """A provider that logs in whoever comes, with an ID token that a test may spoil.

    Args:
        issuer: its address.
        email: of whoever comes.
        claims: to put over those of a good ID token; None leaves one out.
        facts: to put over what it says about itself.
        back: to put over what it gives the browser to bring back.
        sign: makes the token from its claims.
        status: of its answers for a code.
    """

    issuer: str
    email: str
    claims: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    back: dict[str, str | None] = field(default_factory=dict)
    sign: Callable[[Hostile, dict[str, Any]], str] = lambda self, claims: self.signed(claims)
    status: int = 200
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, auto_kid=True))
    asked: dict[str, str] = field(default_factory=dict)
    redeemed: dict[str, str] = field(default_factory=dict)
    authorised: str = ""

    def begin(self) -> None:
        """Forget what tests have told it and asked of it."""
        self.__dict__.update(vars(Hostile(self.issuer, self.email, key=self.key)))

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None, **header: str) -> str:
        """A token, signed as it should be unless told otherwise."""
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": str(key.kid), **header}, claims, key, algorithms=["RS256"])

    def with_secret(self, claims: dict[str, Any], secret: bytes) -> str:
        """A token signed with a secret that we know too, where a key pair belongs."""
        header = {"alg": "HS256", "kid": str(self.key.kid)}
        parts = [_part(json.dumps(part).encode()) for part in (header, claims)]
        signature = hmac.digest(secret, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, _part(signature)])

    async def says(self, _request: Request) -> Response:
        facts = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        return JSONResponse(facts | self.facts)

    async def keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        back = {"code": "a-code", "state": self.asked["state"]} | self.back
        given = urlencode({name: value for name, value in back.items() if value is not None})
        return RedirectResponse(f"{self.asked['redirect_uri']}?{given}", 303)

    async def token(self, request: Request) -> Response:
        self.redeemed = {name: str(value) for name, value in (await request.form()).items()}
        self.authorised = request.headers.get("Authorization", "")
        if self.status != 200:
            return JSONResponse({"error": "invalid_grant"}, self.status)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "somebody",
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked["nonce"],
            "email": self.email,
            "email_verified": True,
        } | self.claims
        token = self.sign(self, {name: value for name, value in claims.items() if value is not None})
        return JSONResponse({"access_token": "a-token", "token_type": "Bearer", "id_token": token})

    async def user(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer a-token"
        return JSONResponse({"sub": "somebody else", "email": self.email, "email_verified": True})


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@asynccontextmanager
async def hostile_provider(email: str) -> AsyncIterator[Hostile]:
    """Run it until the block ends."""
    listener, issuer = listening()
    provider = Hostile(issuer, email)
    routes = [
        Route("/.well-known/openid-configuration", provider.says),
        Route("/jwks", provider.keys),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
        Route("/user", provider.user),
    ]
    async with answering(Starlette(routes=routes), listener, lifespan="off", timeout_graceful_shutdown=1):
        yield provider
