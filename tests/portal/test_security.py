"""What no page of the portal may do, whoever asks: every route of the application, for everybody.

A route that is added is asked for as well, and fails until ``routes.AUDIENCE`` says for whom it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.api.auth import COOKIE
from services.api.portal.headers import POLICY
from tests.http_server import answering, listening
from tests.portal.browsing import Portal
from tests.portal.routes import AUDIENCE, PAGE_ROUTES, WITHOUT_TOKEN, PageRoute
from tests.portal.security_desk import SecurityDesk, security_desk
from tests.stack import Stack

PAGES = [route for route in PAGE_ROUTES if route.method == "GET"]
FORMS = [route for route in PAGE_ROUTES if route.method == "POST"]
RANKS = {"anybody": 0, "person": 1, "customer": 2, "staff": 3, "lead": 4, "admin": 5}
ROLES = {"reporter": 2, "head": 2, "agent": 3, "lead": 4, "boss": 5}
LED_ON = {302, 303}
BAD_REQUEST = {400, 409, 410, 422}
"""What is wrong with an empty form, or with a question that is not asked to the full; never with rights."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(demo_stack: Stack) -> AsyncIterator[SecurityDesk]:
    async with security_desk(demo_stack) as desk:
        yield desk


def test_every_route_says_for_whom_it_is() -> None:
    assert {route.name for route in PAGE_ROUTES} == set(AUDIENCE)


# ------------------------------------------------------------------------------------------- rights


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
async def test_a_page_is_for_those_whom_it_is_for(made: SecurityDesk, route: PageRoute) -> None:
    answers = {role: await made.ask(role, "GET", made.address(route, role)) for role in ROLES}
    allowed = {role for role in ROLES if ROLES[role] >= RANKS[route.audience]}
    for role, answer in answers.items():
        if role in allowed:
            assert answer.status_code in {200, *LED_ON, *BAD_REQUEST, 404}, (role, answer.text)
        else:
            assert answer.status_code in {403, 404}, role
    seen = [answer for role, answer in answers.items() if role in allowed and answer.status_code in {200, *LED_ON}]
    assert seen or route.path.startswith("/login/oidc"), "nobody has got it: give an example in security_desk.address"


@pytest.mark.parametrize("route", PAGE_ROUTES, ids=lambda route: route.name)
async def test_whoever_has_nothing_to_do_with_it_finds_nothing(made: SecurityDesk, route: PageRoute) -> None:
    """Nobody is told of a desk, case, file or list that is not theirs, not even that it exists."""
    form: dict[str, str] | None = {} if route.method == "POST" else None
    if route.audience == "anybody":
        return
    nobody = await made.ask(None, route.method, made.address(route, None), form)
    assert nobody.status_code == 303
    assert urlsplit(nobody.headers["Location"]).path == "/login"
    if RANKS[route.audience] < RANKS["customer"]:
        return
    path = made.address(route, "reporter")
    stranger = await made.ask("guard", route.method, path, form)
    assert stranger.status_code == 404
    unknown = await made.ask("guard", route.method, made.address(route, "reporter", "no-such-desk"), form)
    assert told(stranger) == told(unknown).replace("no-such-desk", made.desk.slug)
    if "{number}" in route.path:
        hidden = await made.ask("other", route.method, path, form)
        assert hidden.status_code == (404 if route.audience == "customer" else 403)
    if "{filter_id}" in route.path:
        form = {"do": "delete"} if form is not None else None
        assert (await made.ask("head", route.method, path, form)).status_code == 404


def told(answer: httpx.Response) -> str:
    """What a page says, without what differs each time it is asked for."""
    return answer.text.partition("<main")[2].partition("</main>")[0]


# ------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize("route", FORMS, ids=lambda route: route.name)
async def test_a_form_of_another_site_does_nothing(made: SecurityDesk, route: PageRoute) -> None:
    if route.name in WITHOUT_TOKEN:
        for site in ("cross-site", "same-site"):
            headers = {"Sec-Fetch-Site": site, "Cookie": f"{COOKIE}={(await made.session('reporter')).token}"}
            address = f"{made.desk.stack.api}{made.address(route, 'reporter')}"
            answer = await made.desk.http.post(address, headers=headers | {"Accept": "text/html"}, data={})
            assert answer.status_code == 403
        return
    roles = [role for role in ROLES if ROLES[role] >= RANKS[route.audience]]
    for role in roles:
        for form in ({}, {"csrf_token": ""}, {"csrf_token": "guessed"}):
            answer = await made.ask(role, "POST", made.address(route, role), form, token=False)
            assert answer.status_code == 403, (role, answer.text)
            assert "out of date" in answer.text
    stolen = (await made.session("guard")).csrf_token
    answer = await made.ask(roles[0], "POST", made.address(route, roles[0]), {"csrf_token": stolen}, token=False)
    assert answer.status_code == 403


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n//evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "https:/evil.example",
    "/%09/evil.example/..//",
)


@pytest.mark.parametrize("wanted", ELSEWHERE)
async def test_no_link_to_us_leads_elsewhere(made: SecurityDesk, wanted: str) -> None:
    """Every page and form is asked with every parameter by which an address could be handed over."""
    given = dict.fromkeys(("next", "back", "return", "to", "url"), wanted)
    for route in PAGE_ROUTES:
        path = made.address(route, "boss")
        if route.method == "GET":
            answer = await made.ask("boss", "GET", f"{path}?{httpx.QueryParams(given)}")
        elif route.path in {"/theme", "/login"}:
            answer = await made.ask("boss", "POST", path, given)
        else:
            continue
        for header in ("Location", "HX-Redirect", "HX-Location", "Refresh"):
            to = urlsplit(httpx.URL(made.desk.stack.api).join(answer.headers.get(header, "/")).__str__())
            assert to.netloc == urlsplit(made.desk.stack.api).netloc, (route.name, answer.headers[header])


# ------------------------------------------------------------------------------------------- headers


class Inline(HTMLParser):
    """Finds what the policy would refuse: scripts and styles that stand in the page itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data_only = given.get("type") == "application/json"
        if tag in {"style", "base", "iframe", "object", "embed"} or (
            tag == "script" and "src" not in given and not data_only
        ):
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith(("on", "hx-on"))]
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            scheme = urlsplit((given.get(name) or "").strip()).scheme
            if scheme not in {"", "http", "https", "mailto"}:
                self.found.append(f"<{tag} {name}={given[name]}>")


def is_strict(answer: httpx.Response) -> None:
    """Fails for what is missing among the answer's headers, and for what its page has no right to."""
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in answer.headers["Permissions-Policy"]
    page = Inline()
    page.feed(answer.text)
    assert not page.found


def test_the_policy_is_strict() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["form-action"] == "'self'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


@pytest.mark.parametrize("fragment", [False, True], ids=["page", "part"])
@pytest.mark.parametrize("route", PAGE_ROUTES, ids=lambda route: route.name)
async def test_every_page_says_so_to_the_browser(made: SecurityDesk, route: PageRoute, fragment: bool) -> None:
    """Pages, parts of them, forms that come back, and what is shown where something is missing or forbidden."""
    for role in (None, "guard", "other", "reporter", "agent", "boss"):
        form: dict[str, str] | None = {} if route.method == "POST" else None
        stays = route.path != "/logout"
        answer = await made.ask(role, route.method, made.address(route, role), form, token=stays, fragment=fragment)
        assert answer.status_code < 500, (role, answer.text)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        is_strict(answer)
        kept = answer.headers["Cache-Control"]
        assert "private" in kept or "no-store" in kept
        if role and answer.status_code == 200:
            assert "no-store" in kept, role


async def test_what_is_not_there_is_as_strict(made: SecurityDesk) -> None:
    for method, path in (
        ("GET", "/nowhere"),
        ("DELETE", "/desks"),
        ("GET", "/desks/x/cases/<script>"),
        ("PUT", "/login"),
    ):
        answer = await made.ask("boss", method, path)
        assert answer.status_code in {404, 405}
        is_strict(answer)
        assert "<script>" not in answer.text


# ------------------------------------------------------------------------------------------- browsers


async def test_cookies_are_out_of_reach(portal: Portal, made: SecurityDesk) -> None:
    window = await portal.window()
    await window.log_in("bob@acme.example")  # by the page, whose cookies these are
    for cookie in await window.page.context.cookies():
        if cookie.get("name") in {"zone", "theme"}:  # habits, which scripts set
            continue
        assert cookie.get("httpOnly"), cookie
        assert cookie.get("secure"), cookie
        assert cookie.get("sameSite") in {"Lax", "Strict"}, cookie
    assert "casebound" not in await window.page.evaluate("document.cookie")
    assert await window.page.evaluate("Object.keys(localStorage).filter(key => /token|session/i.test(key))") == []


async def test_after_logging_out_the_way_back_shows_nothing(portal: Portal) -> None:
    window = await portal.window("bob@acme.example", "/desks/standard/cases")
    heading = window.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Cases")
    await window.page.get_by_role("button", name="Log out").click()
    await expect(window.page.get_by_role("heading", name="Log in to Casebound")).to_be_visible()
    await window.page.go_back()
    await expect(window.page).to_have_url(re.compile(r"/login"))
    await expect(window.page.get_by_role("heading", name="Log in to Casebound")).to_be_visible()


async def test_no_page_is_shown_within_another_site(portal: Portal, made: SecurityDesk) -> None:
    """Clickjacking: what is clicked on there would be done here."""

    async def framing(_request: Request) -> Response:
        return HTMLResponse(f"<iframe src={portal.base}/login></iframe>")

    window = await portal.window()
    framed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    window.page.on("requestfailed", lambda request: None if framed.done() else framed.set_result(request.failure or ""))
    listener, address = listening()
    app = Starlette(routes=[Route("/", framing)])
    async with answering(app, listener, lifespan="off", timeout_graceful_shutdown=1):
        await window.page.goto(address)
        assert "ERR_BLOCKED_BY_RESPONSE" in await asyncio.wait_for(framed, 10)
    window.errors.clear()  # the browser has said so too
