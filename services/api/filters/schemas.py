"""Saved filters as they go in and out over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.api.answers import Instant
from services.api.cases.filters import CaseQuery
from services.api.cases.schemas import Body, CommandBody, Line
from services.api.problems import FieldError

_QUERY: dict[str, Any] = {"status": ["Open"], "assignee": ["me"], "sort": "-severity"}

FilterName = Annotated[Line, StringConstraints(min_length=1, max_length=100)]
Position = Annotated[int, Field(ge=0, le=1_000_000, description="Lower ones come first; of the same, by name.")]


class NewFilter(CommandBody):
    """A list to be kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Mine, worst first", "query": _QUERY}]})

    name: FilterName = Field(description="Unlike those of one's other filters on this desk.")
    query: CaseQuery = Field(description="Parameters of `GET /cases`, but for pages.")
    position: Position | None = Field(default=None, description="Default: after all others.")


class FilterChanges(Body):
    """What to change; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Mine"}]})

    name: FilterName | None = None
    query: CaseQuery | None = None
    position: Position | None = None


class FilterOut(BaseModel):
    """A list that one has kept."""

    id: uuid.UUID
    name: str
    query: dict[str, Any] = Field(description="Parameters of `GET /cases` as they were saved.", examples=[_QUERY])
    position: int
    errors: list[FieldError] = Field(
        description="What in the query the desk does not have any more: lists by it are 422 until it is changed."
    )
    created_at: Instant


class FilterList(BaseModel):
    """The lists that one has kept, in order."""

    items: list[FilterOut]
