"""Cases: how they look now, what has happened to them, and their files."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, now

WINDOW_RUNS = text("status IN ('resolved', 'closed') AND state ->> 'sealed' = 'false'")
"""Of a case: silence can still close or seal it."""
WINDOW_ENDS = "(state #>> '{window,ends_at}'::text[])"
"""Of a case: when that is, as text that sorts by time."""


class Case(Base):
    """The read model: how a case looks now. ``state`` is the whole truth, the columns are for finding and sorting."""

    __tablename__ = "case"
    __table_args__ = (
        UniqueConstraint("desk_id", "number"),
        Index("ix_case_desk_id_updated_at", "desk_id", "updated_at", "number"),
        Index("ix_case_open", "desk_id", postgresql_where=text("status <> 'closed'")),
        Index("ix_case_window", text(WINDOW_ENDS), postgresql_where=WINDOW_RUNS),
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
        Index("ix_case_event_published", "published_at", postgresql_using="brin"),
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
    created_at: Mapped[datetime] = now()
    stored_at: Mapped[datetime | None]
    """When its content had arrived; None: it is arriving, or never did."""
    removed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """When the content of the removed file was deleted from the store."""


class CaseRead(Base):
    """Up to where somebody has read a case."""

    __tablename__ = "case_read"

    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    """The person's address."""
    seq: Mapped[int]
    """Of the last event that the case had then."""
    read_at: Mapped[datetime] = now()
