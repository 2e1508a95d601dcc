"""The tables."""

from __future__ import annotations

from shared.db.models.base import Base
from shared.db.models.belongings import CannedReply, SavedFilter
from shared.db.models.cases import WINDOW_ENDS, WINDOW_RUNS, Attachment, Case, CaseEvent, CaseRead
from shared.db.models.deliveries import Delivery, MailboxMessage
from shared.db.models.desks import (
    Account,
    AccountMember,
    Desk,
    DeskCounter,
    DeskPolicy,
    Person,
    ServiceAccount,
    Staff,
    Webhook,
)
from shared.db.models.requests import IdempotencyKey, LoginSession

__all__ = [
    "WINDOW_ENDS",
    "WINDOW_RUNS",
    "Account",
    "AccountMember",
    "Attachment",
    "Base",
    "CannedReply",
    "Case",
    "CaseEvent",
    "CaseRead",
    "Delivery",
    "Desk",
    "DeskCounter",
    "DeskPolicy",
    "IdempotencyKey",
    "LoginSession",
    "MailboxMessage",
    "Person",
    "SavedFilter",
    "ServiceAccount",
    "Staff",
    "Webhook",
]
