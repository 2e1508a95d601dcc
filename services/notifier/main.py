"""The notifier as a process: tells people by mail, and webhooks, what happens to cases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress

import uvloop
from sqlalchemy import func, select

from services.notifier.channels.mail import MAIL, MailChannel, Transport
from services.notifier.channels.mailbox import Mailbox
from services.notifier.channels.port import Channel
from services.notifier.channels.smtp import Smtp, parse_smtp_url
from services.notifier.channels.webhook import WEBHOOK, WebhookChannel, parse_networks
from services.notifier.headers import sender
from services.notifier.intake import Intake
from services.notifier.sender import RETRY_SECONDS, Sender
from services.notifier.webhooks import WebhookSender
from shared import telemetry
from shared.db.engine import Database
from shared.db.models import Delivery
from shared.messaging import Bus, collect_dead_letters, connect, ensure_topology
from shared.processes import set_by_signal
from shared.settings import Settings
from shared.telemetry.instrument import instrument_engine

_log = telemetry.get_logger(__name__)


def run(settings: Settings) -> None:
    """Notify until SIGTERM or SIGINT.

    Raises:
        BusUnavailableError: NATS did not answer within 30 seconds of the start.
        ValueError: ``smtp_url``, ``mail_from`` or ``webhook_allowed_networks`` is not what it should be.
    """
    active = telemetry.setup("notifier", settings)
    try:
        uvloop.run(_until_signal(settings))
    finally:
        active.shutdown()


async def _until_signal(settings: Settings) -> None:
    await serve(settings, set_by_signal())


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run the service until ``stop`` is set; errors as of `run`."""
    sender(settings.mail_from, "")
    parse_networks(settings.webhook_allowed_networks)
    transport = transport_for(settings)
    database = Database(settings.database_url, pool_size=8)
    instrument_engine(database.readers)
    instrument_engine(database.writers)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        bus = await connect(settings, "notifier")
        stack.push_async_callback(bus.close)

        async def ready() -> bool | str:
            return await _ready(bus, database, can_send=transport is not None)

        await stack.enter_async_context(
            telemetry.serve_health(settings.metrics_port, ready, host=settings.metrics_host)
        )
        await ensure_topology(bus)
        working = asyncio.create_task(_work(settings, bus, database, transport))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def transport_for(settings: Settings) -> Callable[[], Transport] | None:
    """Where mail goes: the SMTP server, else in development the local mailbox, else nowhere yet.

    Raises:
        ValueError: ``smtp_url`` is not what it should be.
    """
    if settings.smtp_url and (url := settings.smtp_url.get_secret_value()):
        address = parse_smtp_url(url)
        return lambda: Smtp(address)
    return Mailbox if settings.development else None


async def _work(settings: Settings, bus: Bus, database: Database, transport: Callable[[], Transport] | None) -> None:
    def channels() -> Sequence[Channel]:
        return [MailChannel(settings, transport())] if transport else []

    sending = Sender(database, bus, channels, retry_seconds=RETRY_SECONDS)
    networks = parse_networks(settings.webhook_allowed_networks)
    webhooks = WebhookSender(database, bus, WebhookChannel(networks), retry_seconds=settings.webhook_retry_seconds)

    def wake(new: Counter[str]) -> None:
        sending.wake(new[MAIL])
        if new[WEBHOOK]:
            webhooks.wake()

    if transport is None:
        _log.warning("no mail is sent: set CASEBOUND_SMTP_URL; deliveries are kept until then")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Intake(bus, database, wake).run())
        tasks.create_task(sending.run())
        tasks.create_task(webhooks.run())
        tasks.create_task(collect_dead_letters(bus))


async def _ready(bus: Bus, database: Database, *, can_send: bool) -> bool | str:
    if not bus.nc.is_connected:
        return "not connected to NATS"
    async with database.read() as session:
        waiting = await session.scalar(
            select(func.count()).where(Delivery.status == "pending", Delivery.channel == MAIL)
        )
    if not can_send:
        return f"no SMTP server: set CASEBOUND_SMTP_URL; {waiting} deliveries wait"
    return True
