"""Mail: writes the letter and gives it to a transport."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.channels.port import Due, PermanentFailureError
from services.notifier.letter import Letter, write_letter
from services.notifier.story import NoSuchEventError, load_story
from shared.settings import Settings

MAIL = "mail"


class Transport(Protocol):
    """Where letters go."""

    async def send(self, connection: AsyncConnection, letter: Letter) -> None:
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

    async def deliver(self, connection: AsyncConnection, due: Due) -> str:
        try:
            story = await load_story(connection, due.case_id, due.seq, due.recipient)
            letter = write_letter(
                story,
                due.recipient,
                mail_from=self._settings.mail_from,
                public_url=self._settings.public_url,
            )
        except (NoSuchEventError, ValueError) as error:
            raise PermanentFailureError(str(error)) from error
        await self._transport.send(connection, letter)
        return letter.message_id

    async def rest(self) -> None:
        await self._transport.rest()
