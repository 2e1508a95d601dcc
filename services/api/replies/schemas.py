"""Canned replies as they go in and out over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.api.answers import Instant
from services.api.cases.schemas import Body, CommandBody, Line, LongText
from services.api.replies.filling import PLACEHOLDERS, unknown_placeholders


def _known(text: str) -> str:
    if unknown := unknown_placeholders(text):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"{unknown[0]} stands for nothing; there are {known}.")
    return text


ReplyName = Annotated[Line, StringConstraints(min_length=1, max_length=100)]
ReplyText = Annotated[
    LongText,
    StringConstraints(min_length=1),
    AfterValidator(_known),
    Field(
        description=f"Markdown. {', '.join(f'`{{{name}}}`' for name in PLACEHOLDERS)} are filled when it is used.",
        examples=["Hello {customer},\n\nthank you for your report."],
    ),
]


class NewReply(CommandBody):
    """Words to be kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Thanks", "body": "Hello {customer},\n\nthank you. {agent}"}]}
    )

    name: ReplyName = Field(description="Unlike those of one's other replies, or of the desk's others.")
    body: ReplyText
    shared: bool = Field(default=False, description="Whether it is the desk's, for all of the staff; leads and admins.")


class ReplyChanges(Body):
    """What to change; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Thank you"}]})

    name: ReplyName | None = None
    body: ReplyText | None = None


class ReplyOut(BaseModel):
    """Words that are kept."""

    id: uuid.UUID
    name: str
    body: str
    shared: bool = Field(description="Whether it is the desk's; else it is one's own.")
    created_at: Instant
    updated_at: Instant


class ReplyList(BaseModel):
    """One's own and the desk's, by name."""

    items: list[ReplyOut]
