"""Which cases somebody sees and what they are to each, said once: for a case at hand, for SQL, and for the search
service.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ARRAY, BindParameter, Boolean, ColumnElement, Text, any_, bindparam, literal, or_

from shared.contracts.search import Viewer
from shared.db.models import Case
from shared.domain.policy import CustomersSee, Policy


class Relation(StrEnum):
    """What a customer is to a case that they see; somebody may be several of these at once."""

    OWN = "the reporter or contact of the case"
    COPIED = "somebody copied on the case"
    ACCOUNT_ADMIN = "an admin of the case's account"
    COLLEAGUE = "a colleague in the case's account"
    UPLOADER = "who uploaded the file"


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


def relations(
    viewer: Viewer, roles: Mapping[str, str], case: Seen, uploaded_by: str | None = None
) -> frozenset[Relation]:
    """What a customer is to a case; nothing if they don't see it.

    Somebody's role in the case's account counts only where the desk shows them the account's cases: elsewhere they are
    as good as anybody who is copied.

    Args:
        viewer: the customer's eyes, from ``customer_viewer``.
        roles: keys of the accounts they belong to, each with their role, ``member`` or ``admin``.
        case: the case.
        uploaded_by: address of whoever uploaded the file that it is about.
    """
    return frozenset(_relations(viewer, roles, case, uploaded_by)) if may_see(viewer, case) else frozenset()


def _relations(viewer: Viewer, roles: Mapping[str, str], case: Seen, uploaded_by: str | None) -> Iterator[Relation]:
    if viewer.email in (case.reporter, case.contact):
        yield Relation.OWN
    if viewer.email in case.cc:
        yield Relation.COPIED
    if case.account in viewer.accounts:
        yield Relation.ACCOUNT_ADMIN if roles.get(case.account or "") == "admin" else Relation.COLLEAGUE
    if uploaded_by == viewer.email:
        yield Relation.UPLOADER


def may_see(viewer: Viewer, case: Seen) -> bool:
    """Whether these eyes see that case."""
    if viewer.staff:
        return True
    if viewer.email and (viewer.email in (case.reporter, case.contact) or viewer.email in case.cc):
        return True
    return case.account is not None and case.account in viewer.accounts


def _seen(
    staff: BindParameter[bool], email: BindParameter[str | None], accounts: BindParameter[Sequence[str]]
) -> ColumnElement[bool]:
    return or_(
        staff,
        Case.reporter == email,
        Case.contact == email,
        email == any_(Case.cc),
        Case.account == any_(accounts),
    )


SEEN: ColumnElement[bool] = _seen(
    bindparam("viewer_staff", type_=Boolean),
    bindparam("viewer_email", type_=Text),
    bindparam("viewer_accounts", type_=ARRAY(Text)),
)
"""The same as a condition on the table of cases; to be executed with ``seen_by``. Made once: making it takes longer
than asking it."""


def seen(viewer: Viewer) -> ColumnElement[bool]:
    """``SEEN`` as a part of a larger condition, through these eyes."""
    eyes = seen_by(viewer)
    return _seen(
        literal(eyes["viewer_staff"], Boolean),
        literal(eyes["viewer_email"], Text),
        literal(eyes["viewer_accounts"], ARRAY(Text)),
    )


def seen_by(viewer: Viewer) -> dict[str, Any]:
    """Through whose eyes ``SEEN`` looks."""
    return {"viewer_staff": viewer.staff, "viewer_email": viewer.email, "viewer_accounts": viewer.accounts}
