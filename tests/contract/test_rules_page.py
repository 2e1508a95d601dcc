"""Every rule of the desks has a test, and `docs/rules.md` says which."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_every_rule_has_a_test_and_every_test_names_a_rule() -> None:
    assert runpy.run_path(str(DOCS / "generate_rules.py"))["unproved"]() == []


def test_the_page_is_current() -> None:
    written = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "generate_rules.py"))["rules_page"](), (
        "run: python docs/generate_rules.py"
    )
