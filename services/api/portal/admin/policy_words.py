"""A desk's policy in words: what each field means as it is set (desk-rules "The policy")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.api.setup.desk_file import own_policy
from shared.desks.policies import effective_policy
from shared.domain.case import Status
from shared.domain.policy import (
    CommentOnResolved,
    CustomersSee,
    EndBy,
    OnceSealed,
    OnResolve,
    Policy,
    Recipient,
    Reopen,
    Urgency,
)
from shared.domain.profiles import PROFILES

_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of the policy.

    Args:
        field: its name in the desk file.
        title: what it is about.
        meaning: a sentence about how it is set.
        profile: the same sentence for the profile, where the desk differs from it.
    """

    field: str
    title: str
    meaning: str
    profile: str | None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Fields that belong together."""

    title: str
    settings: Sequence[Setting]


def explained(profile: str, policy: Policy) -> list[Chapter]:
    """Every field of a policy, with what differs from the profile.

    Args:
        profile: of the desk.
        policy: in force.
    """
    base = effective_policy(profile, {}) if profile in PROFILES else policy
    own = own_policy(profile, policy) if profile in PROFILES else {}

    def setting(field: str) -> Setting:
        title, meaning = _WORDS[field]
        return Setting(field, title, meaning(policy), meaning(base) if field in own else None)

    return [Chapter(title, [setting(field) for field in fields]) for title, fields in _CHAPTERS]


def _labels(policy: Policy) -> str:
    return (
        "; ".join(f"{_plain(status)} is “{policy.labels[status]}”" for status in Status if status in policy.labels)
        + "."
    )


def _groups(policy: Policy) -> str:
    choices = "; ".join(f"“{group.label}” finds {_listed(map(_plain, group.statuses))}" for group in policy.groups())
    return f"The status filter offers: {choices}."


def _on_resolve(policy: Policy) -> str:
    if policy.on_resolve is OnResolve.CLOSE:
        return "When staff resolve a case, it is closed at once."
    return "When staff resolve a case, it stays resolved until the customer confirms it, or time closes it."


_ENDS: Final = {
    EndBy.ACCEPT: "accepting the resolution",
    EndBy.REQUEST: "asking staff to close it",
    EndBy.SOLVE: "marking it solved",
    EndBy.CLOSE: "closing it",
}


def _may_end(policy: Policy) -> str:
    ways = [words for way, words in _ENDS.items() if way in policy.customer_may_end_by]
    return f"Customers end a case by {_listed(ways, 'or')}." if ways else "Customers can't end a case."


def _auto_close(policy: Policy) -> str:
    days = policy.auto_close_after
    return (
        "Silence never closes a resolved case."
        if days is None
        else (f"A resolved case closes by itself after {_business_days(days)} of silence.")
    )


def _comment_on_resolved(policy: Policy) -> str:
    if not policy.stays_resolved:
        return "Cases of this desk don't stay resolved, so it never matters."
    if policy.comment_on_resolved is CommentOnResolved.REOPENS:
        return "A customer's comment on a resolved case reopens it."
    return "A customer's comment on a resolved case leaves it resolved."


def _accept_reject(policy: Policy) -> str:
    if policy.accept_reject:
        return "Customers accept a resolution, or reject it with a reason."
    return "Resolutions are neither accepted nor rejected."


def _survey(policy: Policy) -> str:
    return "Two questions are asked after an accept; answering is free." if policy.survey else "Nothing is asked."


_REOPENS: Final = {
    Reopen.BY_ACTION: "A closed case is reopened by the action, with a reason.",
    Reopen.BY_REPLY: "A customer's reply reopens a closed case.",
    Reopen.NO: "A closed case can't be reopened.",
}


def _reopen_within(policy: Policy) -> str:
    match policy.reopen_within:
        case None:
            return "There is no time for it."
        case "unlimited":
            return "However long ago it was closed."
        case days:
            return f"Within {_business_days(days)} after the closing."


def _once_sealed(policy: Policy) -> str:
    if policy.once_sealed is OnceSealed.FOLLOW_UP:
        return "A case that is closed for good offers a follow-up case, linked both ways."
    return "A case that is closed for good takes nothing more."


def _escalate(policy: Policy) -> str:
    if policy.escalate:
        return "Customers and staff may escalate an active case once, with a comment, until it is reopened."
    return "Cases can't be escalated."


_SEEN: Final = {
    CustomersSee.OWN_AND_CC: "Customers see their own cases and what they are copied on, whatever their account.",
    CustomersSee.ACCOUNT_FOR_ADMINS: "Customers see their own and what they are copied on; account admins see all.",
    CustomersSee.BY_PERMISSION: "Customers see their own; who has the permission, an account's admins, sees all.",
    CustomersSee.ACCOUNT: "Everybody of an account sees all its cases.",
}
_URGENT: Final = {
    Urgency.SEVERITY: "How urgent a case is, its severity says.",
    Urgency.IMPACT: "How urgent a case is, its impact says: High, Medium or Low.",
    Urgency.NONE: "Cases have no field for urgency.",
}


def _required(policy: Policy) -> str:
    return f"A new case needs: {_listed(policy.required_at_opening)}." if policy.required_at_opening else "Nothing."


def _filters(policy: Policy) -> str:
    names = _listed(policy.required_filters)
    return f"The list is shown once a {names} is chosen." if names else "The list is shown without any filter."


def _types(policy: Policy) -> str:
    if policy.attachment_types is None:
        return "Files of any type that is safe."
    return f"Only files that end in {_listed(policy.attachment_types, 'or')}."


def _size(policy: Policy) -> str:
    return f"A file has {policy.attachment_max_bytes / _MEGABYTE:.4g} MB at most, recordings included."


_TOLD: Final = {
    Recipient.OPENER: "who opened the case",
    Recipient.CONTACT: "its contact",
    Recipient.CC: "who is copied",
    Recipient.ASSIGNEE: "its assignee",
    Recipient.ACCOUNT_ADMINS: "every admin of the account",
}


def _recipients(policy: Policy) -> str:
    told = [words for who, words in _TOLD.items() if who in policy.recipients]
    return (
        f"Updates are mailed to {_listed(told)}; never to whoever made them."
        if told
        else "Updates are mailed to nobody."
    )


def _everything(policy: Policy) -> str:
    if policy.cc_gets_everything:
        return "Who is copied is told of every update."
    return "Who is copied is told of replies and changes of status, not of every update."


_WORDS: Final[dict[str, tuple[str, Callable[[Policy], str]]]] = {
    "labels": ("Names of the statuses", _labels),
    "status_groups": ("Status filter", _groups),
    "on_resolve": ("Resolving", _on_resolve),
    "customer_may_end_by": ("Ending by the customer", _may_end),
    "auto_close_after": ("Closing by itself", _auto_close),
    "comment_on_resolved": ("Comment on a resolved case", _comment_on_resolved),
    "accept_reject": ("Accept and reject", _accept_reject),
    "survey": ("Survey", _survey),
    "reopen": ("Reopening", lambda policy: _REOPENS[policy.reopen]),
    "reopen_within": ("Time for reopening", _reopen_within),
    "once_sealed": ("Closed for good", _once_sealed),
    "escalate": ("Escalation", _escalate),
    "customers_see": ("What customers see", lambda policy: _SEEN[policy.customers_see]),
    "urgency": ("Urgency", lambda policy: _URGENT[policy.urgency]),
    "required_at_opening": ("Required when opening", _required),
    "required_filters": ("Required filters", _filters),
    "attachment_types": ("Types of files", _types),
    "attachment_max_bytes": ("Size of files", _size),
    "recipients": ("Who is told", _recipients),
    "cc_gets_everything": ("Copied addresses", _everything),
}
_CHAPTERS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("Resolving and closing", (
        "on_resolve", "accept_reject", "survey", "comment_on_resolved", "auto_close_after", "customer_may_end_by",
    )),
    ("After closing", ("reopen", "reopen_within", "once_sealed")),
    ("Urgency", ("urgency", "escalate")),
    ("What is seen and asked", ("customers_see", "required_at_opening", "required_filters")),
    ("Mail", ("recipients", "cc_gets_everything")),
    ("Files", ("attachment_types", "attachment_max_bytes")),
    ("Words", ("labels", "status_groups")),
)  # fmt: skip


def _business_days(days: int) -> str:
    return f"{days} business day{'' if days == 1 else 's'}"


def _plain(status: str) -> str:
    return status.replace("_", " ")


def _listed(words: Iterable[str], last: str = "and") -> str:
    each = [_plain(str(word)) for word in words]
    return f" {last} ".join(filter(None, (", ".join(each[:-1]), each[-1]))) if each else ""
