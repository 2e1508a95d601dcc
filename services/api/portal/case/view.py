"""A case as its page shows it, read in one go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from services.api.attachments.records import files_of
from services.api.authorisation import Access, require
from services.api.cases.choices import AccountView, load_accounts
from services.api.cases.records import CaseRecord, find_case, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import ActionOut, CaseOut
from services.api.portal.case.files import FileShown, shown
from services.api.portal.pages import DeskPage
from shared.db.models import Person, Staff
from shared.db.viewed import Sight
from shared.domain.policy import IMPACTS, Urgency


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseView:
    """A case, and what its page needs besides.

    Args:
        record: as the record has it.
        case: as the REST routes answer it.
        files: that it has and whoever looks may see.
        people: names by address, of all who occur.
        account: that it belongs to, with its members; None if it has none.
    """

    record: CaseRecord
    case: CaseOut
    files: Sequence[FileShown]
    people: Mapping[str, str]
    account: AccountView | None = field(repr=False)

    @property
    def now(self) -> datetime:
        """By the case's own clock."""
        return self.record.now

    @property
    def offered(self) -> dict[str, ActionOut]:
        """What whoever looks may do now."""
        return {action.name: action for action in self.case.actions}

    def name_of(self, address: str) -> str:
        """What somebody is called; their address if we don't know them."""
        return self.people.get(address, address)


async def load_case(page: DeskPage, number: str) -> CaseView:
    """Read a case.

    Args:
        page: that shows it.
        number: from the address, as ``12`` or ``CON-12``.

    Raises:
        Problem: 403, 404.
    """
    require(page.caller, Access.READ)
    async with page.context.database.read_as(page.caller.eyes) as session:
        record = await find_case(session, page.caller, number)
        names = await names_of(session, page.caller, [record.state])
        files = await files_of(session, page.caller, record)
        unnamed = {file["uploaded_by"] for file in files} - names.people.keys()
        people = {**names.people, **await _called(session, unnamed)}
        key = record.state.account
        accounts = await load_accounts(session, page.caller.desk, [key]) if key else {}
    return CaseView(
        record=record,
        case=represent(page.caller, record, names),
        files=[shown(file, page.caller, record) for file in files],
        people=people,
        account=accounts.get(key or ""),
    )


async def _called(session: Sight, addresses: Collection[str]) -> dict[str, str]:
    if not addresses:
        return {}
    rows = await session.execute(select(Person.email, Person.name).where(Person.email.in_(addresses)))
    return {row.email: row.name for row in rows}


async def staff_of(page: DeskPage) -> dict[str, str]:
    """The desk's staff, names by address, in the order of names."""
    query = select(Person.email, Person.name).join(Staff, Staff.person_id == Person.id)
    async with page.context.database.read_as(page.caller.eyes) as session:
        rows = await session.execute(query.where(Staff.desk_id == page.caller.desk.id).order_by(Person.name))
    return {row.email: row.name for row in rows}


def urgencies(page: DeskPage, view: CaseView) -> list[str]:
    """The values of the field by which the case's urgency goes, the most pressing first."""
    return {Urgency.SEVERITY: page.caller.desk.severities, Urgency.IMPACT: list(IMPACTS)}.get(
        view.record.policy.urgency, []
    )
