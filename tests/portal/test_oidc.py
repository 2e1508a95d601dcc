"""Logging in with an OpenID provider: who gets in, and what nobody gets away with, in its name or their own."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote_plus, urljoin

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from services.api.auth import COOKIE
from services.api.portal.login.asked import COOKIE as ASKED
from services.local.doctor import log_in_settings, provider_finding
from services.local.ports import LOOPBACK, choose_ports
from shared.oidc import provider_of
from tests.portal.browsing import Portal
from tests.portal.providers import CLIENT_ID, CLIENT_SECRET, Hostile, api_with, hostile_provider, mock_provider
from tests.stack import Stack

BOB = "bob@acme.example"
WAY_IN = "Log in with Example ID"


def person(email: str, **claims: Any) -> dict[str, Any]:
    return {"sub": email, "email": email, "email_verified": True} | claims


# ------------------------------------------------------------------------------------------- with a browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def with_provider(demo_stack: Stack) -> AsyncIterator[str]:
    people = (
        person("Bob@Acme.Example", sub="bob"),
        person(BOB, sub="unproven", email_verified=False),
        person("eve@x.example"),
    )
    async with mock_provider(*people) as issuer, api_with(demo_stack, issuer) as (_, address):
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere(demo_stack: Stack, browser: Browser, with_provider: str) -> AsyncIterator[Portal]:
    """Windows on an API whose people log in with the provider."""
    opened = Portal(demo_stack, browser)
    opened.base = with_provider
    yield opened
    await opened.close()


async def test_one_logs_in_elsewhere_and_is_where_one_wanted_to_be(elsewhere: Portal) -> None:
    window = await elsewhere.window(path="/desks/standard/cases/1?tab=details")
    await window.check_access()
    await window.page.get_by_role("link", name=WAY_IN).click()
    await window.page.get_by_role("button", name="bob", exact=True).click()
    await expect(window.page).to_have_url(f"{elsewhere.base}/desks/standard/cases/1?tab=details")
    cookies = {str(each.get("name")): each for each in await window.page.context.cookies()}
    session = cookies[COOKIE]
    assert (session.get("httpOnly"), session.get("secure"), session.get("sameSite")) == (True, True, "Lax")
    assert ASKED not in cookies


async def test_one_logs_out_here_and_is_told_of_there(elsewhere: Portal) -> None:
    window = await elsewhere.window(path="/login")
    await window.page.get_by_role("link", name=WAY_IN).click()
    await window.page.get_by_role("button", name="bob", exact=True).click()
    await window.page.get_by_role("button", name="Log out").first.click()
    await expect(window.page.get_by_text("You are logged out.")).to_be_visible()
    await window.page.get_by_role("link", name="Log out there too").click()
    assert "/oauth2/end_session" in window.page.url
    assert f"client_id={CLIENT_ID}" in window.page.url


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("unproven", "could not be believed: the mail address has not been verified there"),
        ("eve@x.example", "no support desk here knows that address"),
    ],
)
async def test_whom_no_desk_knows_or_nobody_has_verified_stays_out(elsewhere: Portal, who: str, said: str) -> None:
    window = await elsewhere.window(path="/login")
    await window.page.get_by_role("link", name=WAY_IN).click()
    await window.page.get_by_role("button", name=who, exact=True).click()
    await expect(window.page.get_by_role("main")).to_contain_text(said)
    await window.check_access()
    await window.go("/desks")
    await expect(window.page).to_have_url(f"{elsewhere.base}/login?next=%2Fdesks")


async def test_who_changes_their_mind_there_can_try_again(elsewhere: Portal) -> None:
    window = await elsewhere.window(path="/login")
    await window.page.get_by_role("link", name=WAY_IN).click()
    await window.page.get_by_role("button", name="Deny").click()
    await expect(window.page.get_by_role("alert")).to_contain_text("You were not logged in by Example ID.")
    await expect(window.page.get_by_role("link", name=WAY_IN)).to_be_visible()


async def test_development_has_passwords_too_and_production_has_not(elsewhere: Portal, demo_stack: Stack) -> None:
    window = await elsewhere.window(path="/login")
    await expect(window.page.get_by_label("Password")).to_be_visible()
    closed = f"http://{LOOPBACK}:{choose_ports(['nobody'], {})['nobody']}"
    async with (
        api_with(demo_stack, closed, development=False) as (_, address),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        page = (await http.get(f"{address}/login")).text
        assert WAY_IN in page
        assert 'type="password"' not in page
        away = await http.get(f"{address}/login/oidc")
        assert away.status_code == 503
        assert "Example ID does not answer. Try again in a moment." in away.text


# ------------------------------------------------------------------------------------------- hostile answers


@dataclass
class Visitor:
    """Keeps cookies and goes where it is led, as a browser does on loopback; runs nothing."""

    http: httpx.AsyncClient
    base: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, *, led: bool = True, **query: str) -> httpx.Response:
        address = urljoin(self.base, path)
        answer = await self._sent(address, query)
        while led and answer.is_redirect:
            answer = await self._sent(urljoin(str(answer.url), answer.headers["Location"]), {})
        return answer

    async def _sent(self, address: str, query: dict[str, str]) -> httpx.Response:
        ours = address.startswith(self.base)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items()) if ours else ""
        headers = {"Accept": "text/html", "Cookie": cookie}
        answer = await self.http.get(address, params=query or None, headers=headers)
        for line in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def with_hostile(demo_stack: Stack) -> AsyncIterator[tuple[Hostile, FastAPI, str]]:
    async with hostile_provider(BOB) as provider, api_with(demo_stack, provider.issuer) as (app, address):
        yield provider, app, address


@pytest_asyncio.fixture(loop_scope="session")
async def hostile(with_hostile: tuple[Hostile, FastAPI, str]) -> Hostile:
    """The provider in good faith, until a test tells it otherwise; the API knows nothing of it yet."""
    provider, app, _ = with_hostile
    provider.begin()
    app.state.oidc = provider_of(app.state.context.settings)
    return provider


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(with_hostile: tuple[Hostile, FastAPI, str]) -> AsyncIterator[Visitor]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Visitor(http, with_hostile[2])


async def stays_out(visitor: Visitor, answer: httpx.Response, status: int = 401) -> str:
    """Nobody is logged in; what the page says."""
    assert answer.status_code == status, answer.text
    assert COOKIE not in visitor.cookies
    said = answer.text.partition("role=alert")[2].partition("</div>")[0]
    assert said, answer.text
    return html.unescape(re.sub(r"<[^>]+>", "", said))


async def test_a_good_answer_lets_in_and_proves_what_it_should(visitor: Visitor, hostile: Hostile) -> None:
    answer = await visitor.get("/login/oidc?next=/desks")
    assert (answer.status_code, answer.url.path) == (200, "/desks")
    assert COOKIE in visitor.cookies
    assert (hostile.asked["response_type"], hostile.asked["tenant"]) == ("code", "1")
    assert hostile.asked["scope"].split() == ["openid", "email", "profile"]
    digest = hashlib.sha256(hostile.redeemed["code_verifier"].encode()).digest()
    assert hostile.asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert hostile.asked["code_challenge_method"] == "S256"
    pair = base64.b64decode(hostile.authorised.removeprefix("Basic ")).decode()
    assert pair == f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}"


async def test_every_log_in_asks_anew(visitor: Visitor, hostile: Hostile) -> None:
    seen = set()
    for _ in range(3):
        await visitor.get("/login/oidc")
        seen |= {hostile.asked[name] for name in ("state", "nonce", "code_challenge")}
    assert len(seen) == 9


HOUR = 3600
BAD_CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "nonce of another log-in": ({"nonce": "another"}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "for somebody else": ({"aud": "another-client"}, "aud"),
    "for several, issued to another": ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "azp"),
    "for several, issued to nobody": ({"aud": [CLIENT_ID, "another"]}, "azp"),
    "no audience": ({"aud": None}, "aud"),
    "by somebody else": ({"iss": "http://127.0.0.1:1"}, "iss"),
    "no issuer": ({"iss": None}, "iss"),
    "expired": ({"exp": int(time.time()) - HOUR}, "expired"),
    "never expires": ({"exp": None}, "exp"),
    "not yet valid": ({"nbf": int(time.time()) + HOUR}, "not yet valid"),
    "issued in the future": ({"iat": int(time.time()) + HOUR}, "future"),
    "about nobody": ({"sub": None}, "sub"),
    "no address": ({"email": None}, "no mail address"),
    "an address that is none": ({"email": ["bob@acme.example"]}, "no mail address"),
    "an address not verified": ({"email_verified": False}, "not been verified"),
    "an address perhaps verified": ({"email_verified": None}, "not been verified"),
    "an address verified in words": ({"email_verified": "false"}, "not been verified"),
}


@pytest.mark.parametrize("mischief", BAD_CLAIMS)
async def test_a_token_that_proves_nothing_lets_nobody_in(visitor: Visitor, hostile: Hostile, mischief: str) -> None:
    hostile.claims, reason = BAD_CLAIMS[mischief]
    said = await stays_out(visitor, await visitor.get("/login/oidc"))
    assert reason in said


def _unsigned(_provider: Hostile, claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def _altered(provider: Hostile, claims: dict[str, Any]) -> str:
    head, _, signature = provider.signed(claims | {"email": "eve@x.example"}).split(".")
    return f"{head}.{provider.signed(claims).split('.')[1]}.{signature}"


BAD_TOKENS: dict[str, Callable[[Hostile, dict[str, Any]], str]] = {
    "unsigned": _unsigned,
    "altered": _altered,
    "signed with a key of their own": lambda it, claims: it.signed(
        claims, RSAKey.generate_key(2048), kid=str(it.key.kid)
    ),
    "signed with a key that is not published": lambda it, claims: it.signed(
        claims, RSAKey.generate_key(2048), kid="new"
    ),
    "signed with the public key as a secret": lambda it, claims: it.with_secret(claims, it.key.as_pem(private=False)),
    "signed with our own secret": lambda it, claims: it.with_secret(claims, CLIENT_SECRET.encode()),
    "nothing like a token": lambda _it, _claims: "a.b.c",
}


@pytest.mark.parametrize("mischief", BAD_TOKENS)
async def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(
    visitor: Visitor, hostile: Hostile, mischief: str
) -> None:
    hostile.sign = BAD_TOKENS[mischief]
    said = await stays_out(visitor, await visitor.get("/login/oidc"))
    assert "the ID token does not hold" in said


async def test_clocks_may_differ_by_a_minute_and_keys_may_change(visitor: Visitor, hostile: Hostile) -> None:
    hostile.claims = {"exp": int(time.time()) - 30, "iat": int(time.time()) + 30}
    assert (await visitor.get("/login/oidc?next=/desks")).status_code == 200
    hostile.key = RSAKey.generate_key(2048, auto_kid=True)
    visitor.cookies.clear()
    assert (await visitor.get("/login/oidc?next=/desks")).status_code == 200
    assert COOKIE in visitor.cookies


@pytest.mark.parametrize("back", [{"state": "forged"}, {"state": None}, {"code": None}, {"iss": "http://127.0.0.1:1"}])
async def test_only_the_answer_to_our_own_question_counts(
    visitor: Visitor, hostile: Hostile, back: dict[str, str | None]
) -> None:
    hostile.back = back
    await stays_out(visitor, await visitor.get("/login/oidc"))
    assert not hostile.redeemed, "the code was not even looked at"


async def test_a_log_in_begun_by_somebody_else_is_not_finished_here(visitor: Visitor, hostile: Hostile) -> None:
    """Else whoever follows a link would be logged in as its sender, and write under their name."""
    begun = await visitor.get("/login/oidc", led=False)
    sent = await visitor.get(begun.headers["Location"], led=False)
    visitor.cookies.clear()
    said = await stays_out(visitor, await visitor.get(sent.headers["Location"]))
    assert "Begin again" in said


async def test_an_answer_counts_once(visitor: Visitor, hostile: Hostile) -> None:
    await visitor.get("/login/oidc?next=/desks")
    del visitor.cookies[COOKIE]
    asked = hostile.asked
    await stays_out(visitor, await visitor.get(f"/login/oidc/callback?code=a-code&state={asked['state']}"))


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_led_elsewhere_after_logging_in(visitor: Visitor, wanted: str) -> None:
    answer = await visitor.get("/login/oidc", next=wanted)
    assert answer.url.host == LOOPBACK
    assert answer.url.path == "/desks/standard/cases"


BAD_FACTS: dict[str, dict[str, Any]] = {
    "about another issuer": {"issuer": "http://127.0.0.1:1"},
    "no place to log in": {"authorization_endpoint": None},
    "keys at no address": {"jwks_uri": "nowhere"},
    "a script for a place": {"authorization_endpoint": "javascript:alert(1)"},
    "keys that are none": {"jwks_uri": "ISSUER/.well-known/openid-configuration"},
}


@pytest.mark.parametrize("mischief", BAD_FACTS)
async def test_a_provider_that_says_nonsense_about_itself_is_away(
    visitor: Visitor, hostile: Hostile, mischief: str
) -> None:
    facts = BAD_FACTS[mischief]
    hostile.facts = {name: value and value.replace("ISSUER", hostile.issuer) for name, value in facts.items()}
    said = await stays_out(visitor, await visitor.get("/login/oidc"), 503)
    assert "Example ID does not answer" in said


@pytest.mark.parametrize(("status", "answered"), [(400, 401), (500, 503)])
async def test_a_code_that_is_refused(visitor: Visitor, hostile: Hostile, status: int, answered: int) -> None:
    hostile.status = status
    await stays_out(visitor, await visitor.get("/login/oidc"), answered)


async def test_what_is_said_about_somebody_else_counts_for_nobody(visitor: Visitor, hostile: Hostile) -> None:
    """Where the ID token names no address, the provider is asked for more, and answers about another person."""
    hostile.claims = {"email": None}
    hostile.facts = {"userinfo_endpoint": f"{hostile.issuer}/user"}
    assert "somebody else" in await stays_out(visitor, await visitor.get("/login/oidc"))


# ------------------------------------------------------------------------------------------- settings


async def test_doctor_asks_the_provider(demo_stack: Stack, hostile: Hostile) -> None:
    over = {"oidc_issuer": hostile.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": SecretStr(CLIENT_SECRET)}
    settings = demo_stack.settings.model_copy(update=over)
    provider = provider_of(settings)
    assert provider is not None
    assert (await provider_finding(provider)).ok
    hostile.facts = {"issuer": "http://127.0.0.1:1"}
    provider = provider_of(settings)
    assert provider is not None
    found = await provider_finding(provider)
    assert not found.ok
    assert "must be the very same" in found.found
    assert "CASEBOUND_OIDC_ISSUER" in found.advice


def test_half_the_settings_are_refused(demo_stack: Stack) -> None:
    settings = demo_stack.settings.model_copy(update={"oidc_issuer": "https://id.example"})
    with pytest.raises(ValueError, match="CASEBOUND_OIDC_CLIENT_ID and CASEBOUND_OIDC_CLIENT_SECRET"):
        provider_of(settings)
    assert [finding.ok for finding in log_in_settings(settings)] == [False]
