"""Who was told what."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, now


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
    next_attempt_at: Mapped[datetime] = now()
    message_id: Mapped[str | None]
    error: Mapped[str | None]
    response_status: Mapped[int | None]
    """What a webhook's receiver answered to the last attempt."""
    duration_ms: Mapped[int | None]
    """How long the last attempt at a webhook took."""
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    sent_at: Mapped[datetime | None]


class MailboxMessage(Base):
    """Development only: mail that would have been sent."""

    __tablename__ = "mailbox_message"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = now()
    sender: Mapped[str]
    to: Mapped[list[str]]
    cc: Mapped[list[str]]
    subject: Mapped[str]
    message_id: Mapped[str]
    in_reply_to: Mapped[str | None]
    text: Mapped[str]
    html: Mapped[str]
