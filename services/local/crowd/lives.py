"""Lives of cases as a busy desk has them: every step is decided by the machine that decides the real ones."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from services.local.crowd.words import HALF, Texts
from shared.desks.schema import DeskFile, Member
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.calendar import BusinessCalendar
from shared.domain.case import Actor, ActorKind, CaseState, Survey
from shared.domain.decision import decide, overdue
from shared.domain.evolution import evolve, next_deadline
from shared.domain.policy import Policy
from shared.domain.refusals import Refusal

SPAN: Final = timedelta(days=4 * 365)
"""Before now, in which cases are opened, evenly."""
_RESOLUTIONS: Final = ("Fixed", "Answered", "Workaround", "Duplicate", "Not reproducible")
_SEVERITIES: Final = (2, 13, 45, 40)
_FORGOTTEN: Final = 0.004
"""Share of the cases that nobody ever ends."""

_T = TypeVar("_T")


class _FutureError(Exception):
    """The next step lies in the future, or is never taken: the case is as it is now."""


@dataclass(slots=True)
class Life:
    """A case with all that has happened to it, and how it was after each event."""

    id: uuid.UUID
    number: int
    events: list[e.Event] = field(default_factory=list)
    states: list[CaseState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class World:
    """What all cases of a crowd have in common.

    Args:
        desk: with its people.
        policy: of the desk.
        calendar: of the desk, good for all of `SPAN`.
        texts: what people write.
        seed: makes one crowd differ from another.
        now: when the lives stop; aware UTC.
    """

    desk: DeskFile
    policy: Policy
    calendar: BusinessCalendar
    texts: Texts
    seed: int
    now: datetime

    def life(self, number: int, place: float) -> Life:
        """The life of the case with that number, opened at that place of `SPAN`, from 0 to 1."""
        chance = random.Random(f"{self.seed}/{self.desk.desk}/{number}")  # noqa: S311
        life = Life(uuid.UUID(int=chance.getrandbits(128), version=4), number)
        _Living(self, life, chance, self.now - SPAN + SPAN * place).live()
        return life


class _Living:
    """One life on its way."""

    def __init__(self, world: World, life: Life, chance: random.Random, opened: datetime) -> None:
        self._world = world
        self._life = life
        self._chance = chance
        self._at = opened
        self._commands = 0
        account = _one_of_many(chance, world.desk.accounts)
        self._reporter = chance.choice(account.members)
        self._account = account
        agent = _one_of_many(chance, world.desk.staff)
        self._agent = Actor(kind=ActorKind.STAFF, email=agent.email, name=agent.name)
        self._customer = Actor(kind=ActorKind.CUSTOMER, email=self._reporter.email, name=self._reporter.name)

    def live(self) -> None:
        """From the opening until the end, or until now."""
        self._open()
        try:
            self._be_worked_on()
            self._end()
            self._elapse()  # it is sealed once it can't be reopened any more
        except _FutureError:
            return

    def _open(self) -> None:
        chance, desk, texts = self._chance, self._world.desk, self._world.texts
        description = [texts.prose(chance, 45), *(f"It is about the {word}." for word in HALF if chance.random() < 0.5)]
        if chance.random() < 0.3:
            description.append(f"Order {chance.randrange(10**7)}.")
        self._do(
            c.Open,
            self._customer,
            subject=texts.line(chance, chance.randint(3, 9)),
            description=" ".join(description),
            reporter=self._reporter.email,
            product=_one_of_many(chance, desk.products),
            type=chance.choices(desk.case_types, (6, 3, 1))[0],
            severity=chance.choices(desk.severities, _SEVERITIES)[0],
            account=self._account.key,
            contact=self._reporter.email,
            environment=chance.choice(self._account.environments),
            cc=_copied(chance, self._account.members, self._reporter),
            internal_reference=f"PO-{chance.randrange(100_000)}" if chance.random() < 0.2 else None,
        )

    def _be_worked_on(self) -> None:
        if self._perhaps(0.45, hours=2):
            self._do(c.Assign, self._agent, assignee=self._agent.email)
        if self._perhaps(0.12, hours=3):
            self._do(c.Comment, self._agent, body=self._says(20), internal=True)
        if self._perhaps(0.02, hours=8):
            self._do(c.Escalate, self._customer, comment=self._says(15))
        if self._perhaps(0.03, hours=4):
            self._do(c.Edit, self._agent, changes={"severity": self._chance.choice(self._world.desk.severities)})
        if self._perhaps(0.55, hours=12):
            asks = self._chance.random() < 0.25
            self._do(c.Comment, self._agent, body=self._says(35), await_reply=asks)
            if asks and self._perhaps(0.9, hours=20):
                self._do(c.Comment, self._customer, body=self._says(25))

    def _end(self) -> None:
        if self._chance.random() < _FORGOTTEN:
            raise _FutureError
        if not self._perhaps(0.3, hours=24):
            self._pass(hours=30)
            self._do(c.Close, self._agent, comment=self._says(15))
            return
        self._resolve()
        if self._perhaps(0.05, hours=12):
            self._do(c.Reject, self._customer, reason=self._says(15))
            self._pass(hours=24)
            self._resolve()
        if self._perhaps(0.5, hours=12):
            self._do(c.Accept, self._customer, survey=self._survey())
        else:
            self._elapse()

    def _resolve(self) -> None:
        kind = self._chance.choice(_RESOLUTIONS)
        self._do(c.Resolve, self._agent, resolution_type=kind, summary=self._says(25))

    def _survey(self) -> Survey | None:
        marks = (1, 2, 3, 4, 5)
        q1, q2 = self._chance.choices(marks, (1, 1, 2, 6, 8), k=2)
        return Survey(q1=q1, q2=q2) if self._chance.random() < 0.6 else None

    def _says(self, words: int) -> str:
        return self._world.texts.prose(self._chance, words)

    def _perhaps(self, probability: float, hours: float) -> bool:
        """Whether something happens; then about so much later, but before the running window ends."""
        if self._chance.random() >= probability:
            return False
        self._pass(hours)
        return True

    def _pass(self, hours: float) -> None:
        passed = timedelta(hours=hours * self._chance.lognormvariate(0, 1), microseconds=1000)
        end = next_deadline(self._life.states[-1])
        self._move(min(self._at + passed, end - timedelta(minutes=1)) if end else self._at + passed)

    def _move(self, to: datetime) -> None:
        if to >= self._world.now:
            raise _FutureError
        self._at = to

    def _elapse(self) -> None:
        state = self._life.states[-1]
        if end := next_deadline(state):
            self._move(end)
            if due := overdue(state, end):
                self._decide(due)

    def _do(self, command: type[c.Command], actor: Actor, **fields: Any) -> None:
        self._commands += 1
        self._decide(command(command_id=f"generated-{self._commands}", actor=actor, **fields))

    def _decide(self, command: c.Command) -> None:
        state = self._life.states[-1] if self._life.states else None
        decided = decide(state, self._world.policy, command, self._at)
        if isinstance(decided, Refusal):
            raise ValueError(f"case {self._life.number}, {command.name}: {decided.detail}")  # noqa: TRY004 - no type
        for event in decided:
            whole = self._with_window_end(event)
            state = evolve(state, whole)
            self._life.events.append(whole)
            self._life.states.append(state)

    def _with_window_end(self, event: e.Event) -> e.Event:
        match event:
            case e.Resolved(auto_close_after=int(days)):
                return replace(event, auto_close_at=self._world.calendar.window_end(event.at, days))
            case e.Closed(reopen_within=int(days)):
                return replace(event, reopen_until=self._world.calendar.window_end(event.at, days))
            case _:
                return event


def _one_of_many(chance: random.Random, choices: Sequence[_T]) -> _T:
    """One of them, the first ones far more often than the last."""
    return choices[int(len(choices) * chance.random() ** 2)]


def _copied(chance: random.Random, members: Sequence[Member], reporter: Member) -> tuple[str, ...]:
    copied = chance.choice(members)
    return (copied.email,) if copied is not reporter and chance.random() < 0.15 else ()
