"""How values of a desk are shown to whoever applies a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.desks.policies import POLICY_FIELDS
from shared.domain.policy import Policy, StatusGroup


def shown(value: Any) -> str:
    """A value in a line of output."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case StatusGroup():
            return f"{value.label} ({', '.join(value.statuses)})"
        case {"label": label, "email": email}:
            return f"{label} {email}"
        case frozenset():
            return ", ".join(sorted(map(shown, value))) or "none"
        case list() | tuple():
            return ", ".join(map(shown, value)) or "none"
        case _:
            return str(value)


def policy_changes(before: Policy, after: Policy) -> list[str]:
    """What differs, as in ``reopen_within: 14 → 10``; labels one by one."""
    old, new = _flat(before), _flat(after)
    names = dict.fromkeys([*old, *new])
    return [
        f"{name}: {shown(old.get(name))} → {shown(new.get(name))}" for name in names if old.get(name) != new.get(name)
    ]


def _flat(policy: Policy) -> Mapping[str, Any]:
    labels = {f"labels.{status.value}": label for status, label in policy.labels.items()}
    return labels | {name: getattr(policy, name) for name in POLICY_FIELDS if name != "labels"}
