"""Write ``docs/settings.md`` from the fields of ``Settings`` and the docstrings below them."""

from __future__ import annotations

import ast
import inspect
import itertools
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

_HEAD = """\
# Settings

Written by `python docs/generate_settings.py` from `shared/settings.py`; edit the meaning of a setting there.

Every service and every command reads these from the environment. A running embedded stack (`casebound up`) writes its
own to `DATA_DIR/stack.env`, which every command given the same data directory reads as well; the environment wins.
OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, …) keep their standard meaning,
and an S3 object store takes its key, region and endpoint from `AWS_*`.

| environment variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """Return the whole page.

    Raises:
        LookupError: a setting has no docstring, and so no meaning to print.
    """
    meanings = _docstrings(Settings)
    if missing := [name for name in Settings.model_fields if name not in meanings]:
        raise LookupError(f"write a docstring below each of these settings in shared/settings.py: {', '.join(missing)}")
    prefix = Settings.model_config.get("env_prefix", "")
    rows = (
        f"| `{(prefix + name).upper()}` | {_default(field)} | {meanings[name]} |\n"
        for name, field in Settings.model_fields.items()
    )
    return _HEAD + "".join(rows)


def _docstrings(cls: type) -> dict[str, str]:
    """Each attribute's docstring on one line, as Markdown."""
    body = next(node.body for node in ast.parse(inspect.getsource(cls)).body if isinstance(node, ast.ClassDef))
    return {
        attribute.target.id: " ".join(text.value.value.split()).replace("``", "`").replace("|", r"\|")
        for attribute, text in itertools.pairwise(body)
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
