"""Checking what a form says against the desk's lists and accounts; filling in what has one possible value."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Text, any_, bindparam, exists, or_, select

from services.api.callers import Caller, DeskView
from services.api.idempotency import Once
from services.api.problems import FieldError
from shared.db.engine import Reader
from shared.db.models import Account, AccountMember, Attachment, CaseEvent, IdempotencyKey, Person
from shared.db.viewed import Sight

_SHOWN = 50
"""How many allowed values an error lists."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a form needs it; its members' names by their addresses."""

    key: str
    name: str
    environments: Sequence[str]
    members: Mapping[str, str]


# Made once: building a statement costs as much as executing it.
_ACCOUNTS = (
    select(Account.key, Account.name, Account.environments, Person.email, Person.name.label("person"))
    .outerjoin(AccountMember, AccountMember.account_id == Account.id)
    .outerjoin(Person, Person.id == AccountMember.person_id)
    .where(Account.desk_id == bindparam("desk"), Account.key == any_(bindparam("keys", type_=ARRAY(Text))))
    .order_by(Account.key, Person.name, Person.email)
)


async def load_accounts(session: Reader, desk: DeskView, keys: Iterable[str]) -> dict[str, AccountView]:
    """Those of the desk's accounts that have these keys."""
    found: dict[str, AccountView] = {}
    members: dict[str, dict[str, str]] = {}
    for row in await session.execute(_ACCOUNTS, {"desk": desk.id, "keys": list(keys)}):
        known = members.setdefault(row.key, {})
        found.setdefault(row.key, AccountView(row.key, row.name, row.environments, known))
        known |= {row.email: row.person} if row.email else {}
    return found


async def possible_accounts(
    session: Reader, caller: Caller, account: str | None, contact: str | None
) -> dict[str, AccountView]:
    """The accounts that a case of the caller's may belong to: for customers theirs, for others the one they mean."""
    if caller.is_customer:
        return await load_accounts(session, caller.desk, caller.accounts)
    if account:
        return await load_accounts(session, caller.desk, [account])
    if contact is None:
        return {}
    of_contact = select(Account.key).join(AccountMember).join(Person)
    keys = await session.scalars(of_contact.where(Account.desk_id == caller.desk.id, Person.email == contact))
    return await load_accounts(session, caller.desk, keys.all())


async def account_keys(session: Reader, desk: DeskView) -> list[str]:
    """Keys to name in an error."""
    query = select(Account.key).where(Account.desk_id == desk.id).order_by(Account.key)
    return list(await session.scalars(query.limit(_SHOWN)))


def check_lists(desk: DeskView, values: Mapping[str, Any]) -> Iterable[FieldError]:
    """What is in none of the desk's lists."""
    lists = {"product": desk.products, "type": desk.case_types, "severity": desk.severities}
    plural = {"product": "products", "type": "case types", "severity": "severities"}
    for name, allowed in lists.items():
        value = values.get(name)
        if value is not None and value not in allowed:
            yield FieldError(
                field=name, message=f"«{value}» is not one of this desk's {plural[name]}.", allowed=allowed[:_SHOWN]
            )


def check_environment(account: AccountView | None, environment: str | None) -> Iterable[FieldError]:
    """An environment is one of the account's."""
    if environment is None:
        return
    if account is None:
        yield FieldError(field="environment", message="An environment belongs to an account; give the account too.")
    elif environment not in account.environments:
        yield FieldError(
            field="environment",
            message=f"«{environment}» is not an environment of the account {account.key}.",
            allowed=list(account.environments)[:_SHOWN],
        )


def check_contact(caller: Caller, accounts: Collection[AccountView], contact: str | None) -> Iterable[FieldError]:
    """A contact is a member of the account, or of one of those that it may be (desk-rules M4)."""
    members = {member for account in accounts for member in account.members}
    if contact is None or contact in members:
        return
    where = f"the account {next(iter(accounts)).key}" if len(accounts) == 1 else "any account this case may belong to"
    yield FieldError(
        field="contact",
        message=f"«{contact}» is not a member of {where}.",
        allowed=sorted(members)[:_SHOWN] if members and (caller.is_customer or len(accounts) == 1) else None,
    )


async def check_attachments(
    session: Sight, caller: Caller, request: Once, ids: Sequence[uuid.UUID]
) -> list[FieldError]:
    """Files must have been uploaded by the caller and belong to no case yet, unless this very request gave them to one.

    Args:
        session: for reading.
        caller: who names them.
        request: whose repetition finds them taken by itself.
        ids: of the files.
    """
    if not ids:
        return []
    known_as = (IdempotencyKey.desk_id == caller.desk.id, IdempotencyKey.actor == caller.id)
    taken_by_this = (
        exists()
        .where(CaseEvent.case_id == Attachment.case_id, CaseEvent.seq == Attachment.seq)
        .where(CaseEvent.command_id == IdempotencyKey.command_id, IdempotencyKey.key == request.key, *known_as)
    )
    query = select(Attachment.id).where(
        Attachment.id.in_(ids),
        Attachment.desk_id == caller.desk.id,
        Attachment.uploaded_by == (caller.email or caller.name),
        Attachment.stored_at.is_not(None),
        or_(Attachment.case_id.is_(None), taken_by_this),
    )
    known = set(await session.scalars(query))
    message = "You have uploaded no file {} that is still free. Upload it (again) with POST /attachments first."
    return [
        FieldError(field=f"attachments.{index}", message=message.format(attachment))
        for index, attachment in enumerate(ids)
        if attachment not in known
    ]
