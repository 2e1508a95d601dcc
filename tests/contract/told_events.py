"""One case that goes through every kind of event, as others are told of it: the source of ``event_examples``.

``python -m tests.contract.told_events`` writes the examples that are missing. Those that are there stay as they are:
they stand for the messages that streams and archives hold already.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.contracts.events import EVENTS, STATES, CaseEvent, details, encode, to_cloud_event
from shared.domain import commands as c
from shared.domain.case import CaseState
from shared.domain.evolution import evolve, next_deadline
from shared.domain.lifecycle import Action
from shared.domain.profiles import STANDARD
from tests.domain.strategies import ADA, BOB, FILE, MONITORING, Case, comment, opening, request, resolve

EXAMPLES = Path(__file__).with_name("event_examples")
CASE_ID = "6f1c8f0a-3d52-4d8e-9f55-0b6f5a1f7a11"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

SCRIPT: tuple[c.Command, ...] = (
    opening(
        product="ERP", type="Incident", severity="High", cc=("eve@acme.example",), attachments=(FILE,), follow_up_of=3
    ),
    comment(BOB, cc=("joe@acme.example",), attachments=(FILE,), in_reply_to=1),
    request(Action.NOTE, ADA),
    request(Action.ASSIGN, ADA),
    c.Edit(command_id="-", actor=BOB, changes={"severity": "Critical", "cc": ("eve@acme.example",)}),
    request(Action.ESCALATE, BOB),
    request(Action.ASK, ADA),
    request(Action.COMMENT, BOB),
    request(Action.REQUEST_CLOSE, BOB),
    request(Action.ATTACH, ADA),
    request(Action.REMOVE_ATTACHMENT, ADA),
    resolve(ADA),
    request(Action.REJECT, BOB),
    resolve(ADA),
    request(Action.ACCEPT, BOB),
    request(Action.SURVEY, BOB),
    request(Action.REOPEN, BOB),
    c.RecordRejection(
        command_id="-", actor=MONITORING, command="accept", code="malformed", detail="Unknown: x.", received='{"x": 1}'
    ),
    c.RemoveAttachment(command_id="-", actor=ADA, attachment=FILE, internal=True),
    request(Action.CLOSE, ADA),
)


def told_events() -> dict[str, CaseEvent]:
    """The first event of each kind in that case's life."""
    case = Case(STANDARD)
    for number, command in enumerate(SCRIPT, 1):
        case.do(replace(command, command_id=f"command-{number}"))
    case.wait_until(next_deadline(case.state) or case.now)
    case.do(replace(request(Action.FOLLOW_UP, BOB), command_id="command-20"))
    told: dict[str, CaseEvent] = {}
    state: CaseState | None = None
    for event in case.history:
        state = evolve(state, event)
        common: dict[str, Any] = EVENTS.dump_python(event, mode="json")
        told.setdefault(
            event.kind,
            to_cloud_event(
                desk="support",
                desk_key="SUP",
                number=7,
                case_id=CASE_ID,
                policy=STANDARD,
                kind=event.kind,
                seq=event.seq,
                at=event.at,
                actor=common["actor"],
                command_id=event.command_id,
                command=event.command,
                part=event.part,
                data=details(event),
                snapshot=STATES.dump_python(state, mode="json"),
                traceparent=None if event.kind == "sealed" else TRACE,
            ),
        )
    return told


def write_missing_examples() -> None:
    """Write an example for each kind that has none."""
    EXAMPLES.mkdir(exist_ok=True)
    for kind, event in told_events().items():
        path = EXAMPLES / f"{kind}.json"
        if not path.exists():
            text = json.dumps(json.loads(encode(event)), indent=2, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_missing_examples()
