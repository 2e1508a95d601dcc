"""The desk file that would make a desk as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from services.api.callers import DeskView
from services.api.setup.schemas import PeopleOut
from services.api.webhooks.schemas import WebhookOut
from shared.desks.policies import POLICY_FIELDS, effective_policy
from shared.desks.schema import SECRET_TO_COME
from shared.domain.policy import Policy
from shared.domain.profiles import PROFILES

_HEAD: Final = "# {name} as it is now. Change it and run: casebound desk apply {slug}.yaml --dry-run\n"
_SECRETS: Final = (
    "# Secrets of webhooks are never shown. Put them in again before you apply this file, or the receivers "
    "are told nothing.\n"
)


def own_policy(profile: str, policy: Policy) -> dict[str, Any]:
    """What a desk file says of the policy: only what differs from the profile. Laid over it, it gives the policy."""
    base = effective_policy(profile, {})
    own = {
        name: _plain(getattr(policy, name))
        for name in POLICY_FIELDS
        if name != "labels" and getattr(policy, name) != getattr(base, name)
    }
    here, there = ({status.value: label for status, label in each.labels.items()} for each in (policy, base))
    if labels := {name: here.get(name) for name in {**there, **here} if here.get(name) != there.get(name)}:
        own["labels"] = labels
    return own


def desk_file(desk: DeskView, people: PeopleOut, webhooks: Sequence[WebhookOut]) -> str:
    """The file, in YAML; ``casebound desk apply`` finds nothing to change in it but the webhooks' secrets.

    Args:
        desk: the desk.
        people: of the desk.
        webhooks: of the desk.
    """
    content: dict[str, Any] = {
        "desk": desk.slug,
        "name": desk.name,
        "key": desk.key,
        "profile": desk.profile,
        "policy": own_policy(desk.profile, desk.policy) if desk.profile in PROFILES else {},
        "calendar": {"timezone": desk.timezone, "workdays": desk.workdays, "holidays": desk.holidays},
        "products": desk.products,
        "case_types": desk.case_types,
        "severities": desk.severities,
        **people.model_dump(include={"staff"}),
        "accounts": people.model_dump(exclude_none=True)["accounts"],
        "contacts": desk.contacts,
        **people.model_dump(include={"services"}),
        "webhooks": [{"url": hook.url, "events": hook.events, "secret": SECRET_TO_COME} for hook in webhooks],
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD.format(name=" ".join(desk.name.split()), slug=desk.slug) + (_SECRETS if webhooks else "") + text


def _plain(value: Any) -> Any:
    match value:
        case frozenset():
            return sorted(each.value for each in value)
        case tuple():
            return [_plain(each) for each in value]
        case bool() | int() | None:
            return value
        case str():
            return str(value)
        case _:
            return {"label": value.label, "statuses": [status.value for status in value.statuses]}
