"""`docs/lifecycle.md` and `docs/refusals.md` say what the machine does."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from shared.domain.lifecycle import Action
from shared.domain.refusals import RefusalCode

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["lifecycle", "refusals"])
def test_page_is_current(page: str) -> None:
    generator = runpy.run_path(str(DOCS / f"generate_{page}.py"))

    written = (DOCS / f"{page}.md").read_text(encoding="utf-8")

    assert written == generator[f"{page}_page"](), f"run: python docs/generate_{page}.py"


def test_every_code_and_every_action_is_shown() -> None:
    refusals = (DOCS / "refusals.md").read_text(encoding="utf-8")
    lifecycle = (DOCS / "lifecycle.md").read_text(encoding="utf-8")

    assert all(f"| `{code}` |" in refusals for code in RefusalCode)
    beside = {Action.NOTE: "`internal`", Action.ASK: "`await_reply`", Action.SOLVE: "`solve`", Action.ELAPSE: "(the"}
    assert all(f"| {beside[a]}" in lifecycle or beside.get(a, f"`{a}`") in lifecycle for a in beside)
    assert all(f"| `{action}` |" in lifecycle for action in set(Action) - set(beside))
