"""Events that link two cases: they tell of the other one only those who see it, in the activity and live alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.api.callers import Caller
from services.api.cases.records import unseen
from shared.db.viewed import Sight, ViewedDatabase

_OTHER_CASE: Final[Mapping[str, str]] = {"followed_up": "number", "opened": "follow_up_of"}
"""Kinds of events that name another case, and the field in which they do."""
_NOTHING_ELSE: Final = frozenset({"followed_up"})
"""Those of them that tell nothing besides: for who does not see the other case, nothing has happened."""

Told = tuple[str, dict[str, Any]]
"""An event's kind, and its fields as they go out."""


def other_case(told: Told) -> int | None:
    """The case, besides its own, that an event names."""
    kind, fields = told
    return fields.get(_OTHER_CASE[kind]) if kind in _OTHER_CASE else None


async def with_links_in_sight(session: Sight, caller: Caller, told: Sequence[Told]) -> list[dict[str, Any]]:
    """The fields of those events that the caller may be told of, with no links to cases that they may not see."""
    hidden = await unseen(session, caller, map(other_case, told))
    return [
        fields | {_OTHER_CASE[kind]: None} if other_case((kind, fields)) in hidden else fields
        for kind, fields in told
        if kind not in _NOTHING_ELSE or other_case((kind, fields)) not in hidden
    ]


async def told_live(database: ViewedDatabase, caller: Caller, told: Told) -> dict[str, Any] | None:
    """The same for one event at a time; None if the caller is not to be told of it. Few need the database."""
    if not caller.is_customer or other_case(told) is None:
        return told[1]
    async with database.read_as(caller.eyes) as session:
        return next(iter(await with_links_in_sight(session, caller, [told])), None)
