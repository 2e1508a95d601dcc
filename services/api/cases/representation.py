"""A case as its callers see it."""

from __future__ import annotations

from functools import cache

from services.api.authorisation import rights_on
from services.api.callers import Caller
from services.api.cases.records import CaseRecord, Names
from services.api.cases.schemas import ActionOut, CaseOut, ResolutionOut, SurveyOut
from shared.domain.case import Status, WindowKind
from shared.domain.decision import allowed_actions
from shared.domain.lifecycle import Action
from shared.domain.policy import Urgency

_NEEDED_BY_FORM = {Action.ASSIGN: ("assignee",), Action.FOLLOW_UP: ("description",)}
"""What the route's form needs beyond what the lifecycle does."""


def actions_for(caller: Caller, record: CaseRecord) -> list[ActionOut]:
    """What the caller may do now: what the lifecycle would accept and the table of rights allows."""
    allowed = allowed_actions(record.state, record.policy, caller.kind, record.now)
    rights = rights_on(caller, record.state)
    return [_action_out(row.action, row.needs) for row in allowed if row.action in rights]


@cache
def _action_out(action: Action, needs: tuple[str, ...]) -> ActionOut:
    return ActionOut(name=action.value, required=[*needs, *_NEEDED_BY_FORM.get(action, ())])


def represent(caller: Caller, record: CaseRecord, names: Names) -> CaseOut:
    """The case for that caller.

    Args:
        caller: whose actions are given.
        record: the case.
        names: may hold more than this case's.
    """
    state = record.state
    people = (state.reporter, state.contact, state.assignee, *state.cc)
    resolution, survey = state.resolution, state.survey
    return CaseOut(
        number=record.number,
        key=caller.desk.case_key(record.number),
        desk=caller.desk.slug,
        subject=state.subject,
        description=record.description,
        status=state.status.value,
        status_label=record.policy.label(state.status),
        product=state.product,
        type=state.type,
        severity=state.severity,
        impact=state.impact,
        urgency={Urgency.SEVERITY: state.severity, Urgency.IMPACT: state.impact}.get(record.policy.urgency),
        account=state.account,
        account_name=names.accounts.get(state.account or ""),
        environment=state.environment,
        reporter=state.reporter,
        contact=state.contact,
        contact_phone=names.phones.get(state.contact or ""),
        cc=list(state.cc),
        assignee=state.assignee,
        internal_reference=state.internal_reference,
        follow_up_of=state.follow_up_of,
        follow_ups=list(state.follow_ups),
        resolution=resolution
        and ResolutionOut(
            root_cause=resolution.root_cause, resolution_type=resolution.resolution_type, summary=resolution.summary
        ),
        survey=survey and SurveyOut(q1=survey.q1, q2=survey.q2),
        closure_requested_at=state.closure_requested_at,
        escalated_at=state.escalated_at,
        resolved_at=state.resolved_at,
        closed_at=state.closed_at,
        closed_reason=state.closed_reason,
        auto_close_at=state.ends_at(WindowKind.AUTO_CLOSE) if state.status is Status.RESOLVED else None,
        reopen_until=state.ends_at(WindowKind.REOPEN),
        sealed=state.sealed,
        created_at=state.created_at,
        updated_at=state.updated_at,
        seq=state.seq,
        actions=actions_for(caller, record),
        people={address: names.people[address] for address in people if address and address in names.people},
    )
