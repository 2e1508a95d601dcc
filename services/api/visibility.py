"""Which cases somebody sees, said once: for a case at hand, for SQL, and for the search service."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy import ColumnElement, or_, true

from shared.contracts.search import Viewer
from shared.db.models import Case
from shared.domain.policy import CustomersSee, Policy


class Seen(Protocol):
    """The fields of a case that decide who sees it."""

    @property
    def reporter(self) -> str: ...
    @property
    def contact(self) -> str | None: ...
    @property
    def cc(self) -> Collection[str]: ...
    @property
    def account(self) -> str | None: ...


def customer_viewer(policy: Policy, email: str, accounts: Mapping[str, str]) -> Viewer:
    """The eyes of a customer (desk-rules "customers see").

    Args:
        policy: the desk's.
        email: the customer's address, in lower case.
        accounts: keys of the accounts they belong to, each with their role, ``member`` or ``admin``.
    """
    match policy.customers_see:
        case CustomersSee.ACCOUNT:
            whole = list(accounts)
        case CustomersSee.ACCOUNT_FOR_ADMINS | CustomersSee.BY_PERMISSION:
            whole = [key for key, role in accounts.items() if role == "admin"]
        case CustomersSee.OWN_AND_CC:
            whole = []
    return Viewer(email=email, accounts=sorted(whole))


def may_see(viewer: Viewer, case: Seen) -> bool:
    """Whether these eyes see that case."""
    if viewer.staff:
        return True
    if viewer.email and (viewer.email in (case.reporter, case.contact) or viewer.email in case.cc):
        return True
    return case.account is not None and case.account in viewer.accounts


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """The same as a condition on the table of cases."""
    if viewer.staff:
        return true()
    whole = Case.account.in_(viewer.accounts)
    if not viewer.email:
        return whole
    return or_(Case.reporter == viewer.email, Case.contact == viewer.email, Case.cc.contains([viewer.email]), whole)
