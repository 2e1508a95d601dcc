"""The tables. Addresses of people are kept in lower case; times are UTC."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of Casebound."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (declared so by SQLAlchemy)
        str: Text,
        datetime: DateTime(timezone=True),
        timedelta: Interval,
        uuid.UUID: UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }


def _now() -> Any:
    return mapped_column(server_default=func.now())


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
    created_at: Mapped[datetime] = _now()


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
    created_at: Mapped[datetime] = _now()


class Person(Base):
    """Somebody who can log in or be written to."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = _now()


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


class Case(Base):
    """The read model: how a case looks now. ``state`` is the whole truth, the columns are for finding and sorting."""

    __tablename__ = "case"
    __table_args__ = (
        UniqueConstraint("desk_id", "number"),
        Index("ix_case_desk_id_updated_at", "desk_id", "updated_at", "number"),
        Index("ix_case_open", "desk_id", postgresql_where=text("status <> 'closed'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    number: Mapped[int]
    policy: Mapped[dict[str, Any]]
    policy_version: Mapped[int]
    state: Mapped[dict[str, Any]]
    description: Mapped[str]
    seq: Mapped[int]
    status: Mapped[str]
    subject: Mapped[str]
    product: Mapped[str | None]
    type: Mapped[str | None]
    severity: Mapped[str | None]
    impact: Mapped[str | None]
    account: Mapped[str | None]
    reporter: Mapped[str]
    contact: Mapped[str | None]
    cc: Mapped[list[str]]
    assignee: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    clock_offset: Mapped[timedelta] = mapped_column(server_default=text("'0'"))
    """How far ``casebound fast-forward`` has moved this case's clock; below zero where it was opened in the past.

    Zero outside development.
    """


class CaseEvent(Base):
    """What has happened, append-only; also the outbox: the relay publishes what has no ``published_at``."""

    __tablename__ = "case_event"
    __table_args__ = (
        UniqueConstraint("case_id", "command_id", "part"),
        Index("ix_case_event_unpublished", "position", postgresql_where=text("published_at IS NULL")),
        Index("ix_case_event_actor_email_position", "actor_email", "position"),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity())
    kind: Mapped[str]
    at: Mapped[datetime]
    actor: Mapped[dict[str, Any]]
    actor_email: Mapped[str | None]
    command_id: Mapped[str]
    command: Mapped[str]
    part: Mapped[int]
    data: Mapped[dict[str, Any]]
    """What the event adds to the common fields."""
    snapshot: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The case right after the event: what the event tells of the case, whenever it is published."""
    traceparent: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    published_at: Mapped[datetime | None]


class Attachment(Base):
    """An uploaded file. It belongs to a case once an event names it; its content is the object of ``object_name``."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index("ix_attachment_unattached", "created_at", postgresql_where=text("case_id IS NULL")),
        Index(
            "ix_attachment_to_delete",
            "removed_at",
            postgresql_where=text("removed_at IS NOT NULL AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    case_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("case.id"), index=True)
    seq: Mapped[int | None]
    """The event that named it."""
    internal: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether that is a note, so that customers never see it."""
    uploaded_by: Mapped[str]
    filename: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    kind: Mapped[str]
    """file or recording."""
    created_at: Mapped[datetime] = _now()
    stored_at: Mapped[datetime | None]
    """When its content had arrived; None: it is arriving, or never did."""
    removed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """When the content of the removed file was deleted from the store."""


class SavedFilter(Base):
    """A list of cases that somebody keeps under a name; it is nobody else's."""

    __tablename__ = "saved_filter"
    __table_args__ = (UniqueConstraint("desk_id", "owner", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    owner: Mapped[str]
    """The person's address."""
    name: Mapped[str]
    query: Mapped[dict[str, Any]]
    """The parameters of a list, as they were given."""
    position: Mapped[int]
    created_at: Mapped[datetime] = _now()


class CaseRead(Base):
    """Up to where somebody has read a case."""

    __tablename__ = "case_read"

    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    """The person's address."""
    seq: Mapped[int]
    """Of the last event that the case had then."""
    read_at: Mapped[datetime] = _now()


class CannedReply(Base):
    """Words that staff of a desk send often: the desk's, or somebody's own."""

    __tablename__ = "canned_reply"
    __table_args__ = (UniqueConstraint("desk_id", "owner", "name", postgresql_nulls_not_distinct=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"))
    owner: Mapped[str | None]
    """The person's address; none of the desk's."""
    name: Mapped[str]
    body: Mapped[str]
    """With its placeholders, as ``{customer}``."""
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class IdempotencyKey(Base):
    """What a POST with an ``Idempotency-Key`` was and what it was answered."""

    __tablename__ = "idempotency_key"

    desk_id: Mapped[int] = mapped_column(ForeignKey("desk.id"), primary_key=True)
    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    command_id: Mapped[str]
    number: Mapped[int | None]
    response_status: Mapped[int | None]
    response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class LoginSession(Base):
    """A browser that has logged in; the cookie holds the token, this only its hash."""

    __tablename__ = "login_session"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    csrf_token: Mapped[str]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = _now()


class Delivery(Base):
    """Who was told what: one row for each event, channel and recipient, written before anything is sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("case_id", "seq", "channel", "recipient"),
        Index("ix_delivery_due", "next_attempt_at", postgresql_where=text("status = 'pending'")),
        Index("ix_delivery_webhook_id", "webhook_id", "id", postgresql_where=text("webhook_id IS NOT NULL")),
        Index(
            "ix_delivery_webhook_pending",
            "webhook_id",
            "next_attempt_at",
            postgresql_where=text("webhook_id IS NOT NULL AND status = 'pending'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("case.id"))
    seq: Mapped[int]
    channel: Mapped[str]
    recipient: Mapped[str]
    """A mail address, or the URL of a webhook."""
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhook.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    """pending, sent, failed or cancelled."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = _now()
    message_id: Mapped[str | None]
    error: Mapped[str | None]
    response_status: Mapped[int | None]
    """What a webhook's receiver answered to the last attempt."""
    duration_ms: Mapped[int | None]
    """How long the last attempt at a webhook took."""
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    sent_at: Mapped[datetime | None]


class MailboxMessage(Base):
    """Development only: mail that would have been sent."""

    __tablename__ = "mailbox_message"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = _now()
    sender: Mapped[str]
    to: Mapped[list[str]]
    cc: Mapped[list[str]]
    subject: Mapped[str]
    message_id: Mapped[str]
    in_reply_to: Mapped[str | None]
    text: Mapped[str]
    html: Mapped[str]
