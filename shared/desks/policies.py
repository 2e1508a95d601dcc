"""The policy that a desk file asks for: its profile, overridden field by field (desk-rules "The policy")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from shared.desks.problems import not_one_of
from shared.domain.policy import Policy, StatusGroup
from shared.domain.profiles import PROFILES

POLICIES: TypeAdapter[Policy] = TypeAdapter(Policy)
POLICY_FIELDS = tuple(field.name for field in fields(Policy))
GROUP_FIELDS = tuple(field.name for field in fields(StatusGroup))
FILTERS = ("status", "product", "type", "severity", "impact", "account", "assignee")


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
    if isinstance(own.get("labels"), Mapping):
        labels = {**base["labels"], **own["labels"]}
        own["labels"] = {status: label for status, label in labels.items() if label is not None}
    return POLICIES.validate_python(base | own)


def unusable_values(policy: Policy) -> dict[str, str]:
    """Values that have the right type and still make no sense: field → sentence."""
    wrong = {}
    if unknown := [name for name in policy.required_filters if name not in FILTERS]:
        wrong["required_filters"] = not_one_of(unknown[0], FILTERS)
    endings = [ending for ending in policy.attachment_types or () if not re.fullmatch(r"[a-z0-9]{1,10}", ending)]
    if endings:
        wrong["attachment_types"] = f"«{endings[0]}» is not a file name ending; write them like pdf, in small letters."
    if policy.attachment_max_bytes < 1:
        wrong["attachment_max_bytes"] = "give a number of bytes above 0."
    if any(not label.strip() or not label.isprintable() for label in policy.labels.values()):
        wrong["labels"] = "a label is one line of text."
    return wrong
