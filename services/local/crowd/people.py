"""The desk of a crowd of cases, as a desk file: thirty of staff, two thousand accounts with their people."""

from __future__ import annotations

import random
from typing import Final

from services.local.crowd.words import made_up_words
from shared.desks.schema import AccountSection, CalendarSection, DeskFile, Member, StaffMember

NAME: Final = "Generated cases"
"""Of every desk of this kind: by it they are told from desks that must not be touched."""
LEAD: Final = "lead@crowd.example"
ACCOUNTS: Final = 2_000
AGENTS: Final = 28
_PEOPLE_IN_ACCOUNT: Final = (2, 6)
_FIRST: Final = """
    Ada Amir Anna Bob Chloe Dana Dieter Elena Emre Fatima Grace Hugo Ines Ivan Jana Kofi Lars Lea Lin Maria Mei Nadia
    Noah Olga Omar Pia Priya Raj Rosa Sam Sofia Tariq Theo Uma Vera Wei Yara Yusuf Zoe
"""
_LAST: Final = """
    Abbott Adeyemi Bauer Becker Berg Brandt Chen Costa Diaz Duarte Fischer Garcia Haddad Hartley Ivanova Jansen Khan
    Kim Kowalski Larsen Lindqvist Meyer Moreau Nair Novak Okafor Osei Patel Petrov Rossi Sato Silva Singh Tanaka Vogel
    Weber Weiss Wong Young Zhang
"""
_ENVIRONMENTS: Final = (["Production"], ["Production", "Test"], ["Production", "Staging", "Test"])


def desk_file(slug: str) -> DeskFile:
    """The desk file, the same at every call but for the slug."""
    chance = random.Random("people of a crowd")  # noqa: S311
    companies = made_up_words(chance)
    agents = [StaffMember(email=f"agent{n}@crowd.example", name=_name(chance), role="agent") for n in range(AGENTS)]
    lead = StaffMember(email=LEAD, name=_name(chance), role="lead")
    return DeskFile(
        desk=slug,
        name=NAME,
        key="GEN",
        profile="standard",
        calendar=CalendarSection(timezone="Europe/London", holidays=["GB-ENG"]),
        products=["Ledger", "Payroll", "Analytics", "Inventory", "Storefront", "Planner", "Archive", "Gateway"],
        staff=[lead, *agents],
        accounts=[_account(chance, number, next(companies)) for number in range(1, ACCOUNTS + 1)],
    )


def _account(chance: random.Random, number: int, company: str) -> AccountSection:
    key = f"{company}{number}"
    names = dict.fromkeys(_name(chance) for _ in range(chance.randint(*_PEOPLE_IN_ACCOUNT)))
    members = [
        Member(email=f"{name.lower().replace(' ', '.')}@{key}.example", name=name, role="member" if place else "admin")
        for place, name in enumerate(names)
    ]
    legal = chance.choice(("Ltd", "GmbH", "Inc", "AG", "SA"))
    return AccountSection(
        key=key, name=f"{company.capitalize()} {legal}", environments=chance.choice(_ENVIRONMENTS), members=members
    )


def _name(chance: random.Random) -> str:
    return f"{chance.choice(_FIRST.split())} {chance.choice(_LAST.split())}"
