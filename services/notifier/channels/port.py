"""What the sender asks of a channel."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.models import Delivery


class TemporaryFailureError(Exception):
    """It may work later: the delivery is tried again."""


class PermanentFailureError(Exception):
    """It will never work: the delivery has failed."""


class Channel(Protocol):
    """One way to reach recipients, by the name that deliveries carry. Used by one task at a time."""

    name: str

    async def deliver(self, session: AsyncSession, delivery: Delivery) -> None:
        """Deliver once.

        Args:
            session: the transaction in which the delivery is marked as sent.
            delivery: what to deliver to whom.

        Raises:
            TemporaryFailureError: trying again may help.
            PermanentFailureError: it will not.
        """

    async def rest(self) -> None:
        """Nothing is due at the moment: give connections back."""
