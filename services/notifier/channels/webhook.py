"""Webhooks: an event, signed as Standard Webhooks has it, posted to an address that may be connected to."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

import httpx
from httpx_secure import SSRFProtectionError, httpx_ssrf_protection
from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from shared.telemetry.tracing import inject

WEBHOOK: Final = "webhook"
TIMEOUT_SECONDS: Final = 15.0
"""For one attempt, from looking up the name to the status of the answer."""
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
_BODY_SECONDS: Final = 2.0
_BODY_KEPT: Final = 300
_NAMES_KEPT_SECONDS: Final = 60.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class UnusableSecretError(Exception):
    """Nothing can be signed with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """How one attempt went.

    Args:
        status: what the receiver answered; None if it did not.
        error: why the attempt has failed; None if it has not.
        duration_ms: how long it took.
    """

    status: int | None
    error: str | None
    duration_ms: int

    @property
    def gone(self) -> bool:
        """The receiver does not want to be told any more."""
        return self.status == httpx.codes.GONE


def parse_networks(text: str) -> list[Network]:
    """Read the setting ``webhook_allowed_networks``.

    Raises:
        ValueError: an entry is no network.
    """
    try:
        return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ValueError(
            f"CASEBOUND_WEBHOOK_ALLOWED_NETWORKS: {error}; write networks such as 10.1.0.0/16, separated by commas"
        ) from None


class WebhookChannel:
    """Connections to receivers. Only to the address that was checked, whatever a name stands for a moment later.

    Args:
        allowed: networks whose addresses may be connected to although they are not public, and without https.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._public = httpx_ssrf_protection(_client(), dns_cache_ttl=_NAMES_KEPT_SECONDS)
        self._inside = httpx_ssrf_protection(
            _client(),
            check_globally_reachable=False,
            custom_validator=lambda _host, address, _port: self._is_allowed(address),
            dns_cache_ttl=_NAMES_KEPT_SECONDS,
        )

    async def post(self, url: str, secret: str, message_id: str, body: bytes) -> Attempt:
        """Send a message once; the current trace goes along. 2xx is delivered, everything else is not.

        Args:
            url: of the receiver.
            secret: ``whsec_…``, signs the message.
            message_id: the same at every attempt, by which the receiver knows a repetition.
            body: JSON.
        """
        start = perf_counter()
        status, error = None, None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, said = await self._posted(url, body, _headers(secret, message_id, body))
            error = None if httpx.codes.is_success(status) else _refusal(status, said)
        except TimeoutError:
            error = f"no answer within {TIMEOUT_SECONDS:g} s"
        except SSRFProtectionError as refused:
            error = _not_allowed(url, refused)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        except UnusableSecretError as failure:
            error = str(failure)
        return Attempt(status=status, error=error, duration_ms=round((perf_counter() - start) * 1000))

    async def close(self) -> None:
        """Give connections back."""
        await self._public.aclose()
        await self._inside.aclose()

    async def _posted(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        if not url.startswith("https://"):
            return await _exchange(self._inside, url, body, headers)
        try:
            return await _exchange(self._public, url, body, headers)
        except SSRFProtectionError as refused:
            if not self._is_allowed(refused.ip_addr):
                raise
        return await _exchange(self._inside, url, body, headers)

    def _is_allowed(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._allowed)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=httpx.create_ssl_context(),
        trust_env=False,  # a proxy would connect to whatever it likes
        follow_redirects=False,
        timeout=TIMEOUT_SECONDS,
        headers={"User-Agent": "Casebound-Webhooks", "Content-Type": CONTENT_TYPE, "Accept": "*/*"},
    )


def _headers(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    try:
        signature = Signer(secret).sign(message_id, now, body.decode())
    except (ValueError, EmptyWebhookSecretError) as error:
        raise UnusableSecretError(
            "nothing can be signed with the webhook's secret; put it right in the desk file"
        ) from error
    return inject(
        {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
    )


async def _exchange(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    async with client.stream("POST", url, content=body, headers=headers) as answer:
        said = b""
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in answer.aiter_raw():
                    said += chunk[:_BODY_KEPT]
                    if len(said) >= _BODY_KEPT:
                        break
        return answer.status_code, said[:_BODY_KEPT].decode(errors="replace")


def _refusal(status: int, said: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    if httpx.codes.is_redirect(status):
        return f"answered {status}; redirects are not followed, name the final address in the desk file"
    return f"answered {status}{f': «{text}»' if text else ''}"


def _not_allowed(url: str, refused: SSRFProtectionError) -> str:
    where = f"{refused.hostname} is {refused.ip_addr}" if refused.ip_addr else refused.hostname
    if not url.startswith("https://"):
        return f"{where}: without https only networks in CASEBOUND_WEBHOOK_ALLOWED_NETWORKS may be reached"
    return f"{where}: not a public address, and in no network of CASEBOUND_WEBHOOK_ALLOWED_NETWORKS"
