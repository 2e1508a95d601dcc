"""Desks, the people around them, and who is told of what happens there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Identity,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, now


class Desk(Base):
    """A support desk: its habits, its calendar, its lists."""

    __tablename__ = "desk"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    key: Mapped[str]
    profile: Mapped[str]
    policy: Mapped[dict[str, Any]]
    policy_version: Mapped[int]
    timezone: Mapped[str]
    workdays: Mapped[list[str]]
    holidays: Mapped[list[str]]
    products: Mapped[list[str]]
    case_types: Mapped[list[str]]
    severities: Mapped[list[str]]
    contacts: Mapped[list[dict[str, Any]]]
    created_at: Mapped[datetime] = now()


class DeskCounter(Base):
    """The last case number given out on a desk; a row of its own so that counting never waits for an edit."""

    __tablename__ = "desk_counter"

    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"), primary_key=True)
    last_number: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class DeskPolicy(Base):
    """Every version that a desk's policy has had."""

    __tablename__ = "desk_policy"

    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    policy: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()


class Person(Base):
    """Somebody who can log in or be written to."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = now()


class Staff(Base):
    """A person's role on a desk: agent, lead or admin."""

    __tablename__ = "staff"

    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    role: Mapped[str]


class Account(Base):
    """A customer company of a desk."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("desk_id", "key"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    key: Mapped[str]
    name: Mapped[str]
    environments: Mapped[list[str]]


class AccountMember(Base):
    """A person's role in an account: member or admin."""

    __tablename__ = "account_member"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    role: Mapped[str]


class ServiceAccount(Base):
    """A program that acts on a desk within its scopes."""

    __tablename__ = "service_account"
    __table_args__ = (UniqueConstraint("desk_id", "name"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    name: Mapped[str]
    scopes: Mapped[list[str]]


class Webhook(Base):
    """An address that is told of events of a desk."""

    __tablename__ = "webhook"
    __table_args__ = (UniqueConstraint("desk_id", "url"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    url: Mapped[str]
    events: Mapped[list[str]]
    secret: Mapped[str]
    disabled_at: Mapped[datetime | None]
    """When its receiver said that it is gone; a test that arrives clears it."""
    busy_until: Mapped[datetime | None]
    """Until then one process is sending to it; past if that process has died."""
    last_success_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
