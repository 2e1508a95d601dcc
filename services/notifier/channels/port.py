"""What the sender asks of a channel."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A delivery to be made now.

    Args:
        id: of its row.
        case_id, seq: the event that is told.
        channel, recipient: by what, and whom.
        attempts: how many there have been, this one included.
        next_attempt_at: when it fell due.
        traceparent: W3C trace context of what caused it.
    """

    id: int
    case_id: uuid.UUID
    seq: int
    channel: str
    recipient: str
    attempts: int
    next_attempt_at: datetime
    traceparent: str | None


class TemporaryFailureError(Exception):
    """It may work later: the delivery is tried again."""


class PermanentFailureError(Exception):
    """It will never work: the delivery has failed."""


class Channel(Protocol):
    """One way to reach recipients, by the name that deliveries carry. Used by one task at a time."""

    name: str

    async def deliver(self, connection: AsyncConnection, due: Due) -> str:
        """Deliver once.

        Args:
            connection: the transaction in which the delivery is marked as sent.
            due: what to deliver to whom.

        Returns:
            The id by which the recipient knows it.

        Raises:
            TemporaryFailureError: trying again may help.
            PermanentFailureError: it will not.
        """

    async def rest(self) -> None:
        """Nothing is due at the moment: give connections back."""
