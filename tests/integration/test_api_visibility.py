"""Who sees what: one rule said three times must say the same."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import insert, select

from services.api.visibility import SEEN, customer_viewer, may_see, seen_by
from shared.contracts.search import Viewer
from shared.db.engine import Database
from shared.db.models import Case
from shared.domain.policy import CustomersSee
from shared.domain.profiles import STANDARD
from shared.settings import Settings
from tests.desks import desk_row

ME, YOU = "me@x.example", "you@x.example"
CASES = [
    {"reporter": reporter, "contact": contact, "cc": cc, "account": account}
    for reporter, contact, cc, account in itertools.product(
        (ME, YOU), (None, ME, YOU), ([], [ME, YOU]), (None, "a", "b")
    )
]


@pytest.mark.parametrize(
    ("see", "whole"),
    [
        (CustomersSee.OWN_AND_CC, []),
        (CustomersSee.ACCOUNT_FOR_ADMINS, ["b"]),
        (CustomersSee.BY_PERMISSION, ["b"]),
        (CustomersSee.ACCOUNT, ["a", "b"]),
    ],
)
def test_the_policy_says_which_accounts_are_seen_as_a_whole(see: CustomersSee, whole: list[str]) -> None:
    viewer = customer_viewer(replace(STANDARD, customers_see=see), ME, {"a": "member", "b": "admin"})
    assert viewer == Viewer(email=ME, accounts=whole)


async def test_sql_sees_what_the_function_sees(postgres: Settings) -> None:
    database = Database(postgres.database_url)
    async with database.write() as session:
        desk = desk_row(f"seen-{uuid.uuid4().hex[:8]}")
        session.add(desk)
        await session.flush()
        now = datetime.now(UTC)
        same = {"desk_id": desk.id, "policy": {}, "policy_version": 1, "state": {}, "description": "", "seq": 1}
        same |= {"status": "new", "subject": "", "created_at": now, "updated_at": now}
        rows = [{**same, **case, "id": uuid.uuid4(), "number": number} for number, case in enumerate(CASES)]
        await session.execute(insert(Case), rows)
    viewers = [
        Viewer(staff=True),
        Viewer(),
        *(Viewer(email=ME, accounts=accounts) for accounts in ([], ["a"], ["a", "b"])),
    ]
    async with database.read() as session:
        for viewer in viewers:
            found = await session.scalars(select(Case.number).where(Case.desk_id == desk.id, SEEN), seen_by(viewer))
            expected = {number for number, case in enumerate(CASES) if may_see(viewer, SimpleNamespace(**case))}
            assert set(found) == expected, viewer
    await database.close()
    assert may_see(Viewer(staff=True), SimpleNamespace(**CASES[-1]))
    assert not may_see(Viewer(), SimpleNamespace(**CASES[0]))
