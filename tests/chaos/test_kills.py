"""kill -9 of every process, one after the other, while people work: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.chaos.conftest import a_stack
from tests.chaos.post_office import PostOffice, post_office
from tests.chaos.processes import kill
from tests.chaos.traffic import Traffic
from tests.client import Caller, Connections
from tests.conftest import Say
from tests.desks import ADA, BOB, StackDesk
from tests.facts import Mail, check_all, mailbox, new_word, told
from tests.stack import PARTS, RunningStack
from tests.waiting import until

NOTES_MAIL = frozenset({"notifier", "postgres"})
"""Between the mail server's 250 and our note of it stand the process that would write it and the one that keeps it."""
MAILS_ON_THEIR_WAY = 4
"""The notifier sends so many at once."""
ON_ITS_WAY_SECONDS = 2.0


@dataclass
class Place:
    """A stack, and where its mail arrives."""

    stack: RunningStack
    office: PostOffice | None

    async def mails(self, desk: str) -> Sequence[Mail]:
        return self.office.of(desk) if self.office else await mailbox(self.stack.settings, desk)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["local mailbox", "SMTP"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "SMTP":
        async with post_office() as office, a_stack(smtp_url=office.url) as stack:
            yield Place(stack, office)
    else:
        async with a_stack() as stack:
            yield Place(stack, None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(place: Place) -> RunningStack:
    return place.stack


@pytest.mark.timeout(400)
async def test_each_part_is_killed_under_load(place: Place, stack: RunningStack, desk: StackDesk, say: Say) -> None:
    killed: dict[str, float] = {}
    async with Connections(stack.api, 2).kept() as connections:
        bob, ada = (desk.caller(connections, who, patience=60) for who in (BOB, ADA))
        traffic = Traffic(desk)
        number = await resolved_case(bob, ada, traffic)
        async with traffic.running():
            await traffic.goes_on()
            for part in PARTS:
                killed[part] = time.monotonic()
                back = await kill(stack, part)
                say(f"{part}: ready again after {back:.1f} s, work goes on {await traffic.goes_on():.1f} s later")
        say(f"{traffic.ledger.commands} commands acknowledged; {traffic.problems()}")
        assert {problem.status for problem in traffic.experience.problems} <= {503}
        assert all(problem.retry_after for problem in traffic.experience.problems)

        await closes_at_its_time(stack, desk, bob, number)
        say(f"stream, index and mail complete after {await told(stack.settings, desk.slug, 60):.1f} s")
        twice = allowed_twice(place.office, desk, killed, say)
        await check_all(stack.settings, desk.slug, traffic.ledger, ada, await place.mails(desk.slug), twice)


def allowed_twice(office: PostOffice | None, desk: StackDesk, killed: dict[str, float], say: Say) -> set[str]:
    """Ids of mails that were on their way at the moment of a kill (docs/failure.md); none to the local mailbox."""
    if office is None:
        return set()
    found: set[str] = set()
    for part in NOTES_MAIL:
        at = killed[part]
        of_this_kill = {
            message_id
            for message_id, taken in office.taken_twice(desk.slug).items()
            if at - ON_ITS_WAY_SECONDS <= taken <= at + ON_ITS_WAY_SECONDS
        }
        assert len(of_this_kill) <= MAILS_ON_THEIR_WAY, f"{part}: {of_this_kill}"
        found |= of_this_kill
    say(f"mails that came twice, being on their way at a kill: {len(found)}")
    return found


async def resolved_case(bob: Caller, ada: Caller, traffic: Traffic) -> int:
    """A case whose window runs while everything is killed."""
    subject = f"{new_word()} resolved before it all began"
    number = int((await bob.open(subject=subject, description="It will pass."))["number"])
    traffic.ledger.opened[subject] = number
    await ada.act(number, "resolve", resolution_type="provided", summary="It has passed.")
    return number


async def closes_at_its_time(stack: RunningStack, desk: StackDesk, bob: Caller, number: int) -> None:
    """A minute before its window ends the case is resolved, a minute later closed."""
    case = await bob.case(number)
    end = datetime.fromisoformat(case["auto_close_at"])
    left = end - datetime.now(UTC) - timedelta(minutes=1)
    await fast_forward(stack, desk, number, left)
    assert (await bob.case(number))["status"] == "resolved"
    await fast_forward(stack, desk, number, timedelta(minutes=1))

    async def closed() -> bool:
        return str((await bob.case(number))["status"]) == "closed"

    await until(closed, 30, "the case to close by itself")
    case = await bob.case(number)
    late = datetime.fromisoformat(case["closed_at"]) - end
    assert case["closed_reason"] == "no_answer"
    assert timedelta() <= late < timedelta(minutes=1), f"closed {late} after its time"


async def fast_forward(stack: RunningStack, desk: StackDesk, number: int, distance: timedelta) -> None:
    seconds = f"{int(distance.total_seconds())}s"
    done = await asyncio.to_thread(stack.casebound, "fast-forward", f"{desk.slug}/{number}", seconds, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
