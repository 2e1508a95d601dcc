"""A desk in figures, as an answer."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from services.api.answers import Instant

Days = Literal[7, 30, 90]
"""How long a period is."""


class AgeOut(BaseModel):
    """An age of open cases, in business days."""

    since: int = Field(description="From this age on.")
    below: int | None = Field(description="Below this age; null: without end.")


class BacklogOut(BaseModel):
    """Open cases with one label."""

    label: str = Field(description="What the desk calls the status.", examples=["In Progress"])
    statuses: list[str] = Field(description="The statuses that it calls so.", examples=[["open"]])
    total: int
    by_age: list[int] = Field(description="As many as there are `ages`.")


class SpreadOut(BaseModel):
    """How long something took, in business hours: hours of the desk's business days, which have 24."""

    cases: int = Field(description="Of how many cases.")
    median: float | None
    p90: float | None = Field(description="Nine of ten took no longer.")


class DayOut(BaseModel):
    """A day in the desk's time zone."""

    day: date
    opened: int
    solved: int


class MarkOut(BaseModel):
    """How often a mark was given."""

    mark: int
    answers: int


class WordsOut(BaseModel):
    """An answer in words."""

    case: int = Field(description="Number of the case.")
    words: str


class QuestionOut(BaseModel):
    """Answers to one of the survey's two questions."""

    answers: int
    average: float | None = Field(description="Of the answers that are marks.")
    marks: list[MarkOut] = Field(description="The highest first.")
    words: list[WordsOut] = Field(description="The latest answers that are words.")


class SurveyOut(BaseModel):
    """What customers said after accepting."""

    accepted: int = Field(description="Resolutions that were accepted, after which the survey is offered.")
    answered: int
    questions: list[QuestionOut] = Field(description="The first and the second.")


class GroupOut(BaseModel):
    """Cases of one assignee, product or account."""

    value: str | None = Field(description="Address, product or key of the account; null: cases without one.")
    name: str = Field(description="What it is called; empty: nothing of its own.")
    open: int = Field(description="That are worked on now.")
    awaiting_customer: int
    escalated: int
    opened: int = Field(description="In the period.")
    solved: int = Field(description="In the period.")


class GroupsOut(BaseModel):
    """The largest groups, and all others together."""

    items: list[GroupOut]
    others: int = Field(description="How many more groups there are.")


class OverviewOut(BaseModel):
    """A desk in figures: what is open now, and what happened in a period."""

    now: Instant
    days: Days
    since: Instant = Field(description="Beginning of the period: of its first day in the desk's time zone.")
    timezone: str
    open: int = Field(description="Cases that are worked on: neither resolved nor closed.")
    resolved: int = Field(description="Resolved cases that await confirmation.")
    ages: list[AgeOut]
    backlog: list[BacklogOut]
    opened: int
    solved: int = Field(description="Times that a case was resolved, or closed without that.")
    by_day: list[DayOut]
    first_response: SpreadOut = Field(description="From the opening to staff's first answer that the customer sees.")
    resolution: SpreadOut = Field(description="From the opening to the last resolution, of cases that stayed resolved.")
    reopened: int = Field(description="Of those `solved`, how many were taken up again.")
    rejected: int = Field(description="Of those `solved`, how many the customer sent back.")
    survey: SurveyOut
    assignees: GroupsOut
    products: GroupsOut
    accounts: GroupsOut


class CaseBehind(BaseModel):
    """A case behind a figure."""

    number: int
    subject: str
    status: str
    assignee: str | None = Field(description="Their name.")
    at: Instant = Field(description="When it happened; of open cases their opening.")
    hours: float | None = Field(description="How long it took, or how old the case is, in business hours.")
