"""What a desk file says twice, or in two ways. Reads values that may be wrong otherwise: all is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.desks.document import Document, Place, dotted
from shared.desks.problems import Problem

_EACH = "*"

_UNIQUE: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("products",), None),
    (("case_types",), None),
    (("severities",), None),
    (("calendar", "workdays"), None),
    (("calendar", "holidays"), None),
    (("staff",), "email"),
    (("accounts",), "key"),
    (("accounts", _EACH, "environments"), None),
    (("accounts", _EACH, "members"), "email"),
    (("contacts",), "label"),
    (("services",), "name"),
    (("services", _EACH, "scopes"), None),
    (("webhooks",), "url"),
    (("webhooks", _EACH, "events"), None),
)
"""Lists whose entries differ from each other, as a whole or in one key."""


def repetitions(document: Document) -> Iterator[Problem]:
    """Everything that stands twice in one list."""
    for path, key in _UNIQUE:
        for place, entries in _lists(document.values, path, ()):
            seen: dict[str, int] = {}
            for index, entry in enumerate(entries):
                value = entry.get(key) if key and isinstance(entry, dict) else entry
                if not isinstance(value, str):
                    continue
                where = (*place, index, *([key] if key else []))
                line = document.line(where)
                if value.lower() in seen:
                    yield Problem(line, dotted(where), f"«{value}» is there already, on line {seen[value.lower()]}.")
                seen.setdefault(value.lower(), line)


def contradictions(document: Document) -> Iterator[Problem]:
    """People who have one name or phone number here and another there: which of them holds would be chance."""
    known: dict[tuple[str, str], tuple[str, int]] = {}
    for path in (("staff",), ("accounts", _EACH, "members")):
        for place, people in _lists(document.values, path, ()):
            for index, person in enumerate(people):
                yield from _contradiction(document, (*place, index), person, known)


def _contradiction(
    document: Document, place: Place, person: Any, known: dict[tuple[str, str], tuple[str, int]]
) -> Iterator[Problem]:
    email = person.get("email") if isinstance(person, dict) else None
    for key in ("name", "phone"):
        value = person.get(key) if isinstance(email, str) else None
        if not isinstance(email, str) or not isinstance(value, str):
            continue
        where = (*place, key)
        before, line = known.setdefault((email.lower(), key), (value, document.line(where)))
        if before != value:
            what = f"{email} has the {key} «{value}» here and «{before}» on line {line}; give the same."
            yield Problem(document.line(where), dotted(where), what)


def _lists(value: Any, path: Place, place: Place) -> Iterator[tuple[Place, list[Any]]]:
    if not path:
        if isinstance(value, list):
            yield place, value
        return
    head, *rest = path
    if head == _EACH and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _lists(entry, rest, (*place, index))
    elif isinstance(value, dict) and head in value:
        yield from _lists(value[head], rest, (*place, head))
