"""What people keep for themselves or for their desk."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, now


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
    created_at: Mapped[datetime] = now()


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
    created_at: Mapped[datetime] = now()
    updated_at: Mapped[datetime] = now()
