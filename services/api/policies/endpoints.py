"""A desk's habits and lists, as forms and filters need them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.api.answers import Json
from services.api.auth import CallerHere
from services.api.cases.choices import load_accounts
from services.api.context import Ctx
from services.api.problems import documented
from shared.db.cases import POLICIES
from shared.domain.limits import (
    ATTACHMENTS_MAX_PER_COMMAND,
    CC_MAX_ADDRESSES,
    FIELD_MAX_CHARACTERS,
    SUBJECT_MAX_CHARACTERS,
    TEXT_MAX_BYTES,
)
from shared.domain.policy import IMPACTS

router = APIRouter(tags=["policy"])

LIMITS = {
    "subject_max_characters": SUBJECT_MAX_CHARACTERS,
    "text_max_bytes": TEXT_MAX_BYTES,
    "field_max_characters": FIELD_MAX_CHARACTERS,
    "cc_max_addresses": CC_MAX_ADDRESSES,
    "attachments_max_per_command": ATTACHMENTS_MAX_PER_COMMAND,
}


class StatusGroupOut(BaseModel):
    """One choice of the list's status filter."""

    label: str
    statuses: list[str]


class CalendarOut(BaseModel):
    """When the desk works."""

    timezone: str = Field(examples=["Europe/London"])
    workdays: list[str] = Field(examples=[["mon", "tue", "wed", "thu", "fri"]])
    holidays: list[str] = Field(examples=[["GB-ENG"]])


class AccountOut(BaseModel):
    """An account for which one may open cases."""

    key: str = Field(examples=["acme"])
    name: str = Field(examples=["Acme Ltd"])
    environments: list[str]
    members: dict[str, str] = Field(description="Names by address: whom a case can be opened for.")


class PolicyOut(BaseModel):
    """A desk's effective policy and its lists."""

    desk: str = Field(examples=["connect"])
    name: str
    key: str = Field(description="Cases are called by it, as CON-1.", examples=["CON"])
    profile: str
    policy_version: int
    policy: dict[str, Any] = Field(description="Every field of the policy, the profile's and the desk's own.")
    labels: dict[str, str] = Field(description="What the desk calls each status.")
    status_groups: list[StatusGroupOut]
    products: list[str]
    types: list[str]
    severities: list[str]
    impacts: list[str]
    calendar: CalendarOut
    contacts: list[dict[str, Any]]
    accounts: list[AccountOut] = Field(description="A customer's own; of staff and services, none are listed.")
    limits: dict[str, int]


@router.get("/policy", response_model=PolicyOut, responses=documented(401, 404, 503))
async def get_policy(caller: CallerHere, context: Ctx) -> JSONResponse:
    """Read the desk's effective policy, labels, products, types and severities, and what a form has to choose from."""
    desk = caller.desk
    async with context.database.read() as session:
        accounts = await load_accounts(session, desk, caller.accounts)
    groups = [StatusGroupOut(label=group.label, statuses=list(group.statuses)) for group in desk.policy.groups()]
    policy = PolicyOut(
        desk=desk.slug,
        name=desk.name,
        key=desk.key,
        profile=desk.profile,
        policy_version=desk.policy_version,
        policy=POLICIES.dump_python(desk.policy, mode="json"),
        labels={status.value: label for status, label in desk.policy.labels.items()},
        status_groups=groups,
        products=desk.products,
        types=desk.case_types,
        severities=desk.severities,
        impacts=list(IMPACTS),
        calendar=CalendarOut(timezone=desk.timezone, workdays=desk.workdays, holidays=desk.holidays),
        contacts=desk.contacts,
        accounts=[AccountOut.model_validate(account, from_attributes=True) for account in accounts.values()],
        limits=LIMITS,
    )
    return Json(policy)
