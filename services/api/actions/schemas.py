"""What each action takes. A blank reason or comment is the lifecycle's to refuse."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from services.api.cases.schemas import Address, Body, CommandBody, Line, LongText


class Assign(CommandBody):
    """Give the case to a member of staff, or with null to nobody."""

    assignee: Address | None = Field(examples=["ada@vendor.example"])


class Escalate(CommandBody):
    """Ask for more urgent attention."""

    comment: LongText = Field(default="", examples=["Our month end closes tonight."], description="Required.")


class RequestClose(CommandBody):
    """Tell the desk's staff that the case may be closed."""

    comment: LongText = ""


class Resolve(CommandBody):
    """Declare the case resolved."""

    root_cause: LongText | None = Field(default=None, examples=["A wrong number range."])
    resolution_type: Line = Field(default="", examples=["provided"], description="Required.")
    summary: LongText = Field(default="", examples=["The number range was extended."], description="Required.")


Mark = Annotated[StrictInt, Field(ge=-(2**31), lt=2**31)] | LongText


class Survey(Body):
    """Answers to the two questions."""

    q1: Mark = Field(examples=[5])
    q2: Mark = Field(examples=["Quick and friendly."])


class AnswerSurvey(Survey, CommandBody):
    """Answer the two questions after an accept that left them out."""


class Accept(CommandBody):
    """Confirm the resolution."""

    survey: Survey | None = Field(default=None, description="May be answered now, later or never.")


class Reject(CommandBody):
    """Send the resolution back."""

    reason: LongText = Field(default="", examples=["Posting still fails."], description="Required.")


class Close(CommandBody):
    """End the case."""

    comment: LongText = ""


class Reopen(CommandBody):
    """Take up a closed case again."""

    reason: LongText = Field(default="", examples=["It happened again today."], description="Required.")
