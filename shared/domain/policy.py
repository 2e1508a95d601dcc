"""A desk's habits as data (desk-rules "The policy"). Pinned to a case when it opens, with its version."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

from shared.domain.case import Status


class OnResolve(StrEnum):
    """What a resolution by staff leads to."""

    AWAIT_CONFIRMATION = "await_confirmation"
    CLOSE = "close"


class EndBy(StrEnum):
    """By what a customer may end a case."""

    ACCEPT = "accept"
    REQUEST = "request"
    SOLVE = "solve"
    CLOSE = "close"


class CommentOnResolved(StrEnum):
    """What a customer's comment on a resolved case does."""

    REOPENS = "reopens"
    COMMENT_ONLY = "comment_only"


class Reopen(StrEnum):
    """How a closed case is taken up again."""

    BY_ACTION = "by_action"
    BY_REPLY = "by_reply"
    NO = "no"


class OnceSealed(StrEnum):
    """What is offered once a case can't be reopened."""

    FOLLOW_UP = "follow_up"
    REFUSED = "refused"


class CustomersSee(StrEnum):
    """Which cases a customer sees beyond those they reported or are the contact of."""

    OWN_AND_CC = "own_and_cc"
    ACCOUNT_FOR_ADMINS = "account_for_admins"
    BY_PERMISSION = "by_permission"
    ACCOUNT = "account"


class Urgency(StrEnum):
    """The field that says how urgent a case is."""

    SEVERITY = "severity"
    IMPACT = "impact"
    NONE = "none"


class Recipient(StrEnum):
    """Who is told of updates; the actor never is."""

    OPENER = "opener"
    CONTACT = "contact"
    CC = "cc"
    ASSIGNEE = "assignee"
    ACCOUNT_ADMINS = "account_admins"


Impact = Literal["High", "Medium", "Low"]
IMPACTS: tuple[str, ...] = get_args(Impact)
"""What an impact may be, the most pressing first (desk-rules M6)."""

OPENING_FIELDS = (
    "subject",
    "description",
    "reporter",
    "product",
    "type",
    "severity",
    "impact",
    "account",
    "contact",
    "environment",
    "internal_reference",
)
"""What a desk may require at opening."""

Unlimited = Literal["unlimited"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusGroup:
    """One choice of the list's status filter."""

    label: str
    statuses: tuple[Status, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Every habit that desks differ in.

    Args:
        labels: what the desk's users see for each status.
        status_groups: choices of the status filter; empty: one per label.
        on_resolve: what staff's resolve leads to.
        customer_may_end_by: ways in which a customer ends a case.
        auto_close_after: business days of silence after which a resolved case closes; None: never.
        comment_on_resolved: what a customer's comment on a resolved case does.
        accept_reject: whether a resolution is accepted or rejected by the customer.
        survey: whether two questions are asked after an accept.
        reopen: how a closed case is reopened.
        reopen_within: business days after the closing in which it can be; None where it never can.
        once_sealed: what is offered afterwards.
        escalate: whether cases can be escalated.
        customers_see: which cases a customer sees.
        urgency: which field says how urgent a case is.
        required_at_opening: fields without which no case is opened.
        required_filters: filters without which no list is given.
        attachment_types: file name endings that may be attached; None: any that is safe.
        attachment_max_bytes: size limit of one file.
        recipients: who is mailed on every update.
        cc_gets_everything: CC addresses are told of every update, not only of replies and changes of status.
    """

    labels: dict[Status, str] = field(hash=False)
    status_groups: tuple[StatusGroup, ...] = ()
    on_resolve: OnResolve = OnResolve.AWAIT_CONFIRMATION
    customer_may_end_by: frozenset[EndBy] = frozenset()
    auto_close_after: int | None = None
    comment_on_resolved: CommentOnResolved = CommentOnResolved.REOPENS
    accept_reject: bool = False
    survey: bool = False
    reopen: Reopen = Reopen.NO
    reopen_within: int | Unlimited | None = None
    once_sealed: OnceSealed = OnceSealed.REFUSED
    escalate: bool = False
    customers_see: CustomersSee = CustomersSee.OWN_AND_CC
    urgency: Urgency = Urgency.SEVERITY
    required_at_opening: tuple[str, ...] = ()
    required_filters: tuple[str, ...] = ()
    attachment_types: tuple[str, ...] | None = None
    attachment_max_bytes: int = 25 * 1024 * 1024
    recipients: frozenset[Recipient] = frozenset({Recipient.OPENER})
    cc_gets_everything: bool = False

    def __post_init__(self) -> None:
        for name in ("auto_close_after", "reopen_within"):
            days = getattr(self, name)
            if isinstance(days, int) and not 1 <= days <= 365:
                raise ValueError(f"{name}: {days} business days; allowed are 1 to 365, or null for no window")
        if (self.reopen is Reopen.NO) != (self.reopen_within is None):
            raise ValueError(
                "reopen and reopen_within go together: days or 'unlimited' where cases can be reopened, else null"
            )

        if unknown := sorted(set(self.required_at_opening) - set(OPENING_FIELDS)):
            raise ValueError(f"required_at_opening: {', '.join(unknown)}; allowed are {', '.join(OPENING_FIELDS)}")
        if self.survey and not self.accept_reject:
            raise ValueError("survey: asked after an accept, so it needs accept_reject")

    @property
    def stays_resolved(self) -> bool:
        """Whether a case can be resolved without being closed at once."""
        return self.on_resolve is OnResolve.AWAIT_CONFIRMATION or EndBy.SOLVE in self.customer_may_end_by

    def label(self, status: Status) -> str:
        """What the desk's users call ``status``."""
        return self.labels.get(status, status.replace("_", " ").capitalize())

    def groups(self) -> tuple[StatusGroup, ...]:
        """Choices of the status filter, in the order of the lifecycle; statuses of one label are one choice."""
        if self.status_groups:
            return self.status_groups
        by_label: dict[str, tuple[Status, ...]] = {}
        for status in Status:
            if status in self.labels:
                by_label[self.labels[status]] = (*by_label.get(self.labels[status], ()), status)
        return tuple(StatusGroup(label=label, statuses=statuses) for label, statuses in by_label.items())
