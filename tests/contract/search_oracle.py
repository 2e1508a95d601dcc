"""What a search must find, worked out the slow way, and random cases and queries to try it on."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.search.index import CaseDocument
from shared.contracts.search import FACETS, Filters, SearchQuery, Span, Viewer

STATUSES = ("new", "open", "awaiting_customer", "escalated", "resolved", "closed")
SEVERITIES = ("Critical", "High", "Medium", "Low")
IMPACTS = ("High", "Medium", "Low")
PRODUCTS = ("ERP", "analytics", "Über-Portal", None)
TYPES = ("Question", "Incident", None)
DESKS = {"connect": "CON", "portal": "POR"}
ACCOUNTS = ("acme", "globex", "initech", None)
CUSTOMERS = tuple(f"{name}@{place}.example" for name in ("bob", "eve", "zoë") for place in ("acme", "globex"))
AGENTS = ("ada@vendor.example", "max@vendor.example")
NAMES = {"bob@acme.example": "Bob Müller", "eve@globex.example": "Ève Ångström"}
VOCABULARY = [
    *("the", "a", "to", "printer", "print", "prints", "printing", "naïve", "café", "CAFÉ", "résumé", "Ångström"),
    *("Straße", "invoice", "12", "1", "120", "ORA-00600", "e-mail", "not", "AND", "or", "NEAR", "title:printer"),
    *("under_score", "don't", "Ünïcödé", "日本語", "x²", "con", "con-7", "secret"),
]
_EARLIEST = datetime(2026, 1, 5, 8, tzinfo=UTC)


def random_cases(rng: random.Random, count: int) -> list[CaseDocument]:
    """Cases on two desks, few distinct values, many ties."""
    numbers = Counter[str]()
    cases = []
    for _ in range(count):
        desk = rng.choice(tuple(DESKS))
        numbers[desk] += 1
        people = list(dict.fromkeys(rng.choices(CUSTOMERS, k=rng.randint(1, 3))))
        severity, impact = rng.choice((*SEVERITIES, None)), rng.choice((*IMPACTS, None))
        created = _EARLIEST + timedelta(seconds=rng.randrange(40))
        cases.append(
            CaseDocument(
                id=str(UUID(int=rng.getrandbits(128), version=4)),
                desk=desk,
                key=DESKS[desk],
                number=numbers[desk],
                seq=1,
                subject=some_words(rng, 1, 4),
                text=some_words(rng, 2, 8),
                internal=some_words(rng, 1, 3) if rng.random() < 0.4 else "",
                people=people,
                names=[NAMES[address] for address in people if address in NAMES],
                internal_reference=rng.choice((None, "REF-77", "PO 4500")),
                status=rng.choice(STATUSES),
                product=rng.choice(PRODUCTS),
                type=rng.choice(TYPES),
                severity=severity,
                severity_rank=SEVERITIES.index(severity) if severity else None,
                impact=impact,
                impact_rank=IMPACTS.index(impact) if impact else None,
                account=rng.choice(ACCOUNTS),
                assignee=rng.choice((*AGENTS, None)),
                created_at=created,
                updated_at=created + timedelta(minutes=rng.randrange(40)),
                recorded_at=None,
                due_at=rng.choice((None, _EARLIEST + timedelta(milliseconds=rng.randrange(20)))),
            )
        )
    return cases


def some_words(rng: random.Random, least: int, most: int) -> str:
    return " ".join(rng.choices(VOCABULARY, k=rng.randint(least, most)))


def random_query(rng: random.Random, **fixed: object) -> SearchQuery:
    """A query through the eyes of anybody, with or without words and filters."""
    values = {
        "status": STATUSES,
        "product": ("ERP", "analytics", "Über-Portal", "gone"),
        "type": ("Question", "Incident"),
        "severity": SEVERITIES,
        "impact": IMPACTS,
        "account": ("acme", "globex", "initech"),
        "assignee": (*AGENTS, "none", "ADA@vendor.example"),
    }
    filters = {name: rng.sample(some, rng.randint(1, 2)) for name, some in values.items() if rng.random() < 0.15}
    drawn: dict[str, object] = {
        "desk": rng.choice(tuple(DESKS)),
        "viewer": random_viewer(rng),
        "q": _random_words(rng),
        "filters": Filters(
            mine=rng.random() < 0.15, due=_random_span(rng), within=_random_within(rng, values), **filters
        ),
        "sort": rng.choice(("", "-")) + rng.choice(SORTS),
        "page": rng.choice((1, 1, 2, 3)),
        "page_size": rng.choice((1, 7, 25, 100)),
    }
    return SearchQuery.model_validate(drawn | fixed)


def _random_within(rng: random.Random, values: dict[str, tuple[str, ...]]) -> Filters | None:
    if rng.random() < 0.9:
        return None
    return Filters(status=rng.sample(STATUSES, 3), assignee=rng.sample(values["assignee"], 2), mine=rng.random() < 0.5)


def _random_span(rng: random.Random) -> Span | None:
    if rng.random() < 0.8:
        return None
    start, end = sorted(_EARLIEST + timedelta(milliseconds=rng.randrange(22)) for _ in range(2))
    return Span(start=rng.choice((None, start)), end=end)


SORTS = ("updated_at", "created_at", "number", "subject", "status", "severity", "impact", "product")


def random_viewer(rng: random.Random) -> Viewer:
    if rng.random() < 0.5:
        return Viewer(staff=True, email=rng.choice(AGENTS))
    accounts = rng.sample(("acme", "globex", "initech"), rng.choice((0, 0, 1, 2)))
    return Viewer(email=rng.choice((*CUSTOMERS, "BOB@acme.example", "stranger@acme.example", None)), accounts=accounts)


def _random_words(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return ""
    words = [*VOCABULARY, "bob", "muller", "eve", "ref", "4500", "CON-1", "#7", '"printer"', "por-2", "example", "---"]
    chosen = rng.choices(words, k=rng.choice((1, 1, 1, 2, 2, 3)))
    if rng.random() < 0.5:
        chosen[-1] = chosen[-1][: rng.randint(1, len(chosen[-1]))]
    return " ".join(chosen)


def matches(cases: Iterable[CaseDocument], query: SearchQuery) -> list[CaseDocument]:
    """Every case that the query finds, in its order."""
    found = [case for case in cases if case.desk == query.desk and _seen(case, query.viewer)]
    found = [case for case in found if _passes(case, query.filters, query.viewer) and _has_words(case, query)]
    return _ordered(found, query.sort)


def facets(cases: Sequence[CaseDocument], query: SearchQuery) -> dict[str, dict[str, int]]:
    """How many of the cases that pass through all other filters have which value."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    found = matches(cases, query)
    for name in FACETS:
        wider = query.model_copy(update={"filters": query.filters.model_copy(update={name: []})})
        for case in matches(cases, wider) if getattr(query.filters, name) else found:
            value = getattr(case, name) or ("none" if name == "assignee" else None)
            if value:
                counts[name][value] += 1
    return {name: dict(count) for name, count in counts.items()}


def page(found: Sequence[CaseDocument], query: SearchQuery) -> list[int]:
    start = (query.page - 1) * query.page_size
    return [case.number for case in found[start : start + query.page_size]]


def _seen(case: CaseDocument, viewer: Viewer) -> bool:
    own = viewer.email is not None and viewer.email.lower() in case.people
    return viewer.staff or own or case.account in viewer.accounts


def _passes(case: CaseDocument, filters: Filters, viewer: Viewer) -> bool:
    for name in FACETS:
        wanted = getattr(filters, name)
        if name == "assignee":
            wanted = [value.lower() for value in wanted]
        value = getattr(case, name) or ("none" if name == "assignee" else None)
        if wanted and value not in wanted:
            return False
    email = (viewer.email or "").lower()
    if filters.mine and not (email and (email in case.people or email == case.assignee)):
        return False
    if filters.due and not _during(case.due_at, filters.due):
        return False
    return filters.within is None or _passes(case, filters.within, viewer)


def _during(moment: datetime | None, span: Span) -> bool:
    return moment is not None and (span.start or moment) <= moment < span.end


def _has_words(case: CaseDocument, query: SearchQuery) -> bool:
    texts = [case.subject, case.text, *case.people, *case.names, case.internal_reference or ""]
    words = set(tokens(" ".join([*texts, case.internal] if query.viewer.staff else texts)))
    chunks = [chunk for chunk in query.q.split() if tokens(chunk)]
    for place, chunk in enumerate(chunks):
        last = place == len(chunks) - 1
        *whole, end = tokens(chunk)
        written = all(word in words for word in whole) and (
            any(word.startswith(end) for word in words) if last else end in words
        )
        if not written and not _is_number(case, chunk, last):
            return False
    return True


def _is_number(case: CaseDocument, chunk: str, last: bool) -> bool:
    typed = chunk.strip("#\"'").lower()
    names = (str(case.number), f"{case.key}-{case.number}".lower())
    return typed[-1:].isdigit() and any(name.startswith(typed) if last else name == typed for name in names)


def tokens(text: str) -> list[str]:
    """Runs of letters and digits without case and accents."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
    return re.findall(r"[^\W_]+", plain)


def _ordered(found: list[CaseDocument], sort: str) -> list[CaseDocument]:
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    newest = sorted(found, key=lambda case: -case.number)
    present = [case for case in newest if _sort_value(case, name) is not None]
    missing = [case for case in newest if _sort_value(case, name) is None]
    present.sort(key=lambda case: _sort_value(case, name))
    if descending:
        present.sort(key=lambda case: -case.number)
        present.sort(key=lambda case: _sort_value(case, name), reverse=True)
    return present + missing


def _sort_value(case: CaseDocument, name: str) -> Any:
    match name:
        case "status":
            return STATUSES.index(case.status)
        case "severity":
            return case.severity_rank
        case "impact":
            return case.impact_rank
        case "subject" | "product":
            text: str | None = getattr(case, name)
            letters = unicodedata.normalize("NFKD", text.casefold()) if text is not None else None
            return letters and "".join(each for each in letters if not unicodedata.combining(each))
        case _:
            return getattr(case, name)
