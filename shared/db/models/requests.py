"""Who asks, and what has been asked already."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    LargeBinary,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, now


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
    created_at: Mapped[datetime] = now()
