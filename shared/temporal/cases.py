"""A case's workflow: how it is started, and its search attributes (desk, status, severity: never encrypted)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from shared.contracts.workflow import CASE_WORKFLOW, TASK_QUEUE, CaseRun, workflow_id
from shared.domain.case import CaseState

TASK_TIMEOUT: Final = timedelta(seconds=10)

DESK = SearchAttributeKey.for_keyword("CaseboundDesk")
STATUS = SearchAttributeKey.for_keyword("CaseboundStatus")
SEVERITY = SearchAttributeKey.for_keyword("CaseboundSeverity")


Searchable = tuple[str | None, str | None]
"""Status and severity of a case, as Temporal knows them."""


def searchable(state: CaseState) -> Searchable:
    """What Temporal is to know of a case."""
    return state.status.value, state.severity


def known_to_temporal(attributes: TypedSearchAttributes) -> Searchable:
    """What Temporal knows of a case."""
    return attributes.get(STATUS), attributes.get(SEVERITY)


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


async def start_case(client: Client, run: CaseRun) -> WorkflowHandle[Any, Any]:
    """Start a case's workflow from what is recorded; one that runs goes on as it is.

    Args:
        client: connected with our data converter.
        run: as ``shared.db.cases.load_run`` reads it.

    Returns:
        The workflow that runs now.
    """
    return await client.start_workflow(CASE_WORKFLOW, run, **_options(run, run.state))


def case_start(run: CaseRun, state: CaseState | None) -> WithStartWorkflowOperation[Any, Any]:
    """The same, to be sent along with an update. It can be sent once.

    Args:
        run: as of ``start_case``, or of a case to be opened.
        state: the case as Temporal is told of it: as recorded, or as its opening will leave it.
    """
    return WithStartWorkflowOperation(CASE_WORKFLOW, run, **_options(run, state))


def _options(run: CaseRun, state: CaseState | None) -> dict[str, Any]:
    return {
        "id": workflow_id(run.desk, run.number),
        "task_queue": TASK_QUEUE,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "search_attributes": search_attributes(run.desk, state),
        "task_timeout": TASK_TIMEOUT,
    }
