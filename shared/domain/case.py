"""What a case is: its status, the people around it, the window that is running, its whole state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Canonical statuses; what a desk's users see are the desk's own labels."""

    NEW = "new"
    OPEN = "open"
    AWAITING_CUSTOMER = "awaiting_customer"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ActorKind(StrEnum):
    """In which capacity somebody acts on a case."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SERVICE = "service"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts: a person by address, a service by name, or the system itself."""

    kind: ActorKind
    email: str | None = None
    name: str | None = None


SYSTEM = Actor(kind=ActorKind.SYSTEM, name="Casebound")


class WindowKind(StrEnum):
    """What the end of a window brings about."""

    AUTO_CLOSE = "auto_close"
    REOPEN = "reopen"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A time limit counted in business days.

    Args:
        kind: what happens at the end: the case closes, or can no longer be reopened.
        seq: the event that started it (the resolving or the closing).
        business_days: its length.
        ends_at: its end, a recorded fact; None in the moment between the decision and its record.
    """

    kind: WindowKind
    seq: int
    business_days: int
    ends_at: datetime | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether ``now`` is outside: at the end or after it (desk-rules Windows)."""
        return self.ends_at is not None and now >= self.ends_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """How a case was resolved."""

    resolution_type: str
    summary: str
    root_cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """Answers to the two questions after an accept (desk-rules M12)."""

    q1: int | str
    q2: int | str


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseState:
    """Everything the machine knows of a case: what decisions need and what lists show.

    People are e-mail addresses; ``severity``, ``product`` and the like are values of the desk's own lists.
    The description and what people wrote stay in the events.
    """

    seq: int
    status: Status
    subject: str
    reporter: str
    created_at: datetime
    updated_at: datetime
    product: str | None = None
    type: str | None = None
    severity: str | None = None
    impact: str | None = None
    account: str | None = None
    environment: str | None = None
    contact: str | None = None
    cc: tuple[str, ...] = ()
    assignee: str | None = None
    internal_reference: str | None = None
    follow_up_of: int | None = None
    follow_ups: tuple[int, ...] = ()
    resolution: Resolution | None = None
    survey: Survey | None = None
    closure_requested_at: datetime | None = None
    escalated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    closed_reason: str | None = None
    window: Window | None = None
    sealed: bool = False

    def ends_at(self, kind: WindowKind) -> datetime | None:
        """End of the window of that kind, if one runs or ran last."""
        return self.window.ends_at if self.window and self.window.kind is kind else None
