"""What stands for something else in a canned reply, and what it stands for on a case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from services.api.callers import Caller
from services.api.cases.schemas import CaseOut

PLACEHOLDERS: Final[Mapping[str, Callable[[CaseOut, Caller], str]]] = {
    "customer": lambda case, _: _customer(case),
    "number": lambda case, _: case.key,
    "subject": lambda case, _: case.subject,
    "agent": lambda _, caller: caller.name,
    "desk": lambda _, caller: caller.desk.name,
}
"""By name, as in ``{customer}``: from a case and who answers it."""
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def unknown_placeholders(text: str) -> list[str]:
    """What looks like a placeholder and is none; it would be sent as it stands."""
    return [found[0] for found in _PLACEHOLDER.finditer(text) if found[1] not in PLACEHOLDERS]


def fill(text: str, case: CaseOut, caller: Caller) -> str:
    """The text with its placeholders filled.

    Args:
        text: of a canned reply.
        case: that it is to answer.
        caller: who answers.
    """
    return _PLACEHOLDER.sub(lambda found: _filled(found, case, caller), text)


def _filled(found: re.Match[str], case: CaseOut, caller: Caller) -> str:
    value = PLACEHOLDERS.get(found[1])
    return value(case, caller) if value else found[0]


def _customer(case: CaseOut) -> str:
    address = case.contact or case.reporter
    return case.people.get(address, address)
