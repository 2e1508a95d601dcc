"""The six built-in profiles: presets of the policy, column by column as in desk-rules "The policy"."""

from __future__ import annotations

from dataclasses import replace

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

MEGABYTE = 1024 * 1024

OFFICE = "csv doc docx eml har json log md odp ods odt pdf ppt pptx rtf txt xls xlsx zip"
PICTURES = "bmp gif heic jpeg jpg mp4 png webm webp"
IMAGES_AND_DOCUMENTS = "bmp csv doc docx gif jpeg jpg odp ods odt pdf png ppt pptx rtf txt webp xls xlsx"
TEAM_PORTAL_LIST = "doc docx xls xlsx csv txt pdf bmp jpg jpeg png tar zip"

STANDARD = Policy(
    labels={
        Status.NEW: "New",
        Status.OPEN: "Open",
        Status.AWAITING_CUSTOMER: "Awaiting your reply",
        Status.ESCALATED: "Escalated",
        Status.RESOLVED: "Resolved",
        Status.CLOSED: "Closed",
    },
    on_resolve=OnResolve.AWAIT_CONFIRMATION,
    customer_may_end_by=frozenset({EndBy.ACCEPT, EndBy.REQUEST}),
    auto_close_after=3,
    comment_on_resolved=CommentOnResolved.REOPENS,
    accept_reject=True,
    survey=True,
    reopen=Reopen.BY_ACTION,
    reopen_within=14,
    once_sealed=OnceSealed.FOLLOW_UP,
    escalate=True,
    customers_see=CustomersSee.ACCOUNT_FOR_ADMINS,
    urgency=Urgency.SEVERITY,
    required_at_opening=("subject", "description"),
    attachment_types=(*OFFICE.split(), *PICTURES.split()),
    attachment_max_bytes=25 * MEGABYTE,
    recipients=frozenset({Recipient.OPENER, Recipient.CONTACT, Recipient.CC, Recipient.ASSIGNEE}),
)

CONNECT = Policy(
    labels={
        Status.NEW: "Unassigned",
        Status.OPEN: "In Progress",
        Status.AWAITING_CUSTOMER: "Awaiting Customer",
        Status.ESCALATED: "Escalated",
        Status.CLOSED: "Closed",
    },
    on_resolve=OnResolve.CLOSE,
    customer_may_end_by=frozenset({EndBy.REQUEST}),
    reopen=Reopen.BY_ACTION,
    reopen_within=14,
    once_sealed=OnceSealed.REFUSED,
    escalate=True,
    customers_see=CustomersSee.ACCOUNT_FOR_ADMINS,
    urgency=Urgency.SEVERITY,
    required_at_opening=("subject", "description"),
    attachment_max_bytes=25 * MEGABYTE,
    recipients=frozenset({Recipient.OPENER, Recipient.CONTACT, Recipient.CC, Recipient.ASSIGNEE}),
    cc_gets_everything=True,
)

APPCENTRAL = replace(CONNECT, required_filters=("product",))

HELP_CENTRE = Policy(
    labels={
        Status.NEW: "Open",
        Status.OPEN: "Open",
        Status.AWAITING_CUSTOMER: "Awaiting your reply",
        Status.RESOLVED: "Solved",
        Status.CLOSED: "Closed",
    },
    status_groups=(
        StatusGroup(label="Open", statuses=(Status.NEW, Status.OPEN)),
        StatusGroup(label="Awaiting your reply", statuses=(Status.AWAITING_CUSTOMER,)),
        StatusGroup(label="Solved", statuses=(Status.RESOLVED, Status.CLOSED)),
    ),
    on_resolve=OnResolve.AWAIT_CONFIRMATION,
    customer_may_end_by=frozenset({EndBy.SOLVE}),
    auto_close_after=3,
    comment_on_resolved=CommentOnResolved.REOPENS,
    reopen=Reopen.NO,
    once_sealed=OnceSealed.FOLLOW_UP,
    customers_see=CustomersSee.OWN_AND_CC,
    urgency=Urgency.NONE,
    required_at_opening=("subject", "description"),
    attachment_max_bytes=25 * MEGABYTE,
    recipients=frozenset({Recipient.OPENER, Recipient.CC}),
)

MSP_PORTAL = Policy(
    labels={
        Status.NEW: "New",
        Status.OPEN: "Open",
        Status.AWAITING_CUSTOMER: "Open",
        Status.RESOLVED: "Resolved",
        Status.CLOSED: "Closed",
    },
    on_resolve=OnResolve.AWAIT_CONFIRMATION,
    customer_may_end_by=frozenset({EndBy.ACCEPT, EndBy.CLOSE}),
    comment_on_resolved=CommentOnResolved.COMMENT_ONLY,
    accept_reject=True,
    survey=True,
    reopen=Reopen.NO,
    once_sealed=OnceSealed.REFUSED,
    customers_see=CustomersSee.BY_PERMISSION,
    urgency=Urgency.IMPACT,
    required_at_opening=("reporter", "account", "contact", "environment", "impact", "subject", "description"),
    attachment_types=tuple(IMAGES_AND_DOCUMENTS.split()),
    attachment_max_bytes=25 * MEGABYTE,
    recipients=frozenset({Recipient.OPENER, Recipient.CONTACT}),
)

TEAM_PORTAL = Policy(
    labels={
        Status.NEW: "Waiting for Support",
        Status.OPEN: "Waiting for Support",
        Status.AWAITING_CUSTOMER: "Waiting for Customer",
        Status.CLOSED: "Closed",
    },
    on_resolve=OnResolve.CLOSE,
    customer_may_end_by=frozenset({EndBy.CLOSE}),
    reopen=Reopen.BY_REPLY,
    reopen_within="unlimited",
    customers_see=CustomersSee.ACCOUNT,
    urgency=Urgency.NONE,
    required_at_opening=("subject", "description"),
    attachment_types=tuple(TEAM_PORTAL_LIST.split()),
    attachment_max_bytes=15 * MEGABYTE,
    recipients=frozenset({Recipient.OPENER, Recipient.ACCOUNT_ADMINS}),
)

PROFILES: dict[str, Policy] = {
    "standard": STANDARD,
    "connect": CONNECT,
    "appcentral": APPCENTRAL,
    "help-centre": HELP_CENTRE,
    "msp-portal": MSP_PORTAL,
    "team-portal": TEAM_PORTAL,
}
