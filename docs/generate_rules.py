"""Write ``docs/rules.md``: the rules of ``tests/integration/rules/catalogue.py``, each with the tests that name it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.rules.catalogue import GROUPS, RULES, Rule

PAGE = Path(__file__).with_name("rules.md")
TESTS = Path(__file__).parents[1] / "tests" / "integration" / "rules"

_HEAD = """\
# The rules and their proofs

Written by `python docs/generate_rules.py` from `tests/integration/rules/`: the texts from `catalogue.py`, the proofs
from the tests that carry a rule's name as `@pytest.mark.rule("C1")`. Each of them drives the whole product over HTTP,
the passing of days included. The policies of the desks are in `shared/domain/profiles.py`; what each lets people do is
in [lifecycle](lifecycle.md).
"""
_GROUP_HEAD = """
## {group}

| rule | what the desk promises | proved by |
|---|---|---|
"""


def rules_page() -> str:
    """Return the whole page."""
    proofs = proving_tests()
    return _HEAD + "".join(_group(name, rules, proofs) for name, rules in GROUPS.items())


def proving_tests() -> dict[str, list[str]]:
    """Names of rules, each with its tests as ``file::test``.

    Raises:
        LookupError: a test names a rule that there is not, or something other than names.
    """
    proofs: dict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.glob("test_*.py")):
        for test in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                for name in _rules_of(test):
                    if name not in RULES:
                        raise LookupError(f"{file.name}::{test.name} proves {name!r}, which is no rule")
                    proofs[name].append(f"{file.name}::{test.name}")
    return dict(proofs)


def unproved() -> list[str]:
    """Rules without a test."""
    proofs = proving_tests()
    return [name for name in RULES if name not in proofs]


def _rules_of(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
            for argument in decorator.args:
                yield str(ast.literal_eval(argument))


def _group(group: str, rules: Mapping[str, Rule], proofs: Mapping[str, list[str]]) -> str:
    lines = (
        f"| {name} | {rule.text}{_screen(rule)} | {_links(proofs.get(name, []))} |\n" for name, rule in rules.items()
    )
    return _GROUP_HEAD.format(group=group) + "".join(lines)


def _screen(rule: Rule) -> str:
    return f" *To come with the portal: {rule.screen}.*" if rule.screen else ""


def _links(tests: list[str]) -> str:
    return "<br>".join(f"[{test}](../tests/integration/rules/{test.split('::')[0]})" for test in tests)


if __name__ == "__main__":
    PAGE.write_text(rules_page(), encoding="utf-8")
