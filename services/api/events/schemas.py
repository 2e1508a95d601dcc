"""Events as they go out over HTTP."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services.api.answers import Instant


class ActorOut(BaseModel):
    """Who caused an event."""

    kind: str = Field(description="customer, staff, service or system.", examples=["customer"])
    email: str | None = Field(examples=["bob@acme.example"])
    name: str | None = Field(examples=["Bob Acme"])


class EventOut(BaseModel):
    """Something that has happened to a case. What it adds stands beside these, as a comment's `body` and `files`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "seq": 2,
                    "kind": "commented",
                    "at": "2026-11-22T09:30:00Z",
                    "actor": {"kind": "staff", "email": "ada@vendor.example", "name": "Ada Vendor"},
                    "command": "comment",
                    "part": 0,
                    "body": "We are looking into it.",
                    "in_reply_to": None,
                    "cc": [],
                    "attachments": [],
                }
            ]
        },
    )

    seq: int
    kind: str
    at: Instant
    actor: ActorOut
    command: str
    part: int = Field(description="0 for what the command was about; the rest follow from it.")


class EventList(BaseModel):
    """Events in order."""

    items: list[EventOut]
