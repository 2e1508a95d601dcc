"""Proving who one is: bearer tokens, and sessions of browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import update

from services.api.auth import COOKIE
from services.api.sessions.limiter import AttemptLimiter
from shared.db.models import LoginSession, Person
from shared.settings import Settings
from shared.tokens import InvalidTokenError, issue, token_for, verify
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, serving
from tests.desks import BOB, CAROL

PASSWORD = "correct horse"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(servers: Settings) -> AsyncIterator[ApiDesk]:
    async with serving(servers) as world:
        desk = await world.desk()
        async with world.database.write() as session:
            hashed = PasswordHasher().hash(PASSWORD)
            await session.execute(update(Person).where(Person.email.in_([BOB, CAROL])).values(password_hash=hashed))
        yield desk


async def log_in(world: ApiWorld, email: str = BOB, password: str = PASSWORD, **more: Any) -> httpx.Response:
    return await world.http.post(f"{world.url}/api/v1/session", json={"email": email, "password": password}, **more)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic Ym9iOng=", "Bearer a.b.c", "Bearer " + "x" * 5000],
)
async def test_without_a_valid_token_there_is_nothing(desk: ApiDesk, header: str | None) -> None:
    headers = {"Authorization": header} if header is not None else {}
    for path in (f"/api/v1/desks/{desk.slug}/cases", "/api/v1/desks/unknown/policy"):
        answer = await desk.world.http.get(f"{desk.world.url}{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_expired_or_forged_token_says_so(desk: ApiDesk) -> None:
    settings = desk.world.settings
    expired = issue(settings, BOB, None, timedelta(seconds=-1))
    with pytest.raises(InvalidTokenError, match="expired"):
        verify(settings, expired)
    good = issue(settings, BOB, None, timedelta(hours=1))
    claims = verify(settings, good)
    assert (claims.subject, claims.desk, claims.is_person) == (BOB, None, True)
    key = OctKey.import_key(settings.secret_key.get_secret_value())
    foreign = OctKey.import_key("x" * 32)
    later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    for forged in (
        good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        jwt.encode({"alg": "HS256"}, {"iss": "casebound", "sub": BOB, "exp": later}, foreign),
        jwt.encode({"alg": "HS256"}, {"iss": "other", "sub": BOB, "exp": later}, key),
        jwt.encode({"alg": "HS256"}, {"iss": "casebound", "sub": BOB}, key),
    ):
        with pytest.raises(InvalidTokenError, match="altered"):
            verify(settings, forged)


async def test_a_token_for_one_desk_is_good_on_no_other(desk: ApiDesk) -> None:
    other = await desk.world.desk()
    token = issue(desk.world.settings, BOB, desk.slug, timedelta(hours=1))
    for slug, status in ((desk.slug, 200), (other.slug, 404), ("unknown", 404)):
        url = f"{desk.world.url}/api/v1/desks/{slug}/policy"
        answer = await desk.world.http.get(url, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


async def test_tokens_are_made_for_those_who_exist(desk: ApiDesk) -> None:
    def token(name: str, slug: str | None = None) -> str:
        return token_for(desk.world.settings, name, desk=slug, ttl=timedelta(hours=1))

    made = await asyncio.to_thread(token, "Bob@Acme.Example")
    assert verify(desk.world.settings, made).subject == BOB
    made = await asyncio.to_thread(token, "monitoring", desk.slug)
    assert verify(desk.world.settings, made).desk == desk.slug
    await desk.world.desk()
    for name, slug, words in (
        ("nobody@x.example", None, "casebound desk apply"),
        ("robot", None, "no service account"),
        (BOB, "nowhere", "there is no desk"),
        ("monitoring", None, "--desk"),
    ):
        with pytest.raises(LookupError, match=words):
            await asyncio.to_thread(token, name, slug)
    keyless = desk.world.settings.model_copy(update={"secret_key": type(desk.world.settings.secret_key)("short")})
    with pytest.raises(ValueError, match="CASEBOUND_SECRET_KEY"):
        issue(keyless, BOB, None, timedelta(hours=1))


async def test_a_browser_logs_in_acts_and_logs_out(desk: ApiDesk) -> None:
    answer = await log_in(desk.world, " BOB@acme.example ")
    assert answer.status_code == 200, answer.text
    session = answer.json()
    assert session["person"] == {"email": BOB, "name": "Bob Acme"}
    set_cookie = answer.headers["set-cookie"].lower()
    assert set_cookie.startswith(f"{COOKIE.lower()}=")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip() for part in set_cookie.split(";")}
    assert answer.headers["cache-control"] == "no-store"
    cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
    base = f"{desk.world.url}/api/v1"
    http = desk.world.http
    assert (await http.get(f"{base}/session", headers=cookie)).json() == session
    assert (await http.get(f"{base}/desks/{desk.slug}/cases", headers=cookie)).status_code == 200
    for csrf in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x"}):
        refused = await http.post(f"{base}/desks/{desk.slug}/cases", json=NEW_CASE, headers=cookie | csrf)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_token_missing")
    fine = cookie | {"X-CSRF-Token": session["csrf_token"]}
    wrong_form = await http.post(f"{base}/desks/{desk.slug}/cases", json={}, headers=fine)
    assert wrong_form.status_code == 422
    assert (await http.delete(f"{base}/session", headers=cookie)).status_code == 403
    assert (await http.delete(f"{base}/session", headers=fine)).status_code == 204
    for path in ("/session", f"/desks/{desk.slug}/cases"):
        assert (await http.get(f"{base}{path}", headers=cookie)).status_code == 401


async def test_a_session_ends(desk: ApiDesk) -> None:
    answer = await log_in(desk.world, CAROL)
    cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
    async with desk.world.database.write() as session:
        await session.execute(update(LoginSession).values(expires_at=datetime.now(UTC)))
    assert (await desk.world.http.get(f"{desk.world.url}/api/v1/session", headers=cookie)).status_code == 401


async def test_an_unknown_address_and_a_wrong_password_look_alike(desk: ApiDesk) -> None:
    answers = [
        await log_in(desk.world, "nobody@acme.example", "x"),
        await log_in(desk.world, BOB, "x"),
        await log_in(desk.world, "dave@acme.example", ""),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["code"] == "wrong_credentials"


async def test_guessing_is_slowed_down(desk: ApiDesk) -> None:
    for _ in range(10):
        assert (await log_in(desk.world, "guess@acme.example", "x")).status_code == 401
    answer = await log_in(desk.world, "guess@acme.example", "x")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    behind = {"X-Forwarded-For": "203.0.113.7"}
    answer = await log_in(desk.world, "guess@acme.example", "x", headers=behind)
    assert answer.status_code == 429, "nobody is believed to be a proxy unless the settings say so"
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert (await log_in(desk.world)).status_code == 200


async def test_behind_a_proxy_the_client_is_who_the_proxy_says(servers: Settings) -> None:
    """Else one guesser would lock out everybody who comes through the same proxy."""
    settings = servers.model_copy(update={"trusted_proxies": "127.0.0.0/8"})
    async with serving(settings) as world:

        async def guessed(forwarded_for: str) -> int:
            headers = {"X-Forwarded-For": forwarded_for}
            return (await log_in(world, "victim@acme.example", "x", headers=headers)).status_code

        for index in range(10):
            assert await guessed(f"198.51.100.{index}, 203.0.113.7") == 401, "what the client itself claims is ignored"
        assert await guessed("203.0.113.7") == 429
        assert await guessed("203.0.113.8") == 401


def test_the_limiter_forgets() -> None:
    now = 0.0
    limiter = AttemptLimiter(attempts=2, period=10, clock=lambda: now, keys=2)
    limiter.failed("a")
    assert limiter.wait("a") == 0
    limiter.failed("a")
    assert limiter.wait("a") == 10
    now = 10
    assert limiter.wait("a") == 0
    limiter.failed("a")
    limiter.failed("a")
    limiter.succeeded("a")
    assert limiter.wait("a") == 0
    limiter.failed("a")
    limiter.failed("a")
    for key in "bc":
        limiter.failed(key)
    assert limiter.wait("a") == 0
