"""Assigning: to others, to oneself, to nobody; who is first takes the case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.access.people import AccessDesk, access_desk, address
from tests.stack import RunningStack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack) -> AsyncIterator[AccessDesk]:
    async with access_desk(stack) as made:
        yield made


async def test_one_takes_a_case_that_nobody_has(desk: AccessDesk) -> None:
    number = await desk.case()
    taken = await desk.agent.did(number, "take")
    assert (taken["assignee"], taken["status"]) == (address("agent"), "open")
    assert "take" not in {action["name"] for action in taken["actions"]}
    event = (await desk.agent.get(f"/cases/{number}/events")).json()["items"][-1]
    assert (event["kind"], event["assignee"], event["previous"]) == ("assigned", address("agent"), None)


async def test_of_many_who_take_it_one_has_it_and_the_others_hear_who(desk: AccessDesk) -> None:
    number = await desk.case()
    takers = [desk.person(name) for name in ("agent", "lead", "boss") for _ in range(4)]
    answers = await asyncio.gather(*(taker.post(f"/cases/{number}/take") for taker in takers))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 11]
    (winner,) = {answer.json()["assignee"] for answer in answers if answer.status_code == 200}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "already_assigned"
            assert answer.json()["detail"] == f"{winner} has the case already; to take it over, assign it to yourself."
    kinds = [event["kind"] for event in (await desk.agent.get(f"/cases/{number}/events")).json()["items"]]
    assert kinds.count("assigned") == 1


async def test_a_repeated_take_is_answered_as_before(desk: AccessDesk) -> None:
    number = await desk.case()
    answers = [await desk.agent.post(f"/cases/{number}/take", key="take-it") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text


async def test_a_case_is_taken_over_by_assigning_it_to_oneself(desk: AccessDesk) -> None:
    number = await desk.case()
    await desk.agent.did(number, "take")
    assert (await desk.lead.did(number, "assign", assignee=address("lead")))["assignee"] == address("lead")


async def test_what_was_given_back_can_be_taken(desk: AccessDesk) -> None:
    number = await desk.case()
    await desk.agent.did(number, "take")
    returned = await desk.agent.did(number, "assign", assignee=None)
    assert returned["assignee"] is None
    assert "take" in {action["name"] for action in returned["actions"]}
    assert (await desk.lead.did(number, "take"))["assignee"] == address("lead")


@pytest.mark.parametrize("assignee", [address("reporter"), address("head"), "ghost@matrix.example"])
async def test_only_staff_of_the_desk_are_assigned(desk: AccessDesk, assignee: str) -> None:
    number = await desk.case()
    answer = await desk.agent.post(f"/cases/{number}/assign", {"assignee": assignee})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "assignee"
    assert error["allowed"] == sorted(address(name) for name in ("agent", "lead", "boss"))
    assert (await desk.agent.get(f"/cases/{number}")).json()["assignee"] is None


async def test_a_closed_case_is_not_taken(desk: AccessDesk) -> None:
    number = await desk.case()
    await desk.agent.did(number, "close")
    answer = await desk.lead.post(f"/cases/{number}/take")
    assert (answer.status_code, answer.json()["code"]) == (409, "case_closed")
