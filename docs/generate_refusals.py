"""Write ``docs/refusals.md`` from the codes of ``shared/domain/refusals.py`` and the docstrings below them."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from pathlib import Path

from shared.domain.refusals import RefusalCode

PAGE = Path(__file__).with_name("refusals.md")

_HEAD = """\
# Refusals

Written by `python docs/generate_refusals.py` from `shared/domain/refusals.py`; edit the meaning of a code there.

A command that can't be carried out is answered with one of these codes and changes nothing: over HTTP as `code` in
`application/problem+json`, from the update `execute` and over NATS as `code` in the outcome, and after a signal as an
event `command_rejected`. The `detail` beside it says in words what is wrong with this very command.

| code | means | what to do |
|---|---|---|
"""


def refusals_page() -> str:
    """Return the whole page.

    Raises:
        LookupError: a code has no docstring, or one without the arrow between its meaning and what to do.
    """
    meanings = _meanings()
    if missing := [code.name for code in RefusalCode if len(meanings.get(code.name, [])) != 2]:
        raise LookupError(f"write «what it means → what to do» below each of these codes: {', '.join(missing)}")
    return _HEAD + "".join(f"| `{code}` | {' | '.join(meanings[code.name])} |\n" for code in RefusalCode)


def _meanings() -> dict[str, list[str]]:
    source = ast.parse(inspect.getsource(RefusalCode))
    body = next(node for node in source.body if isinstance(node, ast.ClassDef)).body
    return {
        member.targets[0].id: text.value.value.split(" → ")
        for member, text in pairwise(body)
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


if __name__ == "__main__":
    PAGE.write_text(refusals_page(), encoding="utf-8")
