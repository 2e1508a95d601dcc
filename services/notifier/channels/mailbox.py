"""The local mailbox of a development stack: mail that would have been sent, to be read at ``/dev/mailbox``."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.letter import Letter
from shared.db.models import MailboxMessage

_KEEP = insert(MailboxMessage)


class Mailbox:
    """Keeps letters in Postgres, in the same transaction as the mark that they are sent: each truly once."""

    async def send(self, connection: AsyncConnection, letter: Letter) -> None:
        kept = {
            "sender": letter.sender,
            "to": [letter.recipient],
            "cc": [],
            "subject": letter.subject,
            "message_id": letter.message_id,
            "in_reply_to": letter.in_reply_to,
            "text": letter.text,
            "html": letter.html,
        }
        await connection.execute(_KEEP, kept)

    async def rest(self) -> None:
        """There is no connection to give back."""
