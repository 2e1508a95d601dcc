"""Cases to write mails about, made by the machine itself."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.notifier.story import DeskName, Story
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import Actor, ActorKind, CaseState
from shared.domain.decision import decide
from shared.domain.evolution import evolve
from shared.domain.policy import Policy
from shared.domain.refusals import Refusal

CASE = uuid.UUID("5f0c1f3e-4a52-4bb8-a6a7-8d0a4b1f0c11")
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday
BOB = Actor(kind=ActorKind.CUSTOMER, email="bob@acme.example", name="Bob Acme")
ADA = Actor(kind=ActorKind.STAFF, email="ada@vendor.example", name="Ada Vendor")
SYSTEM = Actor(kind=ActorKind.SYSTEM, name="Casebound")
ADMINS = ("root@acme.example",)
DESK_STAFF = ("ada@vendor.example", "eve@vendor.example")
NAMES = {"bob@acme.example": "Bob Acme", "ada@vendor.example": "Ada Vendor", "eve@vendor.example": "Eve Vendor"}
OPENED_BY_BOB: dict[str, Any] = {
    "subject": "Invoices are empty",
    "description": "Since **Monday** all invoices are empty.",
    "reporter": "bob@acme.example",
    "contact": "carol@acme.example",
    "cc": ("dave@partner.example",),
    "account": "acme",
    "environment": "Production",
    "severity": "High",
    "impact": "High",
}


def case_on(policy: Policy, *commands: c.Command, **opened: Any) -> Story:
    """A case after these commands; the story of the last one."""
    opening = c.Open(command_id="0", actor=BOB, **(OPENED_BY_BOB | opened))
    state: CaseState | None = None
    events: tuple[e.Event, ...] = ()
    for number, command in enumerate((opening, *commands)):
        decided = decide(state, policy, replace(command, command_id=str(number)), NOW)
        assert not isinstance(decided, Refusal), decided
        events = decided
        for event in events:
            state = evolve(state, event)
    assert state is not None
    return Story(
        case_id=CASE,
        number=12,
        desk=DeskName(slug="connect", name="Connect Support", key="CON", timezone="Europe/London"),
        policy=policy,
        state=state,
        events=events,
        names=NAMES,
        staff=frozenset({"ada@vendor.example", "eve@vendor.example"}),
    )


def assigned(to: str = "eve@vendor.example") -> c.Assign:
    return c.Assign(command_id="", actor=ADA, assignee=to)


def said(body: str, actor: Actor = ADA, **flags: Any) -> c.Comment:
    return c.Comment(command_id="", actor=actor, body=body, **flags)
