"""Write ``docs/rules.md``: the rules of ``tests/integration/rules/catalogue.py``, each with the tests that name it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.rules.catalogue import GROUPS, RULES, Rule

PAGE = Path(__file__).with_name("rules.md")
TESTS = Path(__file__).parents[1] / "tests"
OVER_HTTP = TESTS / "integration" / "rules"
IN_THE_BROWSER = TESTS / "portal"

_HEAD = """\
# The rules and their proofs

Written by `python docs/generate_rules.py`: the texts from `tests/integration/rules/catalogue.py`, the proofs from the
tests that carry a rule's name as `@pytest.mark.rule("C1")`. Those over HTTP, in `tests/integration/rules/`, drive the
whole product, the passing of days included; those in the browser, in `tests/portal/`, do what people do on the pages,
each on a window 1280 pixels wide and on one of 390. The policies of the desks are in `shared/domain/profiles.py`; what
each lets people do is in [lifecycle](lifecycle.md).
"""
_GROUP_HEAD = """
## {group}

| rule | what the desk promises | over HTTP | in the browser |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Proof:
    """A test that names a rule.

    Args:
        file: of the test.
        test: its name.
        both_sizes: whether it runs on a wide window and on a narrow one.
    """

    file: Path
    test: str
    both_sizes: bool

    def __str__(self) -> str:
        return f"[{self.test}](../{self.file.relative_to(TESTS.parent)})"


def rules_page() -> str:
    """Return the whole page."""
    over_http, in_the_browser = proofs(OVER_HTTP), proofs(IN_THE_BROWSER)
    return _HEAD + "".join(_group(name, rules, over_http, in_the_browser) for name, rules in GROUPS.items())


def proofs(folder: Path) -> dict[str, list[Proof]]:
    """Names of rules, each with the tests of that folder that name it.

    Raises:
        LookupError: a test names a rule that there is not.
    """
    found: dict[str, list[Proof]] = defaultdict(list)
    for file in sorted(folder.glob("test_*.py")):
        for test in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                both_sizes = "BOTH" in map(ast.unparse, test.decorator_list)
                for name in _rules_of(test):
                    if name not in RULES:
                        raise LookupError(f"{file.name}::{test.name} proves {name!r}, which is no rule")
                    found[name].append(Proof(file, test.name, both_sizes))
    return dict(found)


def unproved() -> list[str]:
    """Rules without a test over HTTP, and those with a screen but without a test in the browser on both windows."""
    over_http, in_the_browser = proofs(OVER_HTTP), proofs(IN_THE_BROWSER)
    unseen = [
        f"{name} in the browser"
        for name, rule in RULES.items()
        if not rule.without_screen and not any(proof.both_sizes for proof in in_the_browser.get(name, []))
    ]
    return [name for name in RULES if name not in over_http] + unseen


def _rules_of(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
            for argument in decorator.args:
                yield str(ast.literal_eval(argument))


def _group(
    group: str, rules: Mapping[str, Rule], over_http: Mapping[str, list[Proof]], seen: Mapping[str, list[Proof]]
) -> str:
    lines = (
        f"| {name} | {rule.text} | {_links(over_http.get(name, []))} | {rule.without_screen or _links(seen[name])} |\n"
        for name, rule in rules.items()
    )
    return _GROUP_HEAD.format(group=group) + "".join(lines)


def _links(tests: list[Proof]) -> str:
    return "<br>".join(map(str, tests))


if __name__ == "__main__":
    PAGE.write_text(rules_page(), encoding="utf-8")
