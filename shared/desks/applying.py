"""Making the database say what a desk file says: one transaction, and a line for each change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ARRAY, Text, any_, func, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.engine import Database
from shared.db.models import (
    Account,
    AccountMember,
    Base,
    Case,
    Delivery,
    Desk,
    DeskCounter,
    DeskPolicy,
    Person,
    ServiceAccount,
    Staff,
    Webhook,
)
from shared.desks.notes import cases_that, consequences, pinned_policies, renamed_people, same_key
from shared.desks.policies import POLICIES, effective_policy
from shared.desks.reading import read_desk_file
from shared.desks.schema import AccountSection, DeskFile
from shared.desks.wording import policy_changes, shown
from shared.domain.policy import Policy
from shared.settings import Settings

NOTHING = "nothing to change"
_LOCK = 0x6465736B  # "desk": one file is applied at a time, as people are shared between desks


def apply_file(settings: Settings, path: Path, dry_run: bool = False) -> list[str]:
    """Create or update a desk and its people from a file.

    Args:
        settings: name the database.
        path: of the desk file.
        dry_run: say what would change and change nothing.

    Returns:
        A line for each change: ``+`` new, ``~`` changed, ``-`` removed, ``=`` kept although no longer in the file;
        or worth knowing; ``nothing to change`` last if nothing has.

    Raises:
        DeskFileError: the file can't be applied; says which lines are wrong and what is allowed.
    """
    desk_file = read_desk_file(path)

    async def run() -> list[str]:
        database = Database(settings.database_url, pool_size=1)
        try:
            return await apply(database, desk_file, dry_run)
        finally:
            await database.close()

    return asyncio.run(run())


async def apply(database: Database, desk_file: DeskFile, dry_run: bool = False) -> list[str]:
    """As ``apply_file``, for a file that has been read."""
    async with database.write() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        application = _Application(session, desk_file)
        await application.run()
        if dry_run:
            await session.rollback()
    changed = any(line[0] in "+~-" for line in application.lines)
    return application.lines if changed else [*application.lines, NOTHING]


def _policy_changes(stored: dict[str, Any], new: Policy) -> list[str]:
    try:
        return policy_changes(POLICIES.validate_python(stored), new)
    except ValidationError:
        return ["written anew: the stored one is of another version of Casebound"]


class _Application:
    """One file on its way into one transaction."""

    def __init__(self, session: AsyncSession, desk_file: DeskFile) -> None:
        self.lines: list[str] = []
        self._session = session
        self._file = desk_file

    async def run(self) -> None:
        desk_id = await self._desk()
        people = await self._people(desk_id)
        await self._staff(desk_id, people)
        await self._accounts(desk_id, people)
        await self._services(desk_id)
        await self._webhooks(desk_id)
        await self._session.flush()

    async def _desk(self) -> int:
        file = self._file
        values = {
            "name": file.name,
            "key": file.key,
            "profile": file.profile,
            "timezone": file.calendar.timezone,
            "workdays": file.calendar.workdays,
            "holidays": file.calendar.holidays,
            "products": file.products,
            "case_types": file.case_types,
            "severities": file.severities,
            "contacts": [contact.model_dump() for contact in file.contacts],
        }
        policy = effective_policy(file.profile, file.policy)
        stored = POLICIES.dump_python(policy, mode="json")
        desk = await self._session.scalar(select(Desk).where(Desk.slug == file.desk).with_for_update())
        if desk is None:
            desk = Desk(slug=file.desk, policy=stored, policy_version=1, **values)
            await self._add(desk)
            await self._add(DeskCounter(desk_id=desk.id, last_number=0))
            self.lines.append(f"+ desk {file.desk} ({file.name}, key {file.key}, profile {file.profile})")
            self.lines += await same_key(self._session, desk)
        else:
            notes = await consequences(self._session, desk, values)
            self._update(desk, f"desk {file.desk}", values)
            self.lines += notes
            changes = _policy_changes(desk.policy, policy)
            if not changes:
                return desk.id
            desk.policy, desk.policy_version = stored, desk.policy_version + 1
            self.lines += [f"~ policy {change} (version {desk.policy_version})" for change in changes]
            self.lines += await pinned_policies(self._session, desk)
        self._session.add(DeskPolicy(desk_id=desk.id, version=desk.policy_version, policy=stored))
        return desk.id

    async def _people(self, desk_id: int) -> dict[str, int]:
        """Addresses and ids of everybody in the file."""
        names: dict[str, str] = {}
        phones: dict[str, str] = {}
        for person in self._file.staff:
            names[person.email] = person.name
        for member in (member for account in self._file.accounts for member in account.members):
            names[member.email] = member.name
            if member.phone:
                phones[member.email] = member.phone
        among = Person.email == any_(literal(list(names), ARRAY(Text)))  # IN would have a parameter for each
        known = {row.email: row for row in await self._session.scalars(select(Person).where(among))}
        renamed = False
        for email, name in names.items():
            phone = {"phone": phones[email]} if email in phones else {}
            if email in known:
                renamed |= known[email].name != name
                self._update(known[email], f"person {email}", {"name": name, **phone})
            else:
                known[email] = Person(email=email, name=name, **phone)
                self._session.add(known[email])
        await self._session.flush()
        if renamed:
            self.lines += await renamed_people(self._session, desk_id, self._file.desk)
        return {email: row.id for email, row in known.items()}

    async def _staff(self, desk_id: int, people: dict[str, int]) -> None:
        query = select(Person.email, Staff).join(Staff, Staff.person_id == Person.id).where(Staff.desk_id == desk_id)
        known = dict((await self._session.execute(query.order_by(Person.email))).all())
        for person in self._file.staff:
            row = known.pop(person.email, None)
            if row is not None:
                self._update(row, f"staff {person.email}", {"role": person.role})
                continue
            self._session.add(Staff(desk_id=desk_id, person_id=people[person.email], role=person.role))
            self.lines.append(f"+ staff {person.email} ({person.role})")
        for email, row in known.items():
            await self._remove(row, f"staff {email} ({row.role})")

    async def _accounts(self, desk_id: int, people: dict[str, int]) -> None:
        query = select(Account).where(Account.desk_id == desk_id).order_by(Account.key)
        known = {row.key: row for row in await self._session.scalars(query)}
        members = await self._known_members(desk_id)
        for account in self._file.accounts:
            row = known.pop(account.key, None)
            values = {"name": account.name, "environments": account.environments}
            if row is not None:
                self._update(row, f"account {account.key}", values)
            else:
                row = Account(desk_id=desk_id, key=account.key, **values)
                await self._add(row)
                self.lines.append(f"+ account {account.key} ({account.name})")
            self._members(row, account, people, members)
        for (key, email), member in members.items():
            await self._remove(member, f"member {email} of {key} ({member.role})")
        await self._session.flush()
        await self._remove_accounts(desk_id, known)

    async def _known_members(self, desk_id: int) -> dict[tuple[str, str], AccountMember]:
        """By account and address."""
        query = (
            select(Account.key, Person.email, AccountMember)
            .join(Account, Account.id == AccountMember.account_id)
            .join(Person, Person.id == AccountMember.person_id)
            .where(Account.desk_id == desk_id)
            .order_by(Account.key, Person.email)
        )
        return {(key, email): row for key, email, row in await self._session.execute(query)}

    def _members(
        self,
        row: Account,
        account: AccountSection,
        people: dict[str, int],
        known: dict[tuple[str, str], AccountMember],
    ) -> None:
        """Set the members of an account; those found are taken out of ``known``."""
        for person in account.members:
            label = f"member {person.email} of {account.key}"
            member = known.pop((account.key, person.email), None)
            if member is not None:
                self._update(member, label, {"role": person.role})
                continue
            self._session.add(AccountMember(account_id=row.id, person_id=people[person.email], role=person.role))
            self.lines.append(f"+ {label} ({person.role})")

    async def _remove_accounts(self, desk_id: int, gone: dict[str, Account]) -> None:
        counting = select(Case.account, func.count()).where(Case.desk_id == desk_id, Case.account.in_(gone))
        cases = dict((await self._session.execute(counting.group_by(Case.account))).all())
        for key, row in gone.items():
            if key in cases:
                self.lines.append(f"= account {key} is kept without members: {cases_that(cases[key], 'belong')} to it")
            else:
                await self._remove(row, f"account {key} ({row.name})")

    async def _services(self, desk_id: int) -> None:
        query = select(ServiceAccount).where(ServiceAccount.desk_id == desk_id).order_by(ServiceAccount.name)
        known = {row.name: row for row in await self._session.scalars(query)}
        for service in self._file.services:
            row = known.pop(service.name, None)
            if row is not None:
                self._update(row, f"service {service.name}", {"scopes": service.scopes})
                continue
            self._session.add(ServiceAccount(desk_id=desk_id, name=service.name, scopes=service.scopes))
            self.lines.append(f"+ service {service.name} ({', '.join(service.scopes)})")
        for name, row in known.items():
            await self._remove(row, f"service {name}")

    async def _webhooks(self, desk_id: int) -> None:
        query = select(Webhook).where(Webhook.desk_id == desk_id).order_by(Webhook.url)
        known = {row.url: row for row in await self._session.scalars(query.with_for_update())}
        for webhook in self._file.webhooks:
            row = known.pop(webhook.url, None)
            if row is None:
                self._session.add(Webhook(desk_id=desk_id, **webhook.model_dump()))
                self.lines.append(f"+ webhook {webhook.url} ({', '.join(webhook.events)})")
                continue
            self._update(row, f"webhook {webhook.url}", {"events": webhook.events})
            if row.secret != webhook.secret:
                row.secret = webhook.secret
                self.lines.append(f"~ webhook {webhook.url} secret")
        for url, row in known.items():
            await self._session.execute(
                update(Delivery)
                .where(Delivery.webhook_id == row.id, Delivery.status == "pending")
                .values(status="cancelled", error="the webhook was taken out of the desk file")
            )
            await self._remove(row, f"webhook {url}")

    async def _add(self, row: Base) -> None:
        """Add a row whose id is needed at once."""
        self._session.add(row)
        await self._session.flush()

    def _update(self, row: Base, label: str, values: dict[str, Any]) -> None:
        for name, value in values.items():
            before = getattr(row, name)
            if before != value:
                setattr(row, name, value)
                self.lines.append(f"~ {label} {name.replace('_', ' ')}: {shown(before)} → {shown(value)}")

    async def _remove(self, row: Base, label: str) -> None:
        await self._session.delete(row)
        self.lines.append(f"- {label}")
