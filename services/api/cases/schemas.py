"""Cases as they go in and out over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.api.answers import Instant
from shared.domain.checks import invalid_addresses
from shared.domain.limits import (
    ATTACHMENTS_MAX_PER_COMMAND,
    CC_MAX_ADDRESSES,
    FIELD_MAX_CHARACTERS,
    SUBJECT_MAX_CHARACTERS,
    TEXT_MAX_BYTES,
)
from shared.domain.policy import Impact


def storable(text: str) -> str:
    """The text; a ``ValueError`` for one that Postgres can't keep."""
    if "\0" in text:
        raise ValueError("holds a NUL character (U+0000), which can't be stored; remove it.")
    return text


def _within_bytes(text: str) -> str:
    size = len(text.encode())
    if size > TEXT_MAX_BYTES:
        raise ValueError(f"has {size} bytes in UTF-8; at most {TEXT_MAX_BYTES} (64 KiB) are allowed.")
    return text


def _address(text: str) -> str:
    address = text.strip().lower()
    if invalid_addresses((address,)):
        raise ValueError(f"«{text[:100]}» is not a mail address.")
    return address


def _distinct(addresses: list[str]) -> list[str]:
    return list(dict.fromkeys(addresses))


Line = Annotated[
    str, StringConstraints(max_length=FIELD_MAX_CHARACTERS, strip_whitespace=True), AfterValidator(storable)
]
LongText = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(_within_bytes),
    Field(description="At most 64 KiB in UTF-8.", json_schema_extra={"maxLength": TEXT_MAX_BYTES}),
]
Address = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(_address),
    Field(json_schema_extra={"format": "email"}, examples=["bob@acme.example"]),
]
Addresses = Annotated[list[Address], Field(max_length=CC_MAX_ADDRESSES), AfterValidator(_distinct)]
AttachmentIds = Annotated[
    list[uuid.UUID],
    Field(max_length=ATTACHMENTS_MAX_PER_COMMAND, description="Ids of files uploaded before."),
    AfterValidator(lambda ids: list(dict.fromkeys(ids))),
]


class Body(BaseModel):
    """A request's body: what it does not know it refuses, so that a misspelt field is not lost."""

    model_config = ConfigDict(extra="forbid")


class CommandBody(Body):
    """The body of a request that asks for a change."""

    command_id: str | None = Field(
        default=None,
        exclude=True,
        description="The same as the header `Idempotency-Key`, for programs that send commands over NATS too.",
    )


class _CaseFields(CommandBody):
    product: Line | None = Field(default=None, examples=["ERP"], description="One of the desk's products.")
    type: Line | None = Field(default=None, examples=["Incident"], description="One of the desk's case types.")
    severity: Line | None = Field(default=None, examples=["High"], description="One of the desk's severities.")
    impact: Impact | None = Field(default=None)
    contact: Address | None = Field(default=None, description="A member of the account; default: who opens the case.")
    environment: Line | None = Field(default=None, examples=["Production"], description="One of the account's.")
    cc: Addresses = Field(default_factory=list, description="Further recipients of every update.")
    internal_reference: Line | None = Field(default=None, description="A reference of the customer's own.")


Subject = Annotated[
    str, StringConstraints(max_length=SUBJECT_MAX_CHARACTERS, strip_whitespace=True), AfterValidator(storable)
]


class NewCase(_CaseFields):
    """A case to be opened."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "Invoices can't be posted",
                    "description": "Since this morning posting ends with error 1217.",
                    "product": "ERP",
                    "type": "Incident",
                    "severity": "High",
                    "cc": ["carol@acme.example"],
                }
            ]
        }
    )

    subject: Subject = Field(min_length=1)
    description: LongText = Field(min_length=1)
    account: Line | None = Field(default=None, description="Key of one of one's accounts; filled in if one has one.")
    attachments: AttachmentIds = Field(default_factory=list)
    follow_up_of: int | None = Field(default=None, ge=1, lt=2**31, description="A case that this one follows.")


class NewFollowUp(NewCase):
    """A case that follows a sealed one; what is left out is taken from that one."""

    subject: Subject = Field(default="", description="Default: the subject of the case it follows.")
    follow_up_of: None = Field(default=None, description="The case in the address; leave this out.")


class CaseChanges(_CaseFields):
    """Fields to change; null empties one, what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"severity": "Low", "cc": ["carol@acme.example"]}]})


class ActionOut(BaseModel):
    """Something that the caller may do to the case now."""

    name: str = Field(examples=["escalate"])
    required: list[str] = Field(examples=[["comment"]], description="Fields that must be given.")


class ResolutionOut(BaseModel):
    """How a case was resolved."""

    root_cause: str | None
    resolution_type: str
    summary: str


class SurveyOut(BaseModel):
    """Answers to the two questions after an accept."""

    q1: int | str
    q2: int | str


class CaseOut(BaseModel):
    """A case."""

    number: int = Field(examples=[12])
    key: str = Field(examples=["CON-12"])
    desk: str = Field(examples=["connect"])
    subject: str
    description: str
    status: str = Field(
        description="One of new, open, awaiting_customer, escalated, resolved, closed.", examples=["open"]
    )
    status_label: str = Field(description="What this desk calls the status.", examples=["In Progress"])
    product: str | None
    type: str | None
    severity: str | None
    impact: str | None
    urgency: str | None = Field(description="By the field that this desk goes by: severity or impact; null: by none.")
    account: str | None = Field(examples=["acme"])
    account_name: str | None = Field(examples=["Acme Ltd"])
    environment: str | None
    reporter: str = Field(examples=["bob@acme.example"])
    contact: str | None
    contact_phone: str | None = Field(examples=["+44 20 7946 0000"])
    cc: list[str]
    assignee: str | None
    internal_reference: str | None
    follow_up_of: int | None
    follow_ups: list[int]
    resolution: ResolutionOut | None
    survey: SurveyOut | None
    closure_requested_at: Instant | None
    escalated_at: Instant | None
    resolved_at: Instant | None
    closed_at: Instant | None
    closed_reason: str | None = Field(
        description="One of accepted, no_answer, resolved, closed_by_customer, closed_by_staff."
    )
    auto_close_at: Instant | None = Field(description="When silence closes the resolved case.")
    reopen_until: Instant | None = Field(description="Until when the closed case can be reopened.")
    sealed: bool = Field(description="Closed for good.")
    created_at: Instant
    updated_at: Instant
    seq: int = Field(description="Number of the case's latest event.")
    actions: list[ActionOut] = Field(description="What the caller may do now.")
    people: dict[str, str] = Field(description="Names of the people above, by address.")


class CaseList(BaseModel):
    """One page of cases."""

    items: list[CaseOut]
    total: int = Field(description="Exact number of matches.")
    page: int
    page_size: int
    pages: int
    facets: dict[str, dict[str, int]] = Field(description="How many of all matches have which value.")
    stale: bool | None = Field(
        default=None,
        exclude_if=lambda stale: stale is None,
        description="Given, and true, where the search service was away or behind: the latest may be missing.",
    )
