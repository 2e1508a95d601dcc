"""Whom the log-in page offers in development: people of the demo desks, so that nobody has to look them up."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from services.api.context import Context
from shared.db.models import Account, AccountMember, Desk, Person, Staff


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody to log in as."""

    desk: str
    name: str
    email: str
    role: str


async def demo_people(context: Context) -> list[DemoPerson]:
    """People who can log in with a password: of each desk one of each role. Development only."""
    staff = select(Desk.name.label("desk"), Person.name, Person.email, Staff.role, Desk.id, Person.id.label("person"))
    staff = staff.join(Staff, Staff.desk_id == Desk.id).join(Person, Person.id == Staff.person_id)
    customers = (
        select(
            Desk.name.label("desk"), Person.name, Person.email, AccountMember.role, Desk.id, Person.id.label("person")
        )
        .join(Account, Account.desk_id == Desk.id)
        .join(AccountMember, AccountMember.account_id == Account.id)
        .join(Person, Person.id == AccountMember.person_id)
    )
    named = {"member": "customer", "admin": "account admin"}
    found: dict[tuple[str, str], DemoPerson] = {}
    async with context.database.reading() as connection:
        for query, roles in ((staff, {}), (customers, named)):
            known = query.where(Person.password_hash.is_not(None)).order_by(Desk.id, Person.id)
            for row in await connection.execute(known):
                role = roles.get(row.role, row.role)
                found.setdefault((row.desk, role), DemoPerson(row.desk, row.name, row.email, role))
    return sorted(found.values(), key=lambda person: person.desk)
