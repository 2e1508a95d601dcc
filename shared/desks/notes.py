"""What an operator should know besides the changes: lines that begin with ``=``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.models import Case, Desk
from shared.domain.case import Status

_CHOSEN_FROM = {"products": Case.product, "case_types": Case.type, "severities": Case.severity}


def cases_that(count: int, verb: str) -> str:
    """As in ``1 case keeps`` and ``2 cases keep``, from ``keep``."""
    return f"1 case {verb}s" if count == 1 else f"{count} cases {verb}"


async def same_key(session: AsyncSession, desk: Desk) -> list[str]:
    """A new desk with the key of another may have been meant to be that one under a new slug."""
    slug = await session.scalar(
        select(Desk.slug).where(Desk.key == desk.key, Desk.id != desk.id).order_by(Desk.slug).limit(1)
    )
    if slug is None:
        return []
    return [
        f"= {slug} has the key {desk.key} too. A slug can't be changed: if this was to be {slug} under another name, "
        f"change its `name` and leave `desk: {slug}`"
    ]


async def consequences(session: AsyncSession, desk: Desk, new: Mapping[str, Any]) -> list[str]:
    """What changes of a desk's own values mean for the cases that it has.

    Args:
        session: for looking at them.
        desk: as it is.
        new: values that it will have.
    """
    lines = []
    for name, column in _CHOSEN_FROM.items():
        gone = [value for value in getattr(desk, name) if value not in new[name]]
        for value, count in await _counted(session, desk, column, gone):
            lines.append(f"= {cases_that(count, 'keep')} «{value}», which new cases can't have any more")
    before = desk.severities
    stale = ["keys"] if desk.key != new["key"] else []
    stale += ["order of severities"] if before != new["severities"][: len(before)] else []
    if stale and await _has_cases(session, desk.id):
        lines.append(f"= the search has the old {' and '.join(stale)} until `{_reindexing(desk.slug)}` is run")
    if desk.key != new["key"]:
        lines.append(
            f"= cases are shown as {new['key']}-1 from now on; {desk.key}-1 in links and mails still leads to them"
        )
    return lines


async def renamed_people(session: AsyncSession, desk_id: int, slug: str) -> list[str]:
    """What it means for a desk's cases that somebody has another name."""
    if not await _has_cases(session, desk_id):
        return []
    return [f"= the search finds people by their old names until `{_reindexing(slug)}` is run"]


async def pinned_policies(session: AsyncSession, desk: Desk) -> list[str]:
    """How many cases a new policy does not concern."""
    unclosed = select(func.count()).where(Case.desk_id == desk.id, Case.status != Status.CLOSED)
    count = await session.scalar(unclosed) or 0
    return [f"= {cases_that(count, 'keep')} the policy of the day of opening"] if count else []


async def _has_cases(session: AsyncSession, desk_id: int) -> bool:
    return await session.scalar(select(Case.id).where(Case.desk_id == desk_id).limit(1)) is not None


def _reindexing(desk: str) -> str:
    return f"casebound reindex --desk {desk}"


async def _counted(session: AsyncSession, desk: Desk, column: Any, values: list[str]) -> list[tuple[str, int]]:
    if not values:
        return []
    counting = select(column, func.count()).where(Case.desk_id == desk.id, column.in_(values))
    return [(value, count) for value, count in await session.execute(counting.group_by(column).order_by(column))]
