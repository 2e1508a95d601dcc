"""What can be asked of a case. Each command is also a signal of that name (contract: Workflow)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.domain.case import Actor, Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class _Command:
    command_id: str
    actor: Actor


@dataclass(frozen=True, kw_only=True, slots=True)
class Open(_Command):
    """Open a case; the first command of every case and of no other."""

    name: Literal["open"] = "open"
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
class Comment(_Command):
    """Say something on the case, and, with a flag, end or hand over the turn with the same words."""

    name: Literal["comment"] = "comment"
    body: str = ""
    in_reply_to: int | None = None
    internal: bool = False
    await_reply: bool = False
    solve: bool = False
    close: bool = False
    cc: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Assign(_Command):
    """Give the case to a member of staff, or with None to nobody; with ``take`` only while nobody has it."""

    name: Literal["assign"] = "assign"
    assignee: str | None
    take: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit(_Command):
    """Change fields; ``changes`` names only those to change, None empties one."""

    name: Literal["edit"] = "edit"
    changes: dict[str, str | tuple[str, ...] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalate(_Command):
    """Ask for more urgent attention (desk-rules C15, A14)."""

    name: Literal["escalate"] = "escalate"
    comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestClose(_Command):
    """Tell the desk's staff that the case may be closed (desk-rules C16, A13)."""

    name: Literal["request_close"] = "request_close"
    comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolve(_Command):
    """Declare the case resolved (desk-rules standard 3)."""

    name: Literal["resolve"] = "resolve"
    resolution_type: str = ""
    summary: str = ""
    root_cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accept(_Command):
    """Confirm the resolution (desk-rules M10)."""

    name: Literal["accept"] = "accept"
    survey: Survey | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject(_Command):
    """Send the resolution back (desk-rules M11)."""

    name: Literal["reject"] = "reject"
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Close(_Command):
    """End the case (desk-rules M13, T10)."""

    name: Literal["close"] = "close"
    comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reopen(_Command):
    """Take up a closed case again (desk-rules C17-C20)."""

    name: Literal["reopen"] = "reopen"
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerSurvey(_Command):
    """Answer the survey after an accept that left it out (desk-rules M12)."""

    name: Literal["survey"] = "survey"
    q1: int | str
    q2: int | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attach(_Command):
    """Add uploaded files to the case (desk-rules C5)."""

    name: Literal["attach"] = "attach"
    attachments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveAttachment(_Command):
    """Take a file off the case (desk-rules C7); ``internal`` if it came with a note."""

    name: Literal["remove_attachment"] = "remove_attachment"
    attachment: str
    internal: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp(_Command):
    """Note on a case that can't be reopened that another one follows it (desk-rules H11)."""

    name: Literal["follow_up"] = "follow_up"
    number: int


ELAPSE_ID_PREFIX = "elapse-"
"""Begins the ids of the clock's own commands. Nobody else may use it: an id that is taken could never elapse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Elapse(_Command):
    """The running window has ended: close or seal, whatever the state of that moment asks for."""

    name: Literal["elapse"] = "elapse"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordRejection(_Command):
    """Keep a trace of a signal that was refused, so that its sender can see what became of it."""

    name: Literal["record_rejection"] = "record_rejection"
    command: str
    code: str
    detail: str
    received: str = ""


Command = (
    Open
    | Comment
    | Assign
    | Edit
    | Escalate
    | RequestClose
    | Resolve
    | Accept
    | Reject
    | Close
    | Reopen
    | AnswerSurvey
    | Attach
    | RemoveAttachment
    | FollowUp
    | Elapse
    | RecordRejection
)

EDITABLE_FIELDS = ("severity", "impact", "product", "type", "internal_reference", "cc", "environment", "contact")
