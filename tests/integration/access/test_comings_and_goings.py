"""People who belong to several accounts or desks, and people who come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api_world import NEW_CASE, Person
from tests.integration.access.people import ACME, OTHER, AccessDesk, access_desk, address, following, members, sent
from tests.stack import RunningStack

PATIENCE = 3.0
"""Seconds: a changed desk file takes effect within two (docs/api.md)."""


def account(key: str, people: dict[str, str]) -> dict[str, Any]:
    return {"key": key, "name": key.title(), "environments": ["Production"], "members": members(people)}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> AsyncIterator[AccessDesk]:
    async with access_desk(stack) as made:
        yield made


async def numbers(person: Person, **query: Any) -> set[int]:
    """Of the cases that somebody's list shows."""
    page = (await person.get("/cases", page_size=100, **query)).json()
    return {case["number"] for case in page["items"]}


async def becomes(person: Person, path: str, status: int) -> None:
    """Wait until a request is answered so, not longer than what is promised."""
    async with asyncio.timeout(PATIENCE):
        while (await sent(person, "GET", path)).status_code != status:
            await asyncio.sleep(0.05)


async def indexed(person: Person, number: int) -> None:
    """Wait until lists know the case."""
    async with asyncio.timeout(20):
        while number not in await numbers(person):
            await asyncio.sleep(0.05)


async def mailed(desk: AccessDesk, words: str, waited_for: str) -> set[str]:
    """Who got mail with these words, once that address has got it."""
    async with asyncio.timeout(30):
        while True:
            answer = await desk.http.get(f"{desk.stack.api}/dev/mailbox", headers={"Accept": "application/json"})
            mails = [mail for mail in answer.json()["items"] if words in mail["text"]]
            told = {recipient for mail in mails for recipient in (*mail["to"], *mail["cc"])}
            if waited_for in told:
                return told
            await asyncio.sleep(0.1)


# ------------------------------------------------------------------------------------------- several accounts


async def test_in_several_accounts_one_has_the_role_of_each(stack: RunningStack) -> None:
    """MSP: a plain member in one account, admin in another (M3)."""
    accounts = [account("acme", ACME | {"manager": "member"}), account("other", OTHER | {"manager": "admin"})]
    accounts.append(account("third", {"someone": "member"}))
    async with access_desk(stack, accounts=accounts) as desk:
        manager = desk.manager
        acme = (await desk.reporter.opened())["number"]
        other = (await desk.other.opened())["number"]
        third = (await desk.someone.opened())["number"]
        unclear = await manager.post("/cases", NEW_CASE)
        assert unclear.json().get("account") is None or unclear.status_code == 422
        own = (await manager.opened(account="acme"))["number"]
        statuses = [(await manager.get(f"/cases/{number}")).status_code for number in (acme, other, third, own)]
        assert statuses == [404, 200, 404, 200]
        await indexed(manager, own)
        assert {acme, third} & await numbers(manager) == set()
        assert {other, own} <= await numbers(manager)
        assert (await manager.post(f"/cases/{other}/close")).status_code == 200
        refused = await manager.post("/cases", NEW_CASE | {"account": "third"})
        assert (refused.status_code, refused.json()["errors"][0]["allowed"]) == (422, ["acme", "other"])


# ------------------------------------------------------------------------------------------- several desks


async def test_staff_of_one_desk_are_customers_of_another(desk: AccessDesk, stack: RunningStack) -> None:
    acme = account("acme", ACME | {"agent": "member"})
    async with access_desk(stack, staff=members({"guard": "agent"}), accounts=[acme]) as elsewhere:
        here, there = await desk.case(), await elsewhere.case()
        assert (await desk.agent.get(f"/cases/{here}")).status_code == 200
        assert (await elsewhere.agent.get(f"/cases/{there}")).status_code == 404
        own = (await elsewhere.agent.opened())["number"]
        assert (await elsewhere.agent.post(f"/cases/{own}/assign", {"assignee": None})).status_code == 403
        note = {"body": "Hush", "internal": True}
        assert (await elsewhere.agent.post(f"/cases/{own}/comments", note)).status_code == 403
        await elsewhere.guard.did(own, "comments", **note)
        assert "Hush" not in (await elsewhere.agent.get(f"/cases/{own}/events")).text
        refused = await elsewhere.guard.post(f"/cases/{own}/assign", {"assignee": address("agent")})
        assert (refused.status_code, refused.json()["errors"][0]["allowed"]) == (422, [address("guard")])


# ------------------------------------------------------------------------------------------- on behalf, copied


async def test_a_contact_sees_what_was_opened_for_them(desk: AccessDesk) -> None:
    """M4; by staff and by a colleague."""
    for opener in (desk.agent, desk.reporter):
        number = (await opener.opened(contact=address("peer")))["number"]
        assert (await desk.peer.get(f"/cases/{number}")).json()["contact"] == address("peer")
        await indexed(desk.peer, number)
        assert number in await numbers(desk.peer, mine="true")
        assert (await desk.peer.post(f"/cases/{number}/comments", {"body": "It is me."})).status_code == 201
    changed = await desk.agent.ask("PATCH", f"/cases/{number}", {"contact": address("contact")})
    assert changed.status_code == 200
    assert (await desk.peer.get(f"/cases/{number}")).status_code == 404


async def test_who_is_copied_sees_it_until_taken_off(desk: AccessDesk) -> None:
    """H6."""
    number = (await desk.reporter.opened())["number"]
    async with following(desk.peer) as live:
        assert (await desk.peer.get(f"/cases/{number}")).status_code == 404
        await desk.reporter.did(number, "comments", body="Look", cc=[address("peer")])
        assert (await desk.peer.get(f"/cases/{number}")).status_code == 200
        assert (await live.until("commented", number))["data"]["body"] == "Look"
        await indexed(desk.peer, number)
        assert (await desk.reporter.ask("PATCH", f"/cases/{number}", {"cc": []})).status_code == 200
        assert (await desk.peer.get(f"/cases/{number}")).status_code == 404
        await desk.reporter.did(number, "comments", body="Between us")
        own = (await desk.peer.opened())["number"]
        await live.until("opened", own)
        assert "Between us" not in str(live.heard)
        await indexed(desk.peer, own)
        page = (await desk.peer.get("/cases", page_size=100)).json()
        assert number not in {case["number"] for case in page["items"]}
        assert page["total"] == len(page["items"])


# ------------------------------------------------------------------------------------------- leaving


async def test_who_leaves_an_account_sees_nothing_more(stack: RunningStack) -> None:
    """On streams that are open too; the token still says who they are, and that is all it says."""
    async with access_desk(stack) as desk:
        number = await desk.case()
        leaver = desk.reporter
        async with following(leaver) as live:
            await becomes(leaver, f"/cases/{number}", 200)
            rest = {name: role for name, role in ACME.items() if name != "reporter"}
            await desk.apply(accounts=[account("acme", rest), account("other", OTHER)])
            for path in (f"/cases/{number}", "/cases", "/policy", f"/cases/{number}/events", "/events/stream"):
                await becomes(leaver, path, 404)
            assert (await leaver.post("/cases", NEW_CASE)).status_code == 404
            await desk.agent.did(number, "comments", body="Now that they are gone")
            await live.ends()
            assert "Now that they are gone" not in str(live.heard)
        told = await mailed(desk, "Now that they are gone", address("contact"))
        assert address("reporter") not in told


async def test_an_admin_who_becomes_a_member_sees_their_own_alone(stack: RunningStack) -> None:
    async with access_desk(stack) as desk:
        number = await desk.case()
        own = (await desk.head.opened())["number"]
        async with following(desk.head) as live:
            await becomes(desk.head, f"/cases/{number}", 200)
            await desk.apply(accounts=[account("acme", ACME | {"head": "member"}), account("other", OTHER)])
            await becomes(desk.head, f"/cases/{number}", 404)
            await desk.agent.did(number, "comments", body="Not for you")
            await desk.agent.did(own, "comments", body="For you")
            await live.until("commented", own)
            assert "Not for you" not in str(live.heard)
            assert number not in await numbers(desk.head)


async def test_staff_and_services_lose_what_the_desk_file_takes(stack: RunningStack) -> None:
    async with access_desk(stack) as desk:
        number = await desk.case()
        agent, robot = desk.agent, desk.robot
        await becomes(agent, f"/cases/{number}", 200)
        async with following(robot) as live:
            services = [{"name": "robot", "scopes": ["case.read"]}]
            await desk.apply(staff=members({"boss": "admin"}), services=services)
            await becomes(agent, f"/cases/{number}", 404)
            await becomes(robot, f"/cases/{number}", 200)
            await becomes(robot, "/events/stream", 403)
            await desk.boss.did(number, "comments", body="Quietly")
            await live.ends()
            assert "Quietly" not in str(live.heard)
        assert (await robot.post(f"/cases/{number}/comments", {"body": "x"})).status_code == 403
        await desk.apply(services=[])
        await becomes(robot, f"/cases/{number}", 404)


@pytest.mark.parametrize("role", ["agent", "lead"])
async def test_a_lead_who_becomes_an_agent_loses_the_webhooks(stack: RunningStack, role: str) -> None:
    async with access_desk(stack) as desk:
        await becomes(desk.lead, "/webhooks", 200)
        await desk.apply(staff=members({"lead": role, "boss": "admin"}))
        await becomes(desk.lead, "/webhooks", 403 if role == "agent" else 200)
