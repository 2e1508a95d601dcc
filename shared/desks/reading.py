"""Reading a desk file: all of its problems at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.desks.document import Document, Place, dotted
from shared.desks.policies import GROUP_FIELDS, POLICY_FIELDS, effective_policy, unusable_values
from shared.desks.problems import DeskFileError, Problem, not_one_of
from shared.desks.repetitions import contradictions, repetitions
from shared.desks.schema import DeskFile, Section
from shared.domain.profiles import PROFILES

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list, as in [first, second]",
    "tuple_type": "a list, as in [first, second]",
    "frozen_set_type": "a list, as in [first, second]",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_SHOWN: dict[type, str] = {dict: "a mapping", list: "a list", type(None): "an empty value"}


def read_desk_file(path: Path) -> DeskFile:
    """Read and check a desk file.

    Raises:
        DeskFileError: it can't be read, or something in it is not allowed; says where and what is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DeskFileError(str(path), [Problem(1, "", f"can't be read: {error.strerror}.")]) from None
    return parse_desk_file(path.name, content)


def parse_desk_file(name: str, content: bytes) -> DeskFile:
    """As ``read_desk_file``, for content at hand.

    Args:
        name: of the file, for messages.
        content: YAML in UTF-8.
    """
    document = Document(name, content)
    problems = [*repetitions(document), *contradictions(document), *_policy_problems(document)]
    try:
        desk_file = DeskFile.model_validate(document.values)
    except ValidationError as error:
        problems += _explain(document, error, ())
        raise DeskFileError(name, problems) from None
    if problems:
        raise DeskFileError(name, problems)
    return desk_file


def _policy_problems(document: Document) -> Iterator[Problem]:
    profile, given = document.values.get("profile") or "standard", document.values.get("policy")
    if not isinstance(given, dict):
        return
    yield from _unknown_policy_keys(document, given)
    known = isinstance(profile, str) and profile in PROFILES
    try:
        own = {name: value for name, value in given.items() if name in POLICY_FIELDS}
        policy = effective_policy(profile if known else "standard", own)
    except ValidationError as error:
        # Whether fields fit each other depends on the profile; whether each is right in itself does not.
        found = _explain(document, error, ("policy",))
        yield from (_at_its_field(document, problem) for problem in found if known or problem.where != "policy")
        return
    for name, what in unusable_values(policy).items():
        yield Problem(document.line(("policy", name)), f"policy.{name}", what)


def _at_its_field(document: Document, problem: Problem) -> Problem:
    """The policy as a whole refuses some values of fields; its sentence then begins with the field."""
    name, _, what = problem.what.partition(": ")
    if problem.where != "policy" or name not in POLICY_FIELDS:
        return problem
    return Problem(document.line(("policy", name)), f"policy.{name}", what)


def _unknown_policy_keys(document: Document, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in given:
        if name not in POLICY_FIELDS:
            yield _unknown_key(document, ("policy", name), POLICY_FIELDS)
    groups = given.get("status_groups")
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        for name in group if isinstance(group, dict) else ():
            if name not in GROUP_FIELDS:
                yield _unknown_key(document, ("policy", "status_groups", index, name), GROUP_FIELDS)


def _explain(document: Document, error: ValidationError, within: Place) -> Iterator[Problem]:
    """Say each problem once: a value that may be of several types has an error for each of them."""
    by_place: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for details in error.errors():
        place = (*within, *details["loc"])
        by_place.setdefault(place if details["type"] == "missing" else document.existing(place), []).append(details)
    for place, several in by_place.items():
        if several[0]["type"] == "extra_forbidden":
            yield _unknown_key(document, place, _keys_allowed_in(place[:-1]))
        else:
            yield Problem(document.line(place), dotted(place), _sentence(several))


def _unknown_key(document: Document, place: Place, allowed: Sequence[str]) -> Problem:
    return Problem(document.line(place), dotted(place[:-1]), f"unknown key: {not_one_of(str(place[-1]), allowed)}")


def _keys_allowed_in(place: Place) -> Sequence[str]:
    section: type[BaseModel] = DeskFile
    for key in place:
        if isinstance(key, str):
            annotation = section.model_fields[key].annotation
            section = next(kind for kind in (annotation, *get_args(annotation)) if _is_section(kind))
    return tuple(section.model_fields)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _sentence(several: Sequence[ErrorDetails]) -> str:
    first = several[0]
    value, kind = first["input"], first["type"]
    if kind == "missing":
        return "is missing."
    if kind == "too_short":
        return "give at least one."
    if kind == "value_error":
        text = str(first["ctx"]["error"])
        return text if text.endswith((".", "?")) else f"{text}."
    if kind == "enum" and isinstance(value, str):
        return not_one_of(value, re.findall(r"'([^']*)'", first["ctx"]["expected"]))
    shown = f"«{value}»" if isinstance(value, str) else _SHOWN.get(type(value), str(value))
    return f"{shown} does not fit; give {' or '.join(dict.fromkeys(map(_expected, several)))}."


def _expected(details: ErrorDetails) -> str:
    if details["type"] in {"enum", "literal_error"}:
        return str(details["ctx"]["expected"]).replace("'", "")
    return _EXPECTED.get(details["type"], details["msg"])
