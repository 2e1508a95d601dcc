"""Case events as they travel: CloudEvents 1.0 in JSON (contract: NATS)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.domain.case import Actor, CaseState, Status
from shared.domain.events import Event
from shared.domain.policy import Policy

EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
STATES: TypeAdapter[CaseState] = TypeAdapter(CaseState)


class CaseSnapshot(BaseModel):
    """The fields of a case that lists show, as they were right after the event."""

    model_config = ConfigDict(extra="allow")

    id: str
    desk: str
    number: int
    key: str
    subject: str
    status: str
    status_label: str
    product: str | None
    type: str | None
    severity: str | None
    impact: str | None
    account: str | None
    environment: str | None
    reporter: str
    contact: str | None
    cc: list[str]
    assignee: str | None
    internal_reference: str | None
    sealed: bool
    created_at: datetime
    updated_at: datetime
    seq: int


class EventData(BaseModel):
    """What every event carries; the event's own fields stand beside these."""

    model_config = ConfigDict(extra="allow")

    seq: int
    actor: Actor
    command_id: str
    command: str
    part: int
    case: CaseSnapshot


class CaseEvent(BaseModel):
    """One event of a case as a CloudEvent."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = None
    data: EventData

    @property
    def kind(self) -> str:
        """The event's kind, such as ``commented``."""
        return self.type.split(".")[2]

    @property
    def case_id(self) -> str:
        """UUID of the case."""
        return self.id.rsplit(":", 1)[0]


def event_id(case_id: str, seq: int) -> str:
    """Id of an event, the same wherever it is told: also its ``Nats-Msg-Id``."""
    return f"{case_id}:{seq}"


def event_type(kind: str) -> str:
    """Type of the CloudEvent for events of that kind."""
    return f"casebound.case.{kind}.v1"


def event_source(desk: str, number: int) -> str:
    """Source of the CloudEvents of a case."""
    return f"/desks/{desk}/cases/{number}"


def domain_event(told: CaseEvent) -> Event:
    """The event that was told.

    Raises:
        pydantic.ValidationError: of a kind, or with fields, that this version does not know.
    """
    data = told.data
    common = {"seq": data.seq, "at": told.time, "actor": data.actor, "command_id": data.command_id}
    common |= {"command": data.command, "part": data.part, "kind": told.kind}
    return EVENTS.validate_python({**(data.model_extra or {}), **common})


def details(event: Event) -> dict[str, Any]:
    """What the event adds to the common fields, as JSON values."""
    common = {"seq", "at", "actor", "command_id", "command", "part", "kind"}
    values: dict[str, Any] = EVENTS.dump_python(event, mode="json")
    return {name: value for name, value in values.items() if name not in common}


def to_cloud_event(
    *,
    desk: str,
    desk_key: str,
    number: int,
    case_id: str,
    policy: Policy,
    kind: str,
    seq: int,
    at: datetime,
    actor: dict[str, Any],
    command_id: str,
    command: str,
    part: int,
    data: dict[str, Any],
    snapshot: dict[str, Any],
    traceparent: str | None,
) -> CaseEvent:
    """A recorded event as others are told of it.

    Args:
        desk: slug of the desk.
        desk_key: the letters in front of its case numbers.
        policy: the one pinned to the case; gives the status its label.
        data: what the event adds to the common fields (``details``).
        snapshot: JSON of the ``CaseState`` right after the event; the list fields are taken from it.
        traceparent: W3C trace context of the command.
    """
    case = {name: value for name, value in snapshot.items() if name in CaseSnapshot.model_fields}
    case |= {"id": case_id, "desk": desk, "number": number, "key": f"{desk_key}-{number}"}
    case["status_label"] = policy.label(Status(snapshot["status"]))
    common = {"seq": seq, "actor": actor, "command_id": command_id, "command": command, "part": part, "case": case}
    return CaseEvent(
        id=event_id(case_id, seq),
        source=event_source(desk, number),
        type=event_type(kind),
        time=at,
        traceparent=traceparent,
        data=EventData.model_validate({**data, **common}),
    )


def encode(event: CaseEvent) -> bytes:
    """The event in the JSON format of CloudEvents, where an attribute without a value is left out."""
    return event.model_dump_json(exclude=None if event.traceparent else {"traceparent"}).encode()


def decode(message: bytes) -> CaseEvent:
    """The reverse of ``encode``.

    Raises:
        ValueError: the message is no event of a case.
    """
    return CaseEvent.model_validate_json(message)
