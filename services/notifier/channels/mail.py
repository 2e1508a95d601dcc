"""Mail: writes the letter and gives it to a transport."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.port import PermanentFailureError
from services.notifier.letter import Letter, write_letter
from services.notifier.story import NoSuchEventError, load_story
from shared.db.models import Delivery
from shared.settings import Settings

MAIL = "mail"


class Transport(Protocol):
    """Where letters go."""

    async def send(self, session: AsyncSession, letter: Letter) -> None:
        """Send a letter; errors as of `Channel.deliver`."""

    async def rest(self) -> None:
        """Give connections back."""


class MailChannel:
    """The channel ``mail``.

    Args:
        settings: sender and base of links.
        transport: where letters go.
    """

    name = MAIL

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport

    async def deliver(self, session: AsyncSession, delivery: Delivery) -> None:
        try:
            story = await load_story(session, delivery.case_id, delivery.seq)
            letter = write_letter(
                story,
                delivery.recipient,
                mail_from=self._settings.mail_from,
                public_url=self._settings.public_url,
            )
        except (NoSuchEventError, ValueError) as error:
            raise PermanentFailureError(str(error)) from error
        delivery.message_id = letter.message_id
        await self._transport.send(session, letter)

    async def rest(self) -> None:
        await self._transport.rest()
