"""The fields of a case beside its conversation: what they are called, whether one may change them, and with what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.api.portal.case.view import CaseView
from services.api.portal.forms import Form
from services.api.portal.pages import DeskPage
from services.api.problems import not_found
from shared.domain.commands import EDITABLE_FIELDS
from shared.domain.policy import IMPACTS, Urgency

Looks = Literal["text", "person", "people", "urgency"]
_BETWEEN: Final = re.compile(r"[\s,;]+")
_LABELS: Final = {
    "assignee": "Assignee",
    "reporter": "Reported by",
    "contact": "Contact",
    "account": "Account",
    "cc": "Copied",
    "product": "Product",
    "type": "Type",
    "severity": "Severity",
    "impact": "Impact",
    "environment": "Environment",
    "internal_reference": "Internal reference",
}
_PEOPLE: Final = ("assignee", "reporter", "contact", "account", "cc")
_CASE: Final = ("product", "type", "severity", "impact", "environment", "internal_reference")
_LOOKS: Final[dict[str, Looks]] = {
    "assignee": "person",
    "reporter": "person",
    "contact": "person",
    "cc": "people",
    "severity": "urgency",
    "impact": "urgency",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A field as it is shown.

    Args:
        name: as in the REST routes.
        label: what it is called.
        looks: how its value is shown.
        value: text, or addresses.
        editable: whether whoever looks may change it now.
    """

    name: str
    label: str
    looks: Looks
    value: str | Sequence[str] | None
    editable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a field can be changed to.

    Args:
        options: values and their labels; None: anything may be typed.
        required: the desk requires it, so it can't be emptied.
        hint: a word on it.
    """

    options: list[tuple[str, str]] | None
    required: bool
    hint: str = ""


def facts_of(page: DeskPage, view: CaseView) -> list[tuple[str, list[Fact]]]:
    """The fields, in groups with a title."""
    groups = (("People", _PEOPLE), ("Case", _CASE))
    return [(title, [fact_of(name, view) for name in names if _is_used(name, page, view)]) for title, names in groups]


def fact_of(name: str, view: CaseView) -> Fact:
    """One of them."""
    value = view.case.account_name or view.case.account if name == "account" else getattr(view.case, name)
    return Fact(
        name=name,
        label=_LABELS[name],
        looks=_LOOKS.get(name, "text"),
        value=value,
        editable=name in EDITABLE_FIELDS and "edit" in view.offered,
    )


def _is_used(name: str, page: DeskPage, view: CaseView) -> bool:
    """A field that this desk does not go by is shown only where the case has it."""
    desk, policy = page.caller.desk, view.record.policy
    used = {
        "product": bool(desk.products),
        "type": bool(desk.case_types),
        "severity": policy.urgency is Urgency.SEVERITY,
        "impact": policy.urgency is Urgency.IMPACT,
        "environment": bool(view.account and view.account.environments),
    }
    return used.get(name, True) or bool(getattr(view.case, name))


def editable_fact(name: str, view: CaseView) -> Fact:
    """A field that is to be changed.

    Raises:
        Problem: 404 if there is none of that name that could be.
    """
    if name not in EDITABLE_FIELDS:
        raise not_found(f"field «{name[:40]}» to be changed")
    return fact_of(name, view)


def choice_for(name: str, page: DeskPage, view: CaseView) -> Choice:
    """What the field can be changed to; the REST route checks it again."""
    desk, account = page.caller.desk, view.account
    required = name in view.record.policy.required_at_opening
    members = list(account.members.items()) if account else []
    options = {
        "product": _plain(desk.products),
        "type": _plain(desk.case_types),
        "severity": _plain(desk.severities),
        "impact": _plain(IMPACTS),
        "environment": _plain(account.environments if account else ()),
        "contact": [(address, f"{called} ({address})") for address, called in members],
    }
    hints = {
        "cc": "Addresses with commas between them. They get every update.",
        "internal_reference": "A reference of the customer's own.",
    }
    return Choice(options=options.get(name), required=required, hint=hints.get(name, ""))


def _plain(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


def changes(name: str, form: Form) -> dict[str, object]:
    """The body of the REST route that changes the field (desk-rules A2: addresses have commas between them)."""
    text = form.text(name).strip()
    if name == "cc":
        return {name: [address for address in _BETWEEN.split(text) if address]}
    return {name: text or None}
