"""The policy that a desk file asks for: its profile, overridden field by field (desk-rules "The policy")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pydantic import TypeAdapter

from shared.desks.document import Place
from shared.domain.case import Status
from shared.domain.policy import OPENING_FIELDS, EndBy, OnResolve, Policy, StatusGroup
from shared.domain.profiles import PROFILES, STANDARD

POLICIES: TypeAdapter[Policy] = TypeAdapter(Policy)
POLICY_FIELDS = tuple(field.name for field in fields(Policy))
GROUP_FIELDS = tuple(field.name for field in fields(StatusGroup))
NAMES: dict[str, Sequence[str]] = {
    "required_at_opening": OPENING_FIELDS,
    "required_filters": ("status", "product", "type", "severity", "impact", "account", "assignee"),
}
"""Fields of the policy that are lists of names, and which names there are."""
_CHOSEN_FROM = {"product": "products", "type": "case_types", "severity": "severities"}
"""Fields of a case whose values are a list of the desk file."""
_OF_ACCOUNT = ("account", "contact", "environment")
"""Fields of a case that nobody can choose without an account."""


def effective_policy(profile: str, overrides: Mapping[str, Any]) -> Policy:
    """Lay a desk's own values over its profile.

    Args:
        profile: one of ``PROFILES``.
        overrides: fields of the policy. Labels replace only those of the same status; null takes a label away.

    Raises:
        pydantic.ValidationError: a value that its field can't have; unknown fields are the caller's to refuse.
    """
    base = {name: getattr(PROFILES[profile], name) for name in POLICY_FIELDS}
    own = dict(overrides)
    given = own["labels"] if isinstance(own.get("labels"), Mapping) else {}
    if given:
        labels = {**base["labels"], **given}
        own["labels"] = {status: label for status, label in labels.items() if label is not None}
    policy = POLICIES.validate_python(base | own)
    # Own habits may lead to statuses for which the profile, without them, needs no words.
    lacking = {status: label for status, label in STANDARD.labels.items() if status in _unlabelled(policy)}
    return replace(policy, labels={**lacking, **policy.labels}) if lacking.keys() - given.keys() else policy


def _unlabelled(policy: Policy) -> set[Status]:
    """Statuses that cases of the desk can have and that have no name."""
    never = set() if policy.escalate else {Status.ESCALATED}
    if policy.on_resolve is OnResolve.CLOSE and EndBy.SOLVE not in policy.customer_may_end_by:
        never.add(Status.RESOLVED)
    return set(Status) - never - policy.labels.keys()


def unusable_values(policy: Policy) -> Iterator[tuple[str, str]]:
    """Values that have the right type and still make no sense: field and sentence."""
    for ending in policy.attachment_types or ():
        if not re.fullmatch(r"[a-z0-9]{1,10}", ending):
            yield "attachment_types", f"«{ending}» is not a file name ending; write them like pdf, in small letters."
    if policy.attachment_max_bytes < 1:
        yield "attachment_max_bytes", "give a number of bytes above 0."
    if any(not label.strip() or not label.isprintable() for label in policy.labels.values()):
        yield "labels", "a label is one line of text."
    if nameless := [status for status in Status if status in _unlabelled(policy)]:
        yield "labels", f"cases of this desk can be {', '.join(nameless)}: give a label and not null."
    seen: set[str] = set()
    for group in policy.status_groups:
        if not group.statuses:
            yield "status_groups", f"«{group.label}» has no statuses: give at least one."
        if group.label.casefold() in seen:
            yield "status_groups", f"«{group.label}» is there twice."
        seen.add(group.label.casefold())


def unmet_needs(
    policy: Policy, lists: Mapping[str, Sequence[str]], accounts: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[tuple[Place, str]]:
    """What is empty in the desk file although no case could be opened, or none listed, without a choice from it.

    Args:
        policy: of the desk.
        lists: ``products``, ``case_types`` and ``severities``.
        accounts: each account's key and its environments.

    Yields:
        Where the choices belong, and a sentence.
    """
    for field, name in _CHOSEN_FROM.items():
        asked = [setting for setting in NAMES if field in getattr(policy, setting)]
        if policy.urgency == field:
            asked.append("urgency")
        if asked and not lists[name]:
            ask = "asks" if len(asked) == 1 else "ask"
            yield (name,), f"give at least one: the policy's {' and '.join(asked)} {ask} for a {field}."
    of_account = [field for field in _OF_ACCOUNT if field in policy.required_at_opening]
    if of_account and not accounts:
        yield ("accounts",), f"give at least one: the policy's required_at_opening asks for {_listed(of_account)}."
    for index, (key, environments) in enumerate(accounts):
        if "environment" in of_account and not environments:
            yield (
                ("accounts", index, "environments"),
                f"the account {key} has none, so nobody could open a case for it: give at least one, or leave "
                "environment out of the policy's required_at_opening.",
            )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
