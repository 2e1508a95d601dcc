"""A real SMTP server that keeps what it has taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.facts import Mail, mail_from_text


@dataclass
class PostOffice:
    """Mail by the time at which it was taken."""

    port: int = 0
    taken: list[tuple[float, Mail]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content)  # by the older policy, at a tenth of the newer one's cost
        [text] = (part for part in message.walk() if part.get_content_type() == "text/plain")
        content = text.get_payload(decode=True)
        assert isinstance(content, bytes)
        [recipient] = envelope.rcpt_tos
        mail = mail_from_text(recipient, message["Message-ID"], content.decode())
        self.taken.append((time.monotonic(), mail))
        return "250 taken"

    def of(self, desk: str) -> list[Mail]:
        """A desk's mail."""
        return [mail for _, mail in self.taken if mail.desk == desk]

    def taken_twice(self, desk: str) -> dict[str, float]:
        """When each mail that came twice was taken for the first time, by its id."""
        first: dict[str, float] = {}
        twice: dict[str, float] = {}
        for at, mail in self.taken:
            if mail.desk == desk and first.setdefault(mail.message_id, at) != at:
                twice[mail.message_id] = first[mail.message_id]
        return twice


@asynccontextmanager
async def post_office() -> AsyncIterator[PostOffice]:
    """A server on a free port of this machine."""
    office = PostOffice()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(office, hostname="mail.example", loop=loop), "127.0.0.1", 0)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        await server.wait_closed()
