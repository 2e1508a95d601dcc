"""Reading who belongs to a desk."""

from __future__ import annotations

from sqlalchemy import case, select

from services.api.callers import DeskView
from services.api.setup.schemas import CompanyOut, MemberOut, PeopleOut, ServiceOut, StaffOut
from shared.db.engine import Reader
from shared.db.models import Account, AccountMember, Person, ServiceAccount, Staff

_BY_RANK = case({"admin": 0, "lead": 1}, value=Staff.role, else_=2)


async def people_of(session: Reader, desk: DeskView) -> PeopleOut:
    """Staff, accounts with their members, and services of a desk."""
    staff = await session.execute(
        select(Person.email, Person.name, Staff.role)
        .join(Staff, Staff.person_id == Person.id)
        .where(Staff.desk_id == desk.id)
        .order_by(_BY_RANK, Person.name, Person.email)
    )
    services = await session.execute(
        select(ServiceAccount.name, ServiceAccount.scopes)
        .where(ServiceAccount.desk_id == desk.id)
        .order_by(ServiceAccount.name)
    )
    return PeopleOut(
        staff=[StaffOut(email=row.email, name=row.name, role=row.role) for row in staff],
        accounts=await _companies(session, desk),
        services=[ServiceOut(name=row.name, scopes=row.scopes) for row in services],
    )


async def _companies(session: Reader, desk: DeskView) -> list[CompanyOut]:
    rows = await session.execute(
        select(
            Account.key, Account.name, Account.environments,
            Person.email, Person.name.label("person"), Person.phone, AccountMember.role,
        )
        .outerjoin(AccountMember, AccountMember.account_id == Account.id)
        .outerjoin(Person, Person.id == AccountMember.person_id)
        .where(Account.desk_id == desk.id)
        .order_by(Account.name, Account.key, AccountMember.role, Person.name, Person.email)
    )  # fmt: skip
    found: dict[str, CompanyOut] = {}
    for row in rows:
        new = CompanyOut(key=row.key, name=row.name, environments=row.environments, members=[])
        company = found.setdefault(row.key, new)
        if row.email:
            company.members.append(MemberOut(email=row.email, name=row.person, role=row.role, phone=row.phone))
    return list(found.values())
