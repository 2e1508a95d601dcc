"""Comments as they come in over HTTP."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from services.api.cases.schemas import Addresses, AttachmentIds, CommandBody, LongText


class NewComment(CommandBody):
    """Something to say on a case; a flag ends or hands over the turn with the same words."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "We are looking into it."}]})

    body: LongText = Field(default="", description="Required, unless files are attached or a flag ends the case.")
    in_reply_to: int | None = Field(default=None, ge=1, lt=2**31, description="seq of the event that this answers.")
    internal: bool = Field(default=False, description="A note that customers never see. Staff only.")
    await_reply: bool = Field(default=False, description="It is the customer's turn now. Staff only.")
    solve: bool = Field(default=False, description="Mark the case solved, where the desk lets customers.")
    close: bool = Field(default=False, description="Close the case, where the desk lets one.")
    cc: Addresses = Field(default_factory=list, description="Further recipients from now on.")
    attachments: AttachmentIds = Field(default_factory=list)
