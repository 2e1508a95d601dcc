"""A YAML file as plain values that remember their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from shared.desks.problems import DeskFileError, Problem

MAX_BYTES = 5_000_000
"""Enough for tens of thousands of people."""

Place = Sequence[int | str]
"""Where a value stands: keys and positions from the top, as in ``("staff", 0, "role")``."""


def dotted(place: Place) -> str:
    """A place as people write it, without positions in lists: the line says which entry is meant."""
    return ".".join(part for part in place if isinstance(part, str))


class _Loader(yaml.SafeLoader):
    """Reads every scalar but null as text: here NO is Norway, 2026-12-24 a day by name and +44 20 a phone number."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (as its base has it)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(null|~|)\Z"), ["n", "~", ""])


class Document:
    """A parsed file.

    Args:
        file: its name, for messages.
        content: YAML in UTF-8.

    Raises:
        DeskFileError: not YAML, not one mapping, or a key given twice.
    """

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        if len(content) > MAX_BYTES:
            raise self._refuse(Problem(1, "", f"has {len(content):,} bytes; a desk file has {MAX_BYTES:,} at most."))
        try:
            loader = _Loader(content)
            self._root: Any = loader.get_single_node()
            self.values: Any = loader.construct_document(self._root) if self._root else None
        except yaml.MarkedYAMLError as error:
            raise self._refuse(_explained(error)) from None
        except yaml.reader.ReaderError as error:
            line = content[: error.position].count(b"\n") + 1
            raise self._refuse(Problem(line, "", "not text in UTF-8: save the file in that encoding.")) from None
        except RecursionError:
            raise self._refuse(Problem(1, "", "not a desk file: lists within lists without end.")) from None
        if not isinstance(self.values, dict):
            raise self._refuse(Problem(1, "", "a desk file is a mapping that begins with «desk: SLUG»."))
        if twice := list(_repeated_keys(self._root, set())):
            raise self._refuse(*twice)

    def line(self, place: Place) -> int:
        """The line of a value, or of what would hold it if it is not there."""
        node, line = self._root, self._root.start_mark.line
        for part in place:
            found = _step(node, part)
            if found is None:
                break
            node, line = found
        return int(line) + 1

    def existing(self, place: Place) -> tuple[int | str, ...]:
        """The longest beginning of a place that is in the file."""
        node, found = self._root, []
        for part in place:
            step = _step(node, part)
            if step is None:
                break
            node = step[0]
            found.append(part)
        return tuple(found)

    def _refuse(self, *problems: Problem) -> DeskFileError:
        return DeskFileError(self.file, problems)


def _explained(error: yaml.MarkedYAMLError) -> Problem:
    """What is wrong, and for the usual slips what to do."""
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    if begun and error.context == "while scanning a simple key":
        return Problem(
            begun.line + 1, "", "not valid YAML: a key needs a colon and a space after it, as in «name: Desk»."
        )
    what = ", ".join(filter(None, (error.context, error.problem)))
    if begun and mark and begun.line != mark.line:
        what += f"; it begins on line {begun.line + 1}"
    if "'\\t'" in what:
        what += "; indent with spaces, not with tabs"
    return Problem(mark.line + 1 if mark else 1, "", f"not valid YAML: {what}.")


def _step(node: Any, part: int | str) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line
    return None


def _repeated_keys(node: Any, seen: set[int]) -> Iterator[Problem]:
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    keys: dict[str, int] = {}
    for entry in node.value:
        if isinstance(node, yaml.SequenceNode):
            yield from _repeated_keys(entry, seen)
            continue
        key, value = entry
        line = key.start_mark.line + 1
        if key.value in keys:
            yield Problem(line, str(key.value), f"given twice; it is already on line {keys[key.value]}.")
        keys.setdefault(key.value, line)
        yield from _repeated_keys(value, seen)
