"""What webhooks may ask to be told, and the messages around testing one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Final, get_args

from pydantic import BaseModel

from shared.domain.events import STAFF_ONLY, Event

EVERYTHING: Final = "*"
"""Every event, what is internal to the desk among it."""
CUSTOMERS_SEE: Final = "case.*"
"""Every event that a customer too may see."""

_KINDS = tuple(str(field.default) for event in get_args(Event) for field in fields(event) if field.name == "kind")
PATTERNS: Final = (CUSTOMERS_SEE, EVERYTHING, *(f"case.{kind}" for kind in _KINDS))
"""What a desk file may name as a webhook's events."""


def wants(patterns: Iterable[str], kind: str) -> bool:
    """Whether a webhook with these events is told of an event of that kind; internal ones must be asked for."""
    asked = set(patterns)
    return bool(asked & {EVERYTHING, f"case.{kind}"}) or (CUSTOMERS_SEE in asked and kind not in STAFF_ONLY)


class WebhookTest(BaseModel):
    """A request on ``webhooks.v1.test``."""

    webhook: int


class WebhookTestResult(BaseModel):
    """How a test went.

    Args:
        delivered: the receiver answered 2xx.
        response_status: what it answered; None if it did not.
        duration_ms: until the answer, or until it was given up.
        error: why it was not delivered.
    """

    delivered: bool
    response_status: int | None = None
    duration_ms: int = 0
    error: str | None = None
