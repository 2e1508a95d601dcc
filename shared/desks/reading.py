"""Reading a desk file: all of its problems at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.desks.document import Document, Place, dotted
from shared.desks.policies import GROUP_FIELDS, NAMES, POLICY_FIELDS, effective_policy, unmet_needs, unusable_values
from shared.desks.problems import DeskFileError, Problem, not_one_of
from shared.desks.repetitions import contradictions, repetitions
from shared.desks.schema import DeskFile, Section
from shared.domain.profiles import PROFILES

_LIST = "a list, as in [first, second] or as lines that begin with «- »"
_EXPECTED = {
    "string_type": "text",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": "a mapping of keys to values",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_ENTRY_TYPES = {"model_type", "dataclass_type", "model_attributes_type"}
_MEANT = {
    "auto_close_after": "a number of business days, 1 to 365, or null for never",
    "reopen_within": "a number of business days, 1 to 365, or unlimited, or null where reopen is no",
    "attachment_max_bytes": "a number of bytes, such as 26214400 for 25 MB",
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
    if problems := problems or list(_unmet(document, desk_file)):
        raise DeskFileError(name, problems)
    return desk_file


def _policy_problems(document: Document) -> Iterator[Problem]:
    profile, given = document.values.get("profile") or "standard", document.values.get("policy")
    if not isinstance(given, dict):
        return
    yield from _unknown_policy_keys(document, given)
    misnamed = {problem.where.removeprefix("policy."): problem for problem in _unknown_names(document, given)}
    yield from misnamed.values()
    known = isinstance(profile, str) and profile in PROFILES
    try:
        own = {name: value for name, value in given.items() if name in POLICY_FIELDS and name not in misnamed}
        policy = effective_policy(profile if known else "standard", own)
    except ValidationError as error:
        # Whether fields fit each other depends on the profile; whether each is right in itself does not.
        found = _explain(document, error, ("policy",))
        yield from (_at_its_field(document, problem) for problem in found if known or problem.where != "policy")
        return
    for name, what in unusable_values(policy):
        yield Problem(document.line(("policy", name)), f"policy.{name}", what)


def _unknown_names(document: Document, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name, allowed in NAMES.items():
        entries = given.get(name)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, str) and entry not in allowed:
                yield Problem(document.line(("policy", name, index)), f"policy.{name}", not_one_of(entry, allowed))


def _unmet(document: Document, desk_file: DeskFile) -> Iterator[Problem]:
    lists = desk_file.model_dump(include={"products", "case_types", "severities"})
    accounts = [(account.key, account.environments) for account in desk_file.accounts]
    for place, what in unmet_needs(effective_policy(desk_file.profile, desk_file.policy), lists, accounts):
        yield Problem(document.line(place), dotted(place), what)


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
            yield Problem(document.line(place), dotted(place), _sentence(place, several))


def _unknown_key(document: Document, place: Place, allowed: Sequence[str]) -> Problem:
    return Problem(document.line(place), dotted(place[:-1]), f"unknown key: {not_one_of(str(place[-1]), allowed)}")


def _keys_allowed_in(place: Place) -> Sequence[str]:
    if place[:1] == ("policy",):
        return GROUP_FIELDS
    section: type[BaseModel] = DeskFile
    for key in place:
        if isinstance(key, str):
            annotation = section.model_fields[key].annotation
            section = next(kind for kind in (annotation, *get_args(annotation)) if _is_section(kind))
    return tuple(section.model_fields)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _sentence(place: Place, several: Sequence[ErrorDetails]) -> str:
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
    if kind in _ENTRY_TYPES:
        return f"{shown} does not fit; give a mapping with {', '.join(_keys_allowed_in(place))}."
    expected = _MEANT.get(str(place[-1])) or " or ".join(dict.fromkeys(map(_expected, several)))
    return f"{shown} does not fit; give {expected}."


def _expected(details: ErrorDetails) -> str:
    if details["type"] in {"enum", "literal_error"}:
        return str(details["ctx"]["expected"]).replace("'", "")
    return _EXPECTED.get(details["type"], details["msg"])
