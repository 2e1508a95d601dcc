"""The streams (contract: NATS)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

import nats.errors
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, ServiceUnavailableError

from shared.contracts.subjects import (
    ADVISORIES_STREAM,
    ALL_CASE_EVENTS,
    ALL_DEAD_LETTERS,
    CASES_STREAM,
    DEAD_STREAM,
)
from shared.messaging.bus import Bus, BusUnavailableError
from shared.telemetry import get_logger

MINUTE: Final = 60.0
DAY: Final = 86_400.0
ALL_REPLAYS: Final = "replay.v1.>"
_PATIENCE_SECONDS: Final = 30.0
_STREAM_NAME_IN_USE: Final = 10058

_log = get_logger(__name__)

STREAMS: Final = (
    StreamConfig(
        name=CASES_STREAM,
        description="Events of cases; can be rebuilt from Postgres.",
        subjects=[ALL_CASE_EVENTS, ALL_REPLAYS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=10 * MINUTE,
        allow_direct=True,
    ),
    StreamConfig(
        name=DEAD_STREAM,
        description="What consumers gave up on, with the reason and the original.",
        subjects=[ALL_DEAD_LETTERS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=DAY,
        allow_direct=True,
    ),
    StreamConfig(
        name=ADVISORIES_STREAM,
        description="The server's notices that a consumer has used up its deliveries.",
        subjects=[
            "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
            "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
        ],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        duplicate_window=2 * MINUTE,
        max_age=90 * DAY,
    ),
)


def replay_subject(consumer: str) -> str:
    """Subject by which a dead letter goes back to the one consumer that gave up on it."""
    return f"replay.v1.{consumer}"


async def ensure_topology(bus: Bus) -> None:
    """Create the streams, or bring those that exist up to date. Repeatable, also by several processes at once.

    Raises:
        BusUnavailableError: JetStream did not answer within 30 seconds.
        nats.js.errors.APIError: the server refuses a stream as configured.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for config in STREAMS:
                await _ensure(bus, replace(config, num_replicas=bus.replicas))
    except TimeoutError as error:
        raise BusUnavailableError(
            "NATS answers, but its JetStream does not; check that JetStream is enabled and its store is writable"
        ) from error


async def _ensure(bus: Bus, config: StreamConfig) -> None:
    while True:
        try:
            await _create_or_update(bus, config)
        except (ServiceUnavailableError, nats.errors.NoRespondersError, nats.errors.TimeoutError) as error:
            _log.info("waiting for JetStream", stream=config.name, error=repr(error))
            await asyncio.sleep(0.5)
        else:
            return


async def _create_or_update(bus: Bus, config: StreamConfig) -> None:
    try:
        await bus.js.add_stream(config)
    except APIError as error:
        if error.err_code != _STREAM_NAME_IN_USE:
            raise
        await bus.js.update_stream(config)
