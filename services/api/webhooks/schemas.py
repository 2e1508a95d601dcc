"""Webhooks and what they have been told, as answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.api.answers import Instant

State = Literal["active", "failing", "disabled"]
DeliveryStatus = Literal["pending", "sent", "failed", "cancelled"]


class WebhookOut(BaseModel):
    """A webhook of the desk; its secret stays in the desk file."""

    id: int
    url: str = Field(examples=["https://hooks.example/cases"])
    events: list[str] = Field(examples=[["case.*"]])
    state: State = Field(
        description="`failing`: the last attempt failed. `disabled`: its receiver answered 410 Gone; a test that "
        "arrives enables it again."
    )
    pending: int = Field(description="Deliveries that are still to be made.")
    last_success_at: Instant | None
    last_failure_at: Instant | None
    last_error: str | None = Field(description="Why the last attempt failed, if it did.")


class WebhookList(BaseModel):
    """The webhooks of a desk."""

    items: list[WebhookOut]


class DeliveryOut(BaseModel):
    """What became of one event for one webhook."""

    id: int
    event_id: str = Field(description="The header `webhook-id`, the same at every attempt.")
    event: str = Field(examples=["commented"])
    case: int = Field(description="Number of the case.")
    status: DeliveryStatus
    attempts: int
    response_status: int | None = Field(description="What the receiver answered to the last attempt.")
    duration_ms: int | None = Field(description="How long the last attempt took.")
    error: str | None
    next_attempt_at: Instant | None = Field(description="If it is pending.")
    created_at: Instant
    sent_at: Instant | None


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    items: list[DeliveryOut]
    before: int | None = Field(description="For the next page give this as `before`; null on the last.")


class TestOut(BaseModel):
    """How a test went."""

    delivered: bool = Field(description="The receiver answered 2xx.")
    response_status: int | None
    duration_ms: int
    error: str | None
