"""Search attributes of a case's workflow: desk, status, severity, nothing personal (they are never encrypted)."""

from __future__ import annotations

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from shared.domain.case import CaseState

DESK = SearchAttributeKey.for_keyword("CaseboundDesk")
STATUS = SearchAttributeKey.for_keyword("CaseboundStatus")
SEVERITY = SearchAttributeKey.for_keyword("CaseboundSeverity")


def search_attributes(desk: str, state: CaseState | None) -> TypedSearchAttributes:
    """Those with which a case's workflow starts: what can be searched for in Temporal's own UI."""
    pairs = [SearchAttributePair(DESK, desk)]
    if state is not None:
        pairs.append(SearchAttributePair(STATUS, state.status.value))
    if state is not None and state.severity:
        pairs.append(SearchAttributePair(SEVERITY, state.severity))
    return TypedSearchAttributes(pairs)


def changed_search_attributes(state: CaseState) -> list[SearchAttributeUpdate[Any]]:
    """What to tell Temporal when the status or the severity has changed."""
    severity = SEVERITY.value_set(state.severity) if state.severity else SEVERITY.value_unset()
    return [STATUS.value_set(state.status.value), severity]
