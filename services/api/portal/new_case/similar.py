"""Open cases that are like the one that somebody is about to open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from services.api.cases.filters import ListQuery
from services.api.cases.finding import as_search, ask_search
from services.api.cases.records import find_cases, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import CaseOut
from services.api.portal.pages import DeskPage
from shared.contracts.search import SearchAnswer
from shared.domain.case import Status

MOST: Final = 5
_WORDS_MOST: Final = 6
_WORD: Final = re.compile(r"\w{3,}")
_OF_A_WORD: Final = 50
_ENOUGH: Final = 0.5
"""How much of what the words weigh a case has to have."""
_OPEN: Final = [status.value for status in Status if status is not Status.CLOSED]


async def similar_cases(page: DeskPage, subject: str, account: str) -> Sequence[CaseOut]:
    """Open cases that whoever looks may see, the most similar first; none where no search node answers.

    Args:
        page: of the form.
        subject: as far as it is typed.
        account: key of the one chosen; empty: all that they see.
    """
    words = _words(subject)
    if not words:
        return []
    context, caller = page.context, page.caller
    filters = page.least_filters | {"status": _OPEN} | ({"account": [account]} if account else {})
    query = await as_search(context, caller, ListQuery.model_validate(filters), None)
    found = await asyncio.gather(
        *(
            ask_search(context.nats, query.model_copy(update={"q": word, "page_size": _OF_A_WORD, "sort": "relevance"}))
            for word in words
        )
    )
    numbers = ranked([answer for answer in found if answer is not None])[:MOST]
    if not numbers:
        return []
    async with context.database.read_as(caller.eyes) as session:
        records = await find_cases(session, caller, numbers)
        names = await names_of(session, caller, [record.state for record in records])
    return [represent(caller, record, names) for record in records]


def ranked(found: Sequence[SearchAnswer]) -> list[int]:
    """Numbers of the cases that have enough of the words; a word weighs less the more cases have it.

    Args:
        found: the answer to each word.
    """
    weights = [1 / answer.total**0.5 if answer.total else 0.0 for answer in found]
    scores: dict[int, float] = {}
    for answer, weight in zip(found, weights, strict=True):
        for number in answer.numbers:
            scores[number] = scores.get(number, 0.0) + weight
    enough = _ENOUGH * sum(weights)
    best = sorted(scores.items(), key=lambda each: (-each[1], -each[0]))
    return [number for number, score in best if score >= enough]


def _words(subject: str) -> list[str]:
    distinct = dict.fromkeys(word.lower() for word in _WORD.findall(subject[:300]))
    return sorted(distinct, key=len, reverse=True)[:_WORDS_MOST]
