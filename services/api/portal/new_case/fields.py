"""What the form for a new case asks of whom: what the desk requires or allows, and nothing that has one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from services.api.callers import Caller
from services.api.cases.choices import AccountView, load_accounts
from services.api.portal.forms import Form
from shared.db.models import Account
from shared.db.viewed import Sight
from shared.domain.policy import IMPACTS, Urgency

LABELS: Final[Mapping[str, str]] = {
    "account": "Account",
    "contact": "Contact",
    "environment": "Environment",
    "product": "Product",
    "type": "Type",
    "severity": "Severity",
    "impact": "Impact",
}
_NOBODY_ELSE: Final = "You"
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A field of which one value is chosen.

    Args:
        name: in the form.
        label: beside it.
        options: values, each with what people call it.
        value: chosen so far.
        required: whether the case is not opened without.
        hint: below it.
    """

    name: str
    label: str
    options: Sequence[Pair]
    value: str = ""
    required: bool = False
    hint: str = ""

    @property
    def fills_itself(self) -> bool:
        """Whether there is nothing to choose (desk-rules M7): the one value is shown, and goes with the form."""
        return self.required and len(self.options) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The fields of the form besides the words, for one person and what they have chosen so far.

    Args:
        of_account: account, and what depends on it.
        of_case: from the desk's lists.
        account: what the choice of account has come to, if to one.
    """

    of_account: Sequence[Choice]
    of_case: Sequence[Choice]
    account: AccountView | None = None
    required: frozenset[str] = field(default_factory=frozenset)


async def asked(session: Sight, caller: Caller, form: Form) -> Asked:
    """What to ask.

    Args:
        session: for reading.
        caller: who opens the case.
        form: what they have chosen so far.
    """
    required = frozenset(caller.desk.policy.required_at_opening)
    accounts = await _accounts(session, caller)
    chosen = form.text("account") or (next(iter(accounts)) if len(accounts) == 1 and caller.is_customer else "")
    account = (await load_accounts(session, caller.desk, [chosen])).get(chosen) if chosen in accounts else None
    return Asked(
        of_account=list(_of_account(caller, form, required, accounts, account)),
        of_case=list(_of_case(caller, form, required)),
        account=account,
        required=required,
    )


def _of_account(
    caller: Caller, form: Form, required: frozenset[str], accounts: Mapping[str, str], account: AccountView | None
) -> Iterator[Choice]:
    if len(accounts) > 1 or not caller.is_customer:
        hint = "" if caller.is_customer else "Whom the case is for; you open it on their behalf."
        needed = "account" in required or caller.is_customer
        yield _choice("account", list(accounts.items()), account.key if account else "", needed, hint)
    if account is None:
        return
    people = [(email, _called(caller, email, name)) for email, name in account.members.items()]
    contact = form.text("contact")
    if contact not in account.members:
        contact = caller.address if caller.is_customer and caller.address in account.members else ""
    if len(people) > 1 or not caller.is_customer:
        yield _choice("contact", people, contact, "contact" in required or caller.is_customer)
    if account.environments:
        environments = [(each, each) for each in account.environments]
        yield _choice("environment", environments, form.text("environment"), "environment" in required)


def _of_case(caller: Caller, form: Form, required: frozenset[str]) -> Iterator[Choice]:
    desk = caller.desk
    lists = {"product": desk.products, "type": desk.case_types}
    if desk.policy.urgency is Urgency.SEVERITY or "severity" in required:
        lists["severity"] = desk.severities
    if desk.policy.urgency is Urgency.IMPACT or "impact" in required:
        lists["impact"] = list(IMPACTS)
    for name, values in lists.items():
        if values:
            hint = "The list of cases goes by product." if name in desk.policy.required_filters else ""
            yield _choice(name, [(value, value) for value in values], form.text(name), name in required, hint)


def _choice(name: str, options: list[Pair], value: str, required: bool, hint: str = "") -> Choice:
    only = options[0][0] if required and len(options) == 1 else ""
    known = value if value in dict(options) else only
    return Choice(name=name, label=LABELS[name], options=options, value=known, required=required, hint=hint)


def _called(caller: Caller, email: str, name: str) -> str:
    return f"{name} ({_NOBODY_ELSE.lower()})" if email == caller.email else f"{name} · {email}"


async def _accounts(session: Sight, caller: Caller) -> dict[str, str]:
    """Names of the accounts that the case may belong to, by key, in the order of the names (desk-rules M3)."""
    query = select(Account.key, Account.name).where(Account.desk_id == caller.desk.id)
    if caller.is_customer:
        query = query.where(Account.key.in_(caller.accounts))
    return {row.key: row.name for row in await session.execute(query.order_by(Account.name, Account.key))}
