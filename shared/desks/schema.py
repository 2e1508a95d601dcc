"""What a desk file holds (contract: Desk file)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.webhooks import PATTERNS
from shared.desks.problems import not_one_of
from shared.desks.scopes import SCOPES
from shared.domain.calendar import BusinessCalendar
from shared.domain.checks import invalid_addresses
from shared.domain.limits import ADDRESS_MAX_CHARACTERS, FIELD_MAX_CHARACTERS
from shared.domain.profiles import PROFILES
from shared.holiday_lists import WEEKDAYS, check_name

STAFF_ROLES = ("agent", "lead", "admin")
MEMBER_ROLES = ("member", "admin")
_SECRET_BYTES = range(24, 65)
SECRET_TO_COME = "whsec_…"  # noqa: S105 - it is none
"""What examples have in place of a secret: a webhook with it is told nothing until its secret is known."""


def _one_of(allowed: Sequence[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(not_one_of(value, allowed))
        return value

    return AfterValidator(check)


def _like(pattern: str, rule: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"«{value}» does not fit; {rule}.")
        return value

    return AfterValidator(check)


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > FIELD_MAX_CHARACTERS:
        raise ValueError(f"give one line of 1 to {FIELD_MAX_CHARACTERS} characters.")
    return value.strip()


def _address(value: str) -> str:
    if invalid_addresses([value]) or len(value) > ADDRESS_MAX_CHARACTERS:
        raise ValueError(f"«{value}» is not a mail address.")
    return value.lower()


def _timezone(value: str) -> str:
    BusinessCalendar(timezone=value, workdays=frozenset({0}), holidays=frozenset())
    return value


def _holiday(value: str) -> str:
    check_name(value)
    return value


def _url(value: str) -> str:
    rule = (
        "an address begins with https:// (http:// only for localhost and private IP addresses), "
        "without user, password or #"
    )
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"«{value}» is not a web address: {error}.") from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_inside(host or ""))
    if not safe or not host or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(f"«{value}» does not fit; {rule}.")
    return value


def _is_inside(host: str) -> bool:
    """Whether it can only be on a network of one's own. Which of those may be reached is the notifier's to check."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _secret(value: str) -> str:
    if value == SECRET_TO_COME:
        return value
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not value.startswith("whsec_") or len(key) not in _SECRET_BYTES:
        raise ValueError(
            "a webhook's secret is whsec_ and 24 to 64 random bytes in base64 (Standard Webhooks); make one with: "
            "python3 -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(24)).decode())'."
        )
    return value


Slug = Annotated[str, _like(r"[a-z0-9-]{2,40}", "a slug has 2 to 40 of a-z, 0-9 and -")]
Key = Annotated[str, _like(r"[A-Z][A-Z0-9]{0,9}", "a key begins with A-Z and has up to 10 of A-Z and 0-9")]
AccountKey = Annotated[
    str, _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", "an account's key has up to 40 letters, digits and . _ -")
]
ServiceName = Annotated[
    str, _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", "a service's name has up to 40 letters, digits and . _ -")
]
Secret = Annotated[str, AfterValidator(_secret)]
Line = Annotated[str, AfterValidator(_line)]
Address = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """A mapping of the file: unknown keys are refused, an empty value counts as left out."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, values: Any) -> Any:
        return (
            {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values
        )


class CalendarSection(Section):
    """When the desk works; windows are counted by it (desk-rules Windows)."""

    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    workdays: list[Annotated[str, _one_of(WEEKDAYS)]] = Field(default=list(WEEKDAYS[:5]), min_length=1)
    holidays: list[Annotated[str, AfterValidator(_holiday)]] = []


class StaffMember(Section):
    """Somebody who works on the desk."""

    email: Address
    name: Line
    role: Annotated[str, _one_of(STAFF_ROLES)]


class Member(Section):
    """Somebody of a customer company."""

    email: Address
    name: Line
    role: Annotated[str, _one_of(MEMBER_ROLES)]
    phone: Line | None = None


class AccountSection(Section):
    """A customer company."""

    key: AccountKey
    name: Line
    environments: list[Line] = []
    members: list[Member] = []


class ContactSection(Section):
    """A shortcut on the list page (desk-rules T12)."""

    label: Line
    email: Address


class ServiceSection(Section):
    """A program that acts on the desk."""

    name: ServiceName
    scopes: list[Annotated[str, _one_of(tuple(SCOPES))]]


class WebhookSection(Section):
    """An address that is told of events."""

    url: Annotated[str, AfterValidator(_url)]
    events: list[Annotated[str, _one_of(PATTERNS)]] = Field(default=["case.*"], min_length=1)
    secret: Secret


class DeskFile(Section):
    """A desk as its file describes it. ``effective_policy`` gives the policy that results."""

    desk: Slug
    name: Line
    key: Key
    profile: Annotated[str, _one_of(tuple(PROFILES))] = "standard"
    policy: dict[str, Any] = {}
    calendar: CalendarSection = CalendarSection()
    products: list[Line] = []
    case_types: list[Line] = ["Question", "Incident", "Change"]
    severities: list[Line] = ["Critical", "High", "Medium", "Low"]
    staff: list[StaffMember] = []
    accounts: list[AccountSection] = []
    contacts: list[ContactSection] = []
    services: list[ServiceSection] = []
    webhooks: list[WebhookSection] = []
