"""A desk's people, as an answer."""

from __future__ import annotations

from pydantic import BaseModel, Field


class StaffOut(BaseModel):
    """Somebody who works on the desk."""

    email: str
    name: str
    role: str = Field(description="agent, lead or admin.")


class MemberOut(BaseModel):
    """Somebody of a customer company."""

    email: str
    name: str
    role: str = Field(description="member or admin.")
    phone: str | None


class CompanyOut(BaseModel):
    """A customer company."""

    key: str = Field(examples=["acme"])
    name: str
    environments: list[str]
    members: list[MemberOut]


class ServiceOut(BaseModel):
    """A program that acts on the desk."""

    name: str
    scopes: list[str]


class PeopleOut(BaseModel):
    """Everybody who has to do with a desk."""

    staff: list[StaffOut]
    accounts: list[CompanyOut]
    services: list[ServiceOut]
