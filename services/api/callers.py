"""Who a caller is on a desk: staff, customer, service account, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.identity import Identity
from services.api.visibility import customer_viewer
from shared.contracts.search import Viewer
from shared.db.cases import POLICIES
from shared.db.models import Account, AccountMember, Desk, Person, ServiceAccount, Staff
from shared.db.viewed import Eyes
from shared.domain.case import Actor, ActorKind
from shared.domain.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskView:
    """A desk as requests need it."""

    id: int
    slug: str
    name: str
    key: str
    profile: str
    policy: Policy
    policy_version: int
    timezone: str
    workdays: list[str]
    holidays: list[str]
    products: list[str]
    case_types: list[str]
    severities: list[str]
    contacts: list[dict[str, Any]]

    def case_key(self, number: int) -> str:
        """What people call the case, as in ``CON-12``."""
        return f"{self.key}-{number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody with a relation to a desk.

    Args:
        desk: the desk.
        kind: in which capacity they act.
        role: agent, lead or admin of the staff; customer; service.
        name: what they are called.
        email: a person's address; None of a service account.
        accounts: of a customer: account keys, each with their role there.
        scopes: of a service account.
    """

    desk: DeskView
    kind: ActorKind
    role: str
    name: str
    email: str | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset()

    @property
    def actor(self) -> Actor:
        """As the machine knows them."""
        return Actor(kind=self.kind, email=self.email, name=self.name)

    @property
    def id(self) -> str:
        """The same for all requests of theirs on this desk."""
        return f"{self.kind}:{self.email or self.name}"

    @property
    def is_customer(self) -> bool:
        """Whether internal things are to be kept from them."""
        return self.kind is ActorKind.CUSTOMER

    @property
    def viewer(self) -> Viewer:
        """Their eyes, for the search service and for SQL."""
        if self.is_customer and self.email:
            return customer_viewer(self.desk.policy, self.email, self.accounts)
        return Viewer(staff=True, email=self.address)

    @property
    def eyes(self) -> Eyes:
        """Their eyes, for row level security."""
        return Eyes(desk=self.desk.id, viewer=self.viewer, actor=self.id, who=self.email or self.name)

    @property
    def address(self) -> str:
        """Address under which they report a case; a service account's can't receive mail (RFC 6761)."""
        if self.email:
            return self.email
        local = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in self.name.lower())
        return f"{local[:64]}@{self.desk.slug}.service.invalid"


async def load_caller(session: AsyncSession, identity: Identity, slug: str) -> Caller | None:
    """Look up what somebody is on a desk, in one query.

    Args:
        session: for reading.
        identity: who they have proved to be.
        slug: the desk.

    Returns:
        None if there is no such desk, or they have no relation to it, or their token is for another one.
    """
    if identity.email is None:
        return await _service(session, identity, slug) if identity.desk == slug else None
    if identity.desk not in (None, slug):
        return None
    row = (await session.execute(_person_on_desk(identity.email, slug))).one_or_none()
    if row is None:
        return None
    desk, name, role, memberships = row
    if role is not None:
        return Caller(desk=desk_view(desk), kind=ActorKind.STAFF, role=role, name=name, email=identity.email)
    if memberships:
        accounts = dict(memberships)
        return Caller(
            desk=desk_view(desk),
            kind=ActorKind.CUSTOMER,
            role="customer",
            name=name,
            email=identity.email,
            accounts=accounts,
        )
    return None


async def _service(session: AsyncSession, identity: Identity, slug: str) -> Caller | None:
    query = select(Desk, ServiceAccount).join(ServiceAccount, ServiceAccount.desk_id == Desk.id)
    found = await session.execute(query.where(Desk.slug == slug, ServiceAccount.name == identity.name))
    row = found.one_or_none()
    if row is None:
        return None
    desk, account = row
    return Caller(
        desk=desk_view(desk),
        kind=ActorKind.SERVICE,
        role="service",
        name=account.name,
        scopes=frozenset(account.scopes),
    )


def _person_on_desk(email: str, slug: str) -> Select[Desk, str, str | None, list[list[str]] | None]:
    pair = func.json_build_array(Account.key, AccountMember.role)
    memberships = (
        select(func.json_agg(aggregate_order_by(pair, Account.key)))
        .select_from(AccountMember)
        .join(Account, Account.id == AccountMember.account_id)
        .where(AccountMember.person_id == Person.id, Account.desk_id == Desk.id)
        .correlate(Person, Desk)
        .scalar_subquery()
    )
    return (
        select(Desk, Person.name, Staff.role, memberships)
        .select_from(Desk)
        .join(Person, Person.email == email)
        .outerjoin(Staff, and_(Staff.desk_id == Desk.id, Staff.person_id == Person.id))
        .where(Desk.slug == slug)
    )


def desk_view(desk: Desk) -> DeskView:
    """Read a row of the table of desks."""
    return DeskView(
        id=desk.id,
        slug=desk.slug,
        name=desk.name,
        key=desk.key,
        profile=desk.profile,
        policy=POLICIES.validate_python(desk.policy),
        policy_version=desk.policy_version,
        timezone=desk.timezone,
        workdays=desk.workdays,
        holidays=desk.holidays,
        products=desk.products,
        case_types=desk.case_types,
        severities=desk.severities,
        contacts=desk.contacts,
    )
