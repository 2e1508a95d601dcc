"""The six profiles against the table of desk-rules "The policy", word for word, and what a policy may not be."""

# ruff: noqa: RUF001 (the table stands here as it stands in the design, dashes and all)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.domain.case import Status
from shared.domain.policy import (
    CommentOnResolved,
    CustomersSee,
    EndBy,
    OnceSealed,
    OnResolve,
    Policy,
    Recipient,
    Reopen,
    StatusGroup,
    Urgency,
)
from shared.domain.profiles import PROFILES, STANDARD

DESK_RULES = """
| field | standard | connect | appcentral | help-centre | msp-portal | team-portal |
| labels new / open | New / Open | Unassigned / In Progress | Unassigned / In Progress | Open / Open | New / Open | Waiting for Support / Waiting for Support |
| labels awaiting_customer / escalated | Awaiting your reply / Escalated | Awaiting Customer / Escalated | Awaiting Customer / Escalated | Awaiting your reply / – | Open / – | Waiting for Customer / – |
| labels resolved / closed | Resolved / Closed | – / Closed | – / Closed | Solved / Closed | Resolved / Closed | – / Closed |
| status filter groups | one per label | one per label | one per label | Open, Awaiting your reply, Solved (resolved and closed) | one per label | one per label |
| on_resolve (staff) | await_confirmation | close | close | await_confirmation | await_confirmation | close |
| customer may end the case by | accept, request | request | request | solve | accept, close | close |
| auto_close_after (business days in resolved) | 3 | – | – | 3 | none | – |
| comment on a resolved case | reopens | – | – | reopens | comment only | – |
| accept / reject (reason required) | yes | no | no | no | yes | no |
| survey after accept (two questions) | offered | no | no | no | offered | no |
| reopen a closed case | action + reason | action + reason | action + reason | no | no | by replying |
| reopen_within (business days after closing) | 14 | 14 | 14 | – | – | unlimited |
| once it can't be reopened | follow-up | refused | refused | follow-up | refused | – |
| escalate (comment required) | yes | yes | yes | no | no | no |
| customers see | own, CC, and all of the account for account admins | same | same | own and CC | by permission: own, or the account | everything of the account |
| urgency field | severity | severity | severity | none | impact: High, Medium, Low | none |
| list must be filtered by | – | – | product | – | – | – |
| attachment types | allow-list | any safe type | any safe type | any safe type | images and documents | doc docx xls xlsx csv txt pdf bmp jpg jpeg png tar zip |
| attachment size | 25 MB | 25 MB | 25 MB | 25 MB | 25 MB | 15 MB |
| mail on every update goes to | opener, contact, CC, assignee | + all CC addresses get everything | + all CC addresses get everything | opener, CC | opener, contact | opener and every account admin |
"""  # noqa: E501 (as it stands in the design)

NOWHERE = "–"


def _labels(first: Status, second: Status) -> Callable[[Policy], str]:
    return lambda policy: f"{policy.labels.get(first, NOWHERE)} / {policy.labels.get(second, NOWHERE)}"


def _waits(policy: Policy) -> bool:
    return policy.on_resolve is OnResolve.AWAIT_CONFIRMATION


def _groups(policy: Policy) -> str:
    if not policy.status_groups:
        return "one per label"
    *others, last = policy.groups()
    assert last.statuses == (Status.RESOLVED, Status.CLOSED)
    return ", ".join([*(group.label for group in others), f"{last.label} (resolved and closed)"])


def _types(policy: Policy) -> str:
    if policy.attachment_types is None:
        return "any safe type"
    if "tar" in policy.attachment_types:
        return " ".join(policy.attachment_types)
    return "allow-list" if "zip" in policy.attachment_types else "images and documents"


SEE = {
    CustomersSee.ACCOUNT_FOR_ADMINS: "own, CC, and all of the account for account admins",
    CustomersSee.OWN_AND_CC: "own and CC",
    CustomersSee.BY_PERMISSION: "by permission: own, or the account",
    CustomersSee.ACCOUNT: "everything of the account",
}
REOPEN = {Reopen.BY_ACTION: "action + reason", Reopen.BY_REPLY: "by replying", Reopen.NO: "no"}
URGENCY = {Urgency.SEVERITY: "severity", Urgency.IMPACT: "impact: High, Medium, Low", Urgency.NONE: "none"}
R = Recipient
EVERYBODY = frozenset({R.OPENER, R.CONTACT, R.CC, R.ASSIGNEE})
MAIL = {
    (EVERYBODY, False): "opener, contact, CC, assignee",
    (EVERYBODY, True): "+ all CC addresses get everything",
    (frozenset({R.OPENER, R.CC}), False): "opener, CC",
    (frozenset({R.OPENER, R.CONTACT}), False): "opener, contact",
    (frozenset({R.OPENER, R.ACCOUNT_ADMINS}), False): "opener and every account admin",
}
COMMENT = {CommentOnResolved.REOPENS: "reopens", CommentOnResolved.COMMENT_ONLY: "comment only"}
ONCE = {OnceSealed.FOLLOW_UP: "follow-up", OnceSealed.REFUSED: "refused"}

IN_WORDS: tuple[Callable[[Policy], str], ...] = (
    _labels(Status.NEW, Status.OPEN),
    _labels(Status.AWAITING_CUSTOMER, Status.ESCALATED),
    _labels(Status.RESOLVED, Status.CLOSED),
    _groups,
    lambda policy: policy.on_resolve.value,
    lambda policy: ", ".join(way.value for way in EndBy if way in policy.customer_may_end_by),
    lambda policy: str(policy.auto_close_after or "none") if _waits(policy) else NOWHERE,
    lambda policy: COMMENT[policy.comment_on_resolved] if _waits(policy) else NOWHERE,
    lambda policy: "yes" if policy.accept_reject else "no",
    lambda policy: "offered" if policy.survey else "no",
    lambda policy: REOPEN[policy.reopen],
    lambda policy: str(policy.reopen_within or NOWHERE),
    lambda policy: NOWHERE if policy.reopen_within == "unlimited" else ONCE[policy.once_sealed],
    lambda policy: "yes" if policy.escalate else "no",
    lambda policy: SEE[policy.customers_see],
    lambda policy: URGENCY[policy.urgency],
    lambda policy: ", ".join(policy.required_filters) or NOWHERE,
    _types,
    lambda policy: f"{policy.attachment_max_bytes / 1024 / 1024:g} MB",
    lambda policy: MAIL[policy.recipients, policy.cc_gets_everything],
)


def _cells() -> list[Any]:
    header, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DESK_RULES.strip().splitlines()]
    assert len(rows) == len(IN_WORDS)
    return [
        pytest.param(profile, in_words, row[1] if cell == "same" else cell, id=f"{row[0]}-{profile}")
        for row, in_words in zip(rows, IN_WORDS, strict=True)
        for profile, cell in zip(header[1:], row[1:], strict=True)
    ]


@pytest.mark.parametrize(("profile", "in_words", "written"), _cells())
def test_profile_is_as_in_the_design(profile: str, in_words: Callable[[Policy], str], written: str) -> None:
    assert in_words(PROFILES[profile]) == written


def test_every_field_of_the_policy_is_in_the_table_or_named_here() -> None:
    beside_the_table = {"required_at_opening"}
    shown = {
        *("labels", "status_groups", "on_resolve", "customer_may_end_by", "auto_close_after", "comment_on_resolved"),
        *("accept_reject", "survey", "reopen", "reopen_within", "once_sealed", "escalate", "customers_see", "urgency"),
        *("required_filters", "attachment_types", "attachment_max_bytes", "recipients", "cc_gets_everything"),
    }

    assert {field.name for field in fields(Policy)} == shown | beside_the_table


def test_m7_required_at_opening() -> None:
    assert set(PROFILES["msp-portal"].required_at_opening) == {
        *("reporter", "account", "contact", "environment", "impact", "subject", "description"),
    }
    for profile in set(PROFILES) - {"msp-portal"}:
        assert PROFILES[profile].required_at_opening == ("subject", "description")


def test_t6_team_portal_takes_15_times_1024_times_1024_bytes() -> None:
    assert PROFILES["team-portal"].attachment_max_bytes == 15 * 1024 * 1024


@pytest.mark.parametrize("field", ["auto_close_after", "reopen_within"])
@pytest.mark.parametrize("days", [0, -3, 366])
def test_a_window_has_1_to_365_business_days(field: str, days: int) -> None:
    changes: dict[str, Any] = {field: days}
    for allowed in (1, 365):
        replace(STANDARD, **{field: allowed})  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=rf"{field}: {days} business days; allowed are 1 to 365"):
        replace(STANDARD, **changes)


@pytest.mark.parametrize(
    "changes",
    [{"reopen": Reopen.NO}, {"reopen_within": None}, {"reopen": Reopen.NO, "reopen_within": "unlimited"}],
)
def test_reopening_and_its_window_go_together(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="go together"):
        replace(STANDARD, **changes)


def test_one_group_per_label_in_the_order_of_the_lifecycle() -> None:
    assert PROFILES["team-portal"].groups() == (
        StatusGroup(label="Waiting for Support", statuses=(Status.NEW, Status.OPEN)),
        StatusGroup(label="Waiting for Customer", statuses=(Status.AWAITING_CUSTOMER,)),
        StatusGroup(label="Closed", statuses=(Status.CLOSED,)),
    )
    assert PROFILES["msp-portal"].groups()[1] == StatusGroup(
        label="Open", statuses=(Status.OPEN, Status.AWAITING_CUSTOMER)
    )


def test_a_status_without_a_label_of_the_desks_own_is_called_by_its_name() -> None:
    assert PROFILES["connect"].label(Status.RESOLVED) == "Resolved"
    assert replace(STANDARD, labels={}).label(Status.AWAITING_CUSTOMER) == "Awaiting customer"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_policy_survives_json(profile: str) -> None:
    policies = TypeAdapter(Policy)

    assert policies.validate_json(policies.dump_json(PROFILES[profile])) == PROFILES[profile]
