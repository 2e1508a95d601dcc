"""Mail over SMTP."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.channels.port import PermanentFailureError, TemporaryFailureError
from services.notifier.letter import Letter

_TIMEOUT_SECONDS: Final = 30.0
_PERMANENT: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpAddress:
    """A mail server and how to log in there."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool


def parse_smtp_url(url: str) -> SmtpAddress:
    """Read the setting ``smtp_url``.

    Args:
        url: ``smtp://user:password@host:port`` (STARTTLS where the server offers it) or ``smtps://…`` (TLS from the
            start). Ports left out: 465 for smtps, 587 with a user, else 25.

    Raises:
        ValueError: it is neither.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("CASEBOUND_SMTP_URL must be smtp://user:password@host:port or smtps://user:password@host:port")
    tls = parts.scheme == "smtps"
    return SmtpAddress(
        host=parts.hostname,
        port=parts.port or (465 if tls else 587 if parts.username else 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
    )


class Smtp:
    """One connection to a mail server, kept while there is something to send.

    Args:
        address: the server.
    """

    def __init__(self, address: SmtpAddress) -> None:
        self._address = address
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, connection: AsyncConnection, letter: Letter) -> None:  # noqa: ARG002 - of the port
        """Send; returns once the server has taken the letter over.

        A 5xx about the recipient or the content is permanent. About the connection, the log-in or the sender it is
        not: those are everybody's, and somebody will put them right.
        """
        try:
            client = await self._connected()
            await client.sendmail(parseaddr(letter.sender)[1], [letter.recipient], letter.wire)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            raise _failure(error) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise PermanentFailureError(str(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            await self.rest()
            raise TemporaryFailureError(f"{type(error).__name__}: {error}") from error

    async def rest(self) -> None:
        """Say goodbye to the server."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit()
        client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is None or not self._client.is_connected:
            self._client = aiosmtplib.SMTP(
                hostname=self._address.host,
                port=self._address.port,
                username=self._address.username,
                password=self._address.password,
                use_tls=self._address.tls,
                timeout=_TIMEOUT_SECONDS,
            )
            await self._client.connect()
        return self._client


def _failure(answer: aiosmtplib.SMTPResponseException) -> Exception:
    text = f"the mail server answered {answer.code} {answer.message}"
    return PermanentFailureError(text) if answer.code >= _PERMANENT else TemporaryFailureError(text)
