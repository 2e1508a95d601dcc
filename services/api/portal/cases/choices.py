"""What a list can be narrowed by: the desk's own words, and how many cases each of them has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from services.api.callers import Caller
from services.api.cases.filters import ME, NOBODY, ListQuery
from shared.db.models import Account, Person
from shared.db.viewed import Sight
from shared.domain.policy import IMPACTS, CustomersSee, Urgency

MOST: Final = 40
"""Accounts or people that are offered, those with the most cases first."""

Facets = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One value that can be chosen; ``count`` None: not known."""

    value: str
    label: str
    count: int | None
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """What can be chosen for one filter."""

    name: str
    label: str
    options: Sequence[Option]
    required: bool

    @property
    def chosen(self) -> list[Option]:
        """What is chosen of it."""
        return [option for option in self.options if option.chosen]


@dataclass(frozen=True, slots=True)
class CalledAs:
    """Names of accounts by key, and of people by address."""

    accounts: Mapping[str, str]
    people: Mapping[str, str]


async def names_for(session: Sight, caller: Caller, facets: Facets) -> CalledAs:
    """Names of the accounts and people on the cases that the caller sees."""
    keys, addresses = _most(facets, "account", ()), _most(facets, "assignee", ())
    accounts = select(Account.key, Account.name).where(Account.desk_id == caller.desk.id, Account.key.in_(keys))
    people = select(Person.email, Person.name).where(Person.email.in_(addresses))
    return CalledAs(
        {row.key: row.name for row in await session.execute(accounts)},
        {} if caller.is_customer else {row.email: row.name for row in await session.execute(people)},
    )


def boxes(caller: Caller, query: ListQuery, facets: Facets, names: CalledAs) -> list[Box]:
    """The filters that the caller has, in order.

    Args:
        caller: who filters.
        query: what is chosen.
        facets: how many cases have which value; values without a count are offered with none.
        names: of accounts and people among them.
    """
    desk, counts = caller.desk, _Counts(facets)
    lists = {"product": ("Product", desk.products), "status": ("Status", []), "type": ("Type", desk.case_types)}
    if desk.policy.urgency is Urgency.SEVERITY:
        lists["severity"] = ("Severity", desk.severities)
    elif desk.policy.urgency is Urgency.IMPACT:
        lists["impact"] = ("Impact", [*IMPACTS])
    found = []
    for name, (label, values) in lists.items():
        options = _statuses(caller, query, counts) if name == "status" else _values(name, values, query, counts)
        found.append(Box(name=name, label=label, options=options, required=name in desk.policy.required_filters))
    if not caller.is_customer or len(caller.accounts) > 1:
        keys = _most(facets, "account", query.account)
        options = [_option("account", key, names.accounts.get(key, key), query, counts) for key in keys]
        found.append(Box(name="account", label="Account", options=options, required=False))
    if not caller.is_customer:
        found.append(
            Box(name="assignee", label="Assignee", options=_people(caller, query, counts, names), required=False)
        )
    return [box for box in found if len(box.options) > 1 or box.required or box.chosen]


def sees_others_cases(caller: Caller) -> bool:
    """Whether «mine» makes a difference to the caller's lists."""
    return not caller.is_customer or caller.desk.policy.customers_see is not CustomersSee.OWN_AND_CC


class _Counts:
    def __init__(self, facets: Facets) -> None:
        self._facets = facets
        self._known = any(facets.values())

    def of(self, name: str, *values: str) -> int | None:
        counted = self._facets.get(name, {})
        return sum(counted.get(value, 0) for value in values) if self._known else None


def _statuses(caller: Caller, query: ListQuery, counts: _Counts) -> list[Option]:
    """The desk's groups, and what else the address names, as ``resolved`` of a group of two."""
    options, left = [], list(query.status)
    for group in caller.desk.policy.groups():
        names = {group.label.casefold(), *(group.statuses if len(group.statuses) == 1 else ())}
        chosen = [value for value in left if value in names or value.casefold() in names]
        left = [value for value in left if value not in chosen]
        count = counts.of("status", *group.statuses)
        options.append(Option(value=group.label, label=group.label, count=count, chosen=bool(chosen)))
    others = [Option(value=each, label=each.replace("_", " "), count=None, chosen=True) for each in left]
    return options + others


def _values(name: str, values: Sequence[str], query: ListQuery, counts: _Counts) -> list[Option]:
    return [_option(name, value, value, query, counts) for value in values]


def _people(caller: Caller, query: ListQuery, counts: _Counts, names: CalledAs) -> list[Option]:
    me = caller.address
    mine = Option(
        value=ME, label="Me", count=counts.of("assignee", me), chosen=bool({ME, me}.intersection(query.assignee))
    )
    nobody = _option("assignee", NOBODY, "Nobody", query, counts)
    addresses = (names.people.keys() | set(query.assignee)) - {ME, NOBODY, me}
    by_name = sorted((names.people.get(each, each), each) for each in addresses)
    others = [_option("assignee", each, name, query, counts) for name, each in by_name]
    return [mine, nobody, *others]


def _option(name: str, value: str, label: str, query: ListQuery, counts: _Counts) -> Option:
    return Option(value=value, label=label, count=counts.of(name, value), chosen=value in getattr(query, name))


def _most(facets: Facets, name: str, chosen: Collection[str]) -> list[str]:
    counted = facets.get(name, {})
    frequent = sorted(counted, key=lambda each: (-counted[each], each))[:MOST]
    return list(dict.fromkeys([*frequent, *chosen]))
