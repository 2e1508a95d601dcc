"""What a list of cases is asked for, and whether the desk's lists know it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.api.callers import Caller
from services.api.cases.due import Due, span_of
from services.api.cases.schemas import Line, storable
from services.api.problems import FieldError, Problem, invalid
from shared.contracts.search import Filters, SortKey
from shared.domain.case import Status
from shared.domain.policy import IMPACTS, Policy

SORT_KEYS: tuple[str, ...] = get_args(SortKey)
NOBODY, ME = "none", "me"
AWAITS_DESK = (Status.NEW, Status.OPEN, Status.ESCALATED)
AWAITS_CUSTOMER = (Status.AWAITING_CUSTOMER, Status.RESOLVED)
"""A reply was asked for, or the resolution is to be confirmed: a desk without confirmation has no resolved cases."""
_VALUES_MAX = 50


def _sort(text: str) -> str:
    if text.removeprefix("-") not in SORT_KEYS:
        raise ValueError(
            f"«{text[:50]}» can't be sorted by; choose of {', '.join(SORT_KEYS)}, with - in front to reverse."
        )
    return text


Values = Annotated[list[Line], Field(max_length=_VALUES_MAX)]


class CaseQuery(BaseModel):
    """Which cases, and in what order: what a list, an export and a saved filter have in common."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, StringConstraints(max_length=500, strip_whitespace=True), AfterValidator(storable)] = Field(
        default="", description="Words that must all occur; the last may be a beginning. Or a case's number."
    )
    status: Values = Field(default_factory=list, description="A status, or what the desk calls it, or a group.")
    product: Values = Field(default_factory=list)
    type: Values = Field(default_factory=list)
    severity: Values = Field(default_factory=list)
    impact: Values = Field(default_factory=list)
    account: Values = Field(default_factory=list)
    assignee: list[Annotated[Line, StringConstraints(to_lower=True)]] = Field(
        default_factory=list, max_length=_VALUES_MAX, description=f"Addresses, `{ME}` or `{NOBODY}`."
    )
    mine: bool = Field(default=False, description="Only cases one reported, is contact of, copied on or assigned to.")
    awaiting: Literal["me"] | None = Field(
        default=None,
        description="`me`: only cases in which the next step is one's own. For staff those assigned to them that the "
        "desk works on; for customers those of theirs that await a reply or the confirmation of a resolution.",
    )
    due: Due | None = Field(
        default=None,
        description="Only cases whose window ends then, by the desk's time: resolved ones that close by themselves, "
        "closed ones that can be reopened until then. `week`: today and the six days after; `overdue`: it has ended "
        "and the case is about to follow.",
    )
    sort: Annotated[str, AfterValidator(_sort)] = Field(
        default="-updated_at", description=f"One of {', '.join(SORT_KEYS)}; `-` in front for descending."
    )


AfterSeq = Annotated[
    int | None, Field(ge=1, lt=2**31, description="The seq of one's own last change: wait until the list knows it.")
]


class ListQuery(CaseQuery):
    """The query of ``GET /cases``."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=25, ge=1, le=100)
    after_seq: AfterSeq = None


class ExportQuery(CaseQuery):
    """The query of ``GET /cases/export``."""

    format: Literal["csv", "xlsx"] = "csv"
    after_seq: AfterSeq = None


def resolve_filters(caller: Caller, query: CaseQuery) -> Filters:
    """The filters in canonical values.

    Raises:
        Problem: 422 for a value that the desk does not have, or ``filter_required``.
    """
    desk = caller.desk
    _require_filters(desk.policy, query)
    chosen = [(value, _statuses(desk.policy, value)) for value in query.status]
    errors = [_unknown("status", value, _status_choices(desk.policy)) for value, found in chosen if not found]
    lists = {"product": desk.products, "type": desk.case_types, "severity": desk.severities, "impact": list(IMPACTS)}
    for name, allowed in lists.items():
        errors += [_unknown(name, value, allowed) for value in getattr(query, name) if value not in allowed]
    if errors:
        raise invalid(*errors)
    return Filters(
        status=list(dict.fromkeys(status.value for _, found in chosen for status in found)),
        **{name: getattr(query, name) for name in ("product", "type", "severity", "impact", "account")},
        assignee=[caller.address if each == ME else each for each in query.assignee],
        mine=query.mine,
        due=span_of(query.due, datetime.now(UTC), desk.timezone) if query.due else None,
        within=_awaiting(caller) if query.awaiting else None,
    )


def _awaiting(caller: Caller) -> Filters:
    """Cases in which the next step is the caller's."""
    if caller.is_customer:
        return Filters(status=[status.value for status in AWAITS_CUSTOMER], mine=True)
    return Filters(status=[status.value for status in AWAITS_DESK], assignee=[caller.address])


def _require_filters(policy: Policy, query: CaseQuery) -> None:
    missing = [name for name in policy.required_filters if not getattr(query, name, None)]
    if missing:
        errors = [FieldError(field=name, message=f"Choose at least one {name}.") for name in missing]
        detail = f"This desk's lists need a choice of {' and '.join(missing)}; add ?{missing[0]}=… to the address."
        raise Problem("filter_required", detail, errors=errors)


def _statuses(policy: Policy, value: str) -> tuple[Status, ...]:
    """What is meant: «Open» is the desk's own word, which may mean several; «open» is the status."""
    by_name = {status.value: (status,) for status in Status}
    by_label: dict[str, tuple[Status, ...]] = {policy.label(status): (status,) for status in Status}
    for group in policy.groups():
        by_label[group.label] = group.statuses
    folded = {label.casefold(): statuses for label, statuses in by_label.items()}
    return by_label.get(value) or by_name.get(value) or folded.get(value.casefold(), ())


def _status_choices(policy: Policy) -> list[str]:
    return [*(status.value for status in Status), *(group.label for group in policy.groups())]


def _unknown(name: str, value: str, allowed: list[str]) -> FieldError:
    return FieldError(field=name, message=f"«{value}» is not a {name} of this desk.", allowed=allowed[:50])
