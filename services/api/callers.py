"""Who a caller is on a desk: staff, customer, service account, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from sqlalchemy import Row, Text, and_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from services.api.identity import Identity
from services.api.visibility import customer_viewer
from shared.contracts.search import Viewer
from shared.db.cases import policy_of
from shared.db.engine import Reader
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


async def load_caller(reader: Reader, identity: Identity, slug: str) -> Caller | None:
    """Look up what somebody is on a desk, in one query.

    Args:
        reader: what to read on.
        identity: who they have proved to be.
        slug: the desk.

    Returns:
        None if there is no such desk, or they have no relation to it, or their token is for another one.
    """
    if identity.desk not in (None, slug):
        return None
    if identity.email is None:
        return await _service(reader, identity, slug) if identity.desk else None
    row = (await reader.execute(_PERSON_ON_DESK, {"email": identity.email, "slug": slug})).one_or_none()
    if row is None:
        return None
    if row.role is not None:
        kind, role, accounts = ActorKind.STAFF, row.role, {}
    elif row.memberships:
        kind, role, accounts = ActorKind.CUSTOMER, "customer", dict(row.memberships)
    else:
        return None
    return Caller(desk=_desk_view(row), kind=kind, role=role, name=row.caller, email=identity.email, accounts=accounts)


async def _service(reader: Reader, identity: Identity, slug: str) -> Caller | None:
    row = (await reader.execute(_SERVICE_ON_DESK, {"account": identity.name, "slug": slug})).one_or_none()
    if row is None:
        return None
    return Caller(
        desk=_desk_view(row),
        kind=ActorKind.SERVICE,
        role="service",
        name=row.caller,
        scopes=frozenset(row.scopes),
    )


_desk = Desk.__table__.c
_PLAIN: Final = tuple(each.name for each in fields(DeskView) if each.name != "policy")
_DESK: Final = (*(_desk[name] for name in _PLAIN), cast(_desk.policy, Text).label("policy"))
_PAIR: Final = func.json_build_array(Account.key, AccountMember.role)
_MEMBERSHIPS: Final = (
    select(func.json_agg(aggregate_order_by(_PAIR, Account.key)))
    .select_from(AccountMember)
    .join(Account, Account.id == AccountMember.account_id)
    .where(AccountMember.person_id == Person.id, Account.desk_id == Desk.id)
    .correlate(Person, Desk)
    .scalar_subquery()
)
# Made once: building a statement costs as much as executing it.
_PERSON_ON_DESK: Final = (
    select(*_DESK, Person.name.label("caller"), Staff.role, _MEMBERSHIPS.label("memberships"))
    .select_from(Desk)
    .join(Person, Person.email == bindparam("email"))
    .outerjoin(Staff, and_(Staff.desk_id == Desk.id, Staff.person_id == Person.id))
    .where(Desk.slug == bindparam("slug"))
)
_SERVICE_ON_DESK: Final = (
    select(*_DESK, ServiceAccount.name.label("caller"), ServiceAccount.scopes)
    .join(ServiceAccount, ServiceAccount.desk_id == Desk.id)
    .where(Desk.slug == bindparam("slug"), ServiceAccount.name == bindparam("account"))
)


def _desk_view(row: Row[*tuple[Any, ...]]) -> DeskView:
    return DeskView(policy=policy_of(row.policy), **{name: getattr(row, name) for name in _PLAIN})
