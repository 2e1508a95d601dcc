"""What has happened to a case. Events are facts: numbered from 1 per case, never changed, never deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.case import Actor, Resolution, Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class _Event:
    """Fields of every event.

    Args:
        seq: number within the case, 1 for the opening, without gaps.
        at: when, by the case's own clock, aware UTC.
        actor: who caused it.
        command_id: the command that caused it; one command may cause several events.
        command: that command's name.
        part: place among the events of that command; 0 is what people are told about, the rest follow from it.
    """

    seq: int
    at: datetime
    actor: Actor
    command_id: str
    command: str
    part: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened(_Event):
    """The case exists from here on."""

    kind: Literal["opened"] = "opened"
    subject: str
    description: str
    reporter: str
    product: str | None = None
    type: str | None = None
    severity: str | None = None
    impact: str | None = None
    account: str | None = None
    contact: str | None = None
    environment: str | None = None
    cc: tuple[str, ...] = ()
    internal_reference: str | None = None
    attachments: tuple[str, ...] = ()
    follow_up_of: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Commented(_Event):
    """Somebody said something that everybody on the case may read."""

    kind: Literal["commented"] = "commented"
    body: str
    in_reply_to: int | None = None
    cc: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted(_Event):
    """An internal note: staff only, everywhere (desk-rules standard 5)."""

    kind: Literal["noted"] = "noted"
    body: str
    in_reply_to: int | None = None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Assigned(_Event):
    """The case has a new assignee, or with None nobody."""

    kind: Literal["assigned"] = "assigned"
    assignee: str | None
    previous: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One field before and after."""

    field: str
    before: str | tuple[str, ...] | None
    after: str | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited(_Event):
    """Fields were changed."""

    kind: Literal["edited"] = "edited"
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalated(_Event):
    """More urgent attention was asked for."""

    kind: Literal["escalated"] = "escalated"
    comment: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AwaitingCustomer(_Event):
    """The desk asked; it is the customer's turn."""

    kind: Literal["awaiting_customer"] = "awaiting_customer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed(_Event):
    """It is the desk's turn again: the customer answered."""

    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosureRequested(_Event):
    """The customer says the case may be closed; the status does not change (desk-rules C16)."""

    kind: Literal["closure_requested"] = "closure_requested"
    comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved(_Event):
    """The case was resolved; with a window, silence will close it at ``auto_close_at``."""

    kind: Literal["resolved"] = "resolved"
    resolution: Resolution | None = None
    auto_close_after: int | None = None
    auto_close_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted(_Event):
    """The customer confirmed the resolution."""

    kind: Literal["accepted"] = "accepted"
    survey: Survey | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected(_Event):
    """The customer sent the resolution back."""

    kind: Literal["rejected"] = "rejected"
    reason: str


ClosedReason = Literal["accepted", "no_answer", "resolved", "closed_by_customer", "closed_by_staff"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed(_Event):
    """The case ended; with a window it can be reopened until ``reopen_until``."""

    kind: Literal["closed"] = "closed"
    reason: ClosedReason
    comment: str = ""
    reopen_within: int | None = None
    reopen_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reopened(_Event):
    """Work on the case goes on."""

    kind: Literal["reopened"] = "reopened"
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed(_Event):
    """The case can't be reopened any more."""

    kind: Literal["sealed"] = "sealed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowedUp(_Event):
    """Another case follows this one."""

    kind: Literal["followed_up"] = "followed_up"
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached(_Event):
    """Files were added."""

    kind: Literal["attached"] = "attached"
    attachments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachmentRemoved(_Event):
    """A file was taken off the case."""

    kind: Literal["attachment_removed"] = "attachment_removed"
    attachment: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteAttachmentRemoved(_Event):
    """A file of an internal note was taken off the case: staff only, as the note is."""

    kind: Literal["note_attachment_removed"] = "note_attachment_removed"
    attachment: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Surveyed(_Event):
    """The survey was answered after the accept."""

    kind: Literal["surveyed"] = "surveyed"
    survey: Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRejected(_Event):
    """A signal was refused; staff and services see why."""

    kind: Literal["command_rejected"] = "command_rejected"
    rejected: str
    code: str
    detail: str
    received: str = ""


Event = (
    Opened
    | Commented
    | Noted
    | Assigned
    | Edited
    | Escalated
    | AwaitingCustomer
    | Resumed
    | ClosureRequested
    | Resolved
    | Accepted
    | Rejected
    | Closed
    | Reopened
    | Sealed
    | FollowedUp
    | Attached
    | AttachmentRemoved
    | NoteAttachmentRemoved
    | Surveyed
    | CommandRejected
)

STAFF_ONLY = frozenset({"noted", "note_attachment_removed", "command_rejected"})
"""Kinds that customers never see: not in lists, search, feeds, exports, mail or webhooks (desk-rules standard 5)."""

CONVERSATION = frozenset({"opened", "commented", "noted"})
"""Kinds that can be replied to (desk-rules C8, C9)."""


def files_of(event: Event) -> tuple[str, ...]:
    """Ids of the files that an event mentions."""
    match event:
        case Opened() | Commented() | Noted() | Attached():
            return event.attachments
        case AttachmentRemoved() | NoteAttachmentRemoved():
            return (event.attachment,)
        case _:
            return ()


def text_of(event: Event) -> str:
    """What a person wrote in this event, empty if nothing."""
    match event:
        case Opened():
            return event.description
        case Commented() | Noted():
            return event.body
        case Escalated() | ClosureRequested() | Closed():
            return event.comment
        case Rejected() | Reopened():
            return event.reason
        case Resolved(resolution=Resolution() as resolution):
            return "\n".join(filter(None, (resolution.summary, resolution.root_cause)))
        case _:
            return ""
