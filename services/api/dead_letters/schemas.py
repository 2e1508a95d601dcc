"""Dead letters, as answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.api.answers import Instant


class DeadLetterOut(BaseModel):
    """What a consumer gave up on."""

    id: int
    at: Instant
    consumer: str = Field(description="Who gave up.", examples=["notifier"])
    reason: str = Field(description="Why.")
    deliveries: int = Field(description="How often it had been tried.")
    case: int | None = Field(description="Number of the case that it is about; null if that is gone.")
    subject: str = Field(description="What the original was published on.")
    original: str | None = Field(description="The original; null if the stream no longer has it.")
    encoding: Literal["utf-8", "base64"] = Field(description="Of `original`.")
    can_be_replayed: bool


class DeadLetterList(BaseModel):
    """Dead letters of a desk, newest first."""

    items: list[DeadLetterOut]


class ReplayedOut(BaseModel):
    """A dead letter that has gone back to whoever gave up on it."""

    id: int
    consumer: str
