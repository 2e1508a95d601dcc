"""Which list an address asks for: as the REST route reads it, but what makes no sense is left out and said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import QueryParams

from services.api.callers import Caller
from services.api.cases.filters import CaseQuery, ListQuery, resolve_filters
from services.api.errors import field_error
from services.api.problems import Problem

LISTS: Final = ("status", "product", "type", "severity", "impact", "account", "assignee")
"""Parameters that may have several values."""
_FIXED: Final = frozenset({"page_size", "after_seq"})
"""Parameters of the REST route that a page decides for itself."""


@dataclass(kw_only=True)
class Asked:
    """A list that was asked for.

    Args:
        path: of the page.
        query: what can be shown.
        left_out: what the address says besides, in sentences.
        missing: filters that the desk requires before there is a list.
    """

    path: str
    query: ListQuery
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def filters(self) -> CaseQuery:
        """The query without its page."""
        return CaseQuery.model_validate(self.query.model_dump(include=set(CaseQuery.model_fields)))

    @property
    def is_narrowed(self) -> bool:
        """Whether the list shows less than all that the desk would."""
        return bool(self.filters.model_dump(exclude_defaults=True).keys() - {"sort"})

    @property
    def parameters(self) -> str:
        """What an export or a saved filter of this list is called by, encoded; the page is no part of it."""
        return _encoded(self.filters)

    def address(self, **changes: Any) -> str:
        """This list with something changed, from its first page unless that is changed."""
        query = self.query.model_copy(update={"page": 1} | changes)
        encoded = _encoded(query)
        return f"{self.path}?{encoded}" if encoded else self.path

    def address_of(self, query: Mapping[str, Any]) -> str:
        """The list of a saved filter, as it was saved."""
        return f"{self.path}?{urlencode(_plain(query), doseq=True)}"

    def without_filters(self, *, keep: tuple[str, ...] = ()) -> str:
        """The widest list that the desk gives, in the same order."""
        plain = CaseQuery().model_dump()
        return self.address(**{name: plain[name] for name in plain if name not in {"sort", *keep}})


def read_asked(caller: Caller, path: str, parameters: QueryParams, least: dict[str, list[str]]) -> Asked:
    """Read an address.

    Args:
        caller: who asks.
        path: of the page.
        parameters: of the address.
        least: values that a list has to name where the desk requires filters (``DeskPage.least_filters``).
    """
    given, left_out = _known_parameters(parameters)
    query, problems = _read(given)
    asked = Asked(path=path, query=query, left_out=[*left_out, *problems])
    _leave_out_unknown(caller, asked, least)
    asked.missing = [name for name in caller.desk.policy.required_filters if not getattr(asked.query, name, None)]
    return asked


def _known_parameters(parameters: QueryParams) -> tuple[dict[str, Any], list[str]]:
    given: dict[str, Any] = {}
    unknown = []
    for name in parameters:
        values = list(dict.fromkeys(value for value in parameters.getlist(name) if value.strip()))
        if name not in ListQuery.model_fields or name in _FIXED:
            unknown.append(f"«{name[:50]}» is nothing that cases can be filtered by.")
        elif values:
            given[name] = values if name in LISTS else values[-1]
    return given, unknown


def _read(given: dict[str, Any]) -> tuple[ListQuery, list[str]]:
    """The query, without what can't be read."""
    try:
        return ListQuery.model_validate(given), []
    except ValidationError as error:
        wrong = {str(item["loc"][0]) for item in error.errors()}
        said = [field_error({**item, "loc": ("query", *item["loc"])}).message for item in error.errors()]
    return ListQuery.model_validate({name: value for name, value in given.items() if name not in wrong}), said


def _leave_out_unknown(caller: Caller, asked: Asked, least: dict[str, list[str]]) -> None:
    """Drop what the desk does not have (any more), value by value."""
    for name in LISTS:
        kept = []
        for value in getattr(asked.query, name):
            try:
                resolve_filters(caller, CaseQuery.model_validate(least | {name: [value]}))
                kept.append(value)
            except Problem as problem:
                asked.left_out += [error.message for error in problem.errors]
        asked.query = asked.query.model_copy(update={name: kept})


def _encoded(query: CaseQuery) -> str:
    return urlencode(_plain(query.model_dump(mode="json", exclude_defaults=True)), doseq=True)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "true" if value is True else value for name, value in values.items()}
