"""Who is to be found on desks: asked for all events of a batch at once, and only where something depends on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ARRAY, Text, any_, bindparam, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.models import Account, AccountMember, Desk, Person, Staff, Webhook


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A webhook that is told of things.

    Args:
        id: of the webhook.
        url: of its receiver.
        events: patterns of what it is told.
    """

    id: int
    url: str
    events: Sequence[str]


_STAFF: Final = (
    select(Desk.slug, Person.email)
    .join(Staff, Staff.desk_id == Desk.id)
    .join(Person, Person.id == Staff.person_id)
    .where(Desk.slug == any_(bindparam("desks", type_=ARRAY(Text))))
    .order_by(Person.email)
)
_ADMINS: Final = (
    select(Desk.slug, Account.key, Person.email)
    .join(Account, Account.desk_id == Desk.id)
    .join(AccountMember, AccountMember.account_id == Account.id)
    .join(Person, Person.id == AccountMember.person_id)
    .where(
        tuple_(Desk.slug, Account.key).in_(bindparam("accounts", expanding=True)),
        AccountMember.role == "admin",
    )
    .order_by(Person.email)
)
_DEPARTED: Final = (
    select(Desk.slug, Person.email)
    .join(Person, tuple_(Desk.slug, Person.email).in_(bindparam("people", expanding=True)))
    .where(
        ~exists().where(Staff.person_id == Person.id, Staff.desk_id == Desk.id),
        ~exists().where(
            AccountMember.person_id == Person.id, AccountMember.account_id == Account.id, Account.desk_id == Desk.id
        ),
    )
)
_SUBSCRIBERS: Final = (
    select(Desk.slug, Webhook.id, Webhook.url, Webhook.events)
    .join(Webhook, Webhook.desk_id == Desk.id)
    .where(Desk.slug == any_(bindparam("desks", type_=ARRAY(Text))), Webhook.disabled_at.is_(None))
    .order_by(Webhook.id)
)


async def staff_of(connection: AsyncConnection, desks: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Addresses of the desks' staff, by desk."""
    found = defaultdict[str, list[str]](list)
    for desk, email in await connection.execute(_STAFF, {"desks": list(desks)}) if desks else ():
        found[desk].append(email)
    return found


async def admins_of(
    connection: AsyncConnection, accounts: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], Sequence[str]]:
    """Addresses of the accounts' administrators (desk-rules T7), by desk and account."""
    found = defaultdict[tuple[str, str], list[str]](list)
    for desk, account, email in await connection.execute(_ADMINS, {"accounts": list(accounts)}) if accounts else ():
        found[desk, account].append(email)
    return found


async def departed(connection: AsyncConnection, people: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the people, each a desk and an address, who belong to the desk no more: neither staff nor customers."""
    found = await connection.execute(_DEPARTED, {"people": list(people)}) if people else ()
    return frozenset((desk, email) for desk, email in found)


async def subscribers_of(connection: AsyncConnection, desks: Collection[str]) -> Mapping[str, Sequence[Subscriber]]:
    """The desks' webhooks that are not disabled, by desk."""
    found = defaultdict[str, list[Subscriber]](list)
    for desk, webhook, url, events in await connection.execute(_SUBSCRIBERS, {"desks": list(desks)}):
        found[desk].append(Subscriber(webhook, url, events))
    return found
