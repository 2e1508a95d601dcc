"""What is wrong with a desk file: a line, a place, a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing to put right.

    Args:
        line: of the file, from 1.
        where: the key, as in ``staff.role``; empty for the file as a whole.
        what: a sentence that says what is wrong and what is allowed.
    """

    line: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where + ': ' if self.where else ''}{self.what}"


class DeskFileError(ValueError):
    """A desk file that can't be applied; nothing was changed. The message lists every problem with its line."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = [f"{file} has {count}, so nothing was changed:", *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


def not_one_of(value: str, allowed: Sequence[str]) -> str:
    """Say that a value is none of those allowed, which they are, and which comes close."""
    close = get_close_matches(value.lower(), allowed, n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    return f"«{value}» is not allowed{hint} Allowed: {', '.join(allowed)}."
