"""A few people who open cases and comment on them, as a good client does it: patiently, and with one key a command."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.client import Connections, Experience
from tests.desks import ADA, BOB, CAROL, LEO, StackDesk
from tests.facts import Ledger, new_word
from tests.waiting import until

PEOPLE = 4
PAUSE_SECONDS = 0.15
COMMENTS = 6
PATIENCE_SECONDS = 90.0


@dataclass
class Traffic:
    """What they do, and what they are told.

    Args:
        desk: theirs.
    """

    desk: StackDesk
    ledger: Ledger = field(default_factory=Ledger)
    experience: Experience = field(default_factory=Experience)
    answered: list[tuple[float, float]] = field(default_factory=list)
    """When each command was sent and answered, by the monotonic clock."""
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PEOPLE))
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Traffic]:
        """Keep it up while the block runs; afterwards every command that was sent has been answered."""
        async with Connections(self.desk.stack.api, PEOPLE).kept() as connections:
            try:
                async with asyncio.TaskGroup() as people:
                    tasks = [people.create_task(self._live(connections)) for _ in range(PEOPLE)]
                    try:
                        yield self
                    except BaseException:
                        for task in tasks:
                            task.cancel()
                        raise
                    self._stopping.set()
            finally:
                self._stopping.set()

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Nobody works while the block runs, and before it every command that was sent is answered and in the ledger.

        While people work, a case may be in the record whose opener is only about to be told so.
        """
        async with AsyncExitStack() as everybody:
            for _ in range(PEOPLE):
                await everybody.enter_async_context(self._turns)
            yield

    async def goes_on(self, commands: int = 20, seconds: float = 90) -> float:
        """Wait until so many commands that are sent from now on have been answered; returns the seconds it took."""
        now = time.monotonic()
        what = f"{commands} more commands to be answered ({self.problems()})"
        await until(lambda: sum(sent > now for sent, _ in self.answered) >= commands, seconds, what)
        return time.monotonic() - now

    def rate(self, start: float, end: float) -> float:
        """Commands answered a second between two moments."""
        return sum(start <= answered < end for _, answered in self.answered) / (end - start)

    def slowest(self, start: float, end: float) -> float:
        """Most seconds that a command sent between two moments took, all its tries together."""
        return max((answered - sent for sent, answered in self.answered if start <= sent < end), default=0.0)

    def problems(self) -> str:
        """What stood in their way, in a few words."""
        found = Counter(str(problem)[:60] for problem in self.experience.problems)
        return f"{self.experience.lost_connections} lost connections, {dict(found)}"

    async def _live(self, connections: Connections) -> None:
        bob, ada, leo = (
            self.desk.caller(connections, who, patience=PATIENCE_SECONDS, experience=self.experience)
            for who in (BOB, ADA, LEO)
        )
        while not self._stopping.is_set():
            subject = f"{new_word()} has stopped"
            async with self._turn():
                case = await bob.open(subject=subject, description="Nothing moves.", cc=[CAROL])
                number = self.ledger.opened[subject] = int(case["number"])
            async with self._turn():
                await leo.act(number, "assign", assignee=ADA)
            for turn in range(COMMENTS):
                if self._stopping.is_set():
                    return
                text = f"{new_word()} is what I say"
                async with self._turn():
                    event = await (bob, ada)[turn % 2].comment(number, text)
                    self.ledger.commented[text] = (number, event["seq"])

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One command and the note of its answer, which belong together; then a pause."""
        async with self._turns:
            sent = time.monotonic()
            yield
            self.answered.append((sent, time.monotonic()))
        await asyncio.sleep(PAUSE_SECONDS)
