"""Health, errors that no route makes, the mailbox, and what happens when servers are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.api.problems import MEANINGS
from shared.db.models import MailboxMessage
from shared.domain.refusals import RefusalCode
from shared.settings import Settings
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, serving
from tests.desks import BOB

NOBODY_LISTENS = 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[ApiWorld]:
    async with serving(servers) as world:
        yield world


async def get(world: ApiWorld, path: str, **headers: str) -> httpx.Response:
    return await world.http.get(f"{world.url}{path}", headers=headers)


async def test_health(world: ApiWorld) -> None:
    assert (await get(world, "/healthz")).json() == {"status": "ok"}
    await world.app.state.context.nats.wait()
    ready = await get(world, "/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "checks": dict.fromkeys(("postgres", "temporal", "nats", "files"), "ok")}
    metrics = await get(world, "/metrics")
    assert "casebound_commands" in metrics.text


async def test_the_front_door_leads_to_the_log_in(world: ApiWorld) -> None:
    answer = await get(world, "/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_what_no_route_answers_is_a_problem_too(world: ApiWorld) -> None:
    missing = await get(world, "/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert missing.headers["content-type"] == "application/problem+json"
    wrong = await world.http.delete(f"{world.url}/healthz")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET"
    for answer in (missing, wrong):
        assert len(answer.headers["traceparent"].split("-")) == 4


async def test_every_code_has_its_page(world: ApiWorld) -> None:
    assert set(RefusalCode) <= set(MEANINGS)
    for code, meaning in MEANINGS.items():
        page = await get(world, f"/problems/{code}")
        assert meaning.title in page.text
    assert (await get(world, "/problems/unheard-of")).status_code == 404


async def test_the_mailbox(world: ApiWorld) -> None:
    evil = "<script>alert(1)</script>"
    async with world.database.write() as session:
        for index in range(2):
            session.add(
                MailboxMessage(
                    sender="support@vendor.example", to=[BOB], cc=[], subject=f"[CON-1] {evil} {index}",
                    message_id=f"<{index}@x>", in_reply_to=None, text="Hello", html=f"<p>Hello</p>{evil}",
                )
            )  # fmt: skip
    items = (await get(world, "/dev/mailbox", Accept="application/json")).json()["items"]
    assert [item["subject"][-1] for item in items[:2]] == ["1", "0"]
    assert {"to", "cc", "from", "subject", "message_id", "in_reply_to", "text", "html", "at"} <= set(items[0])
    for path in ("/dev/mailbox", f"/dev/mailbox/{items[0]['id']}"):
        page = await get(world, path, Accept="text/html,*/*;q=0.8")
        assert page.headers["content-type"].startswith("text/html")
        assert evil not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert 'sandbox="' in page.text
    framed = await get(world, f"/dev/mailbox/{items[0]['id']}/html")
    assert evil in framed.text
    assert "sandbox" in framed.headers["content-security-policy"]
    assert "allow-scripts" not in framed.headers["content-security-policy"] + page.text
    assert (await get(world, "/dev/mailbox/999999999")).status_code == 404


async def test_without_a_worker_a_command_is_answered_503(servers: Settings) -> None:
    async with serving(servers.model_copy(update={"command_timeout": 0.5})) as world:
        desk = await world.desk()
        answer = await desk.bob.post("/cases", NEW_CASE, key="later")
        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        assert "same Idempotency-Key" in answer.json()["detail"]
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        again = await desk.bob.post("/cases", NEW_CASE, key="later")
        assert again.status_code == 503


@pytest.mark.parametrize("away", ["postgres", "temporal"])
async def test_a_server_that_is_away_is_503(servers: Settings, world: ApiWorld, away: str) -> None:
    desk = await world.desk()
    settings: dict[str, dict[str, Any]] = {
        "postgres": {"database_url": f"postgresql://x:x@127.0.0.1:{NOBODY_LISTENS}/x"},
        "temporal": {"temporal_address": f"127.0.0.1:{NOBODY_LISTENS}", "command_timeout": 0.5},
    }
    async with serving(servers.model_copy(update=settings[away])) as lame:
        here = ApiDesk(lame, desk.slug)
        answer = await here.bob.post("/cases", NEW_CASE)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        assert answer.headers["Retry-After"]
        ready = await get(lame, "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert [name for name, state in ready.json()["checks"].items() if state == "ok" or "away" in state] != []
        assert ready.json()["checks"][away] != "ok"


async def test_without_nats_all_but_search_works(servers: Settings, world: ApiWorld) -> None:
    desk = await world.desk()
    async with serving(servers.model_copy(update={"nats_url": f"nats://127.0.0.1:{NOBODY_LISTENS}"})) as lame:
        here = ApiDesk(lame, desk.slug)
        page = (await here.ada.get("/cases")).json()
        assert (page["total"], page["stale"]) == (0, True)
        ready = await get(lame, "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        url = f"{here.ada.base}/events/stream"
        async with lame.http.stream("GET", url, headers=here.ada.headers) as stream:
            assert stream.status_code == 200
            async with asyncio.timeout(5):
                assert b": following" in await anext(stream.aiter_raw())
