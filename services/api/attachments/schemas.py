"""Attached files as they go out and come in over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.api.answers import Instant
from services.api.cases.schemas import AttachmentIds, CommandBody


class UploadedFile(BaseModel):
    """A file that has been uploaded. It belongs to a case once a command names it, else it is removed after a day."""

    id: uuid.UUID
    filename: str = Field(description="As it was sent, made safe.", examples=["invoice.pdf"])
    size: int = Field(description="In bytes.")
    content_type: str = Field(description="By its content and its name.", examples=["application/pdf"])
    sha256: str = Field(description="Of its content, in hexadecimal digits.")
    kind: Literal["file", "recording"]


class AttachedFile(UploadedFile):
    """A file of a case."""

    uploaded_by: str = Field(examples=["bob@acme.example"])
    created_at: Instant
    seq: int = Field(description="The event that it came with.")
    internal: bool = Field(description="Came with a note, so customers don't see it.")
    removable: bool = Field(description="Whether the caller may remove it now.")


class AttachedFiles(BaseModel):
    """The files of a case, in the order in which they came."""

    items: list[AttachedFile]


class Attach(CommandBody):
    """Add uploaded files to a case."""

    attachments: Annotated[AttachmentIds, Field(description="Required: ids of files uploaded before.")] = Field(
        default_factory=list
    )
