"""Taking and assigning several cases at once: each is a request of its own to the function behind the REST route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.api.actions.endpoints import assign, take
from services.api.actions.schemas import Assign
from services.api.commands import Asking
from services.api.portal.forms import Form, accepted
from services.api.portal.pages import DeskPage
from services.api.problems import FieldError, Problem, invalid

TAKE: Final = "take"
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class HandedOut:
    """Cases that were handed out, each with the seq of its change; and of the others why they were not."""

    done: dict[int, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def seq(self) -> int | None:
        """Of the last change."""
        return next(reversed(self.done.values()), None)


async def hand_out(page: DeskPage, form: Form) -> HandedOut:
    """Do what the form says to all cases it names.

    Args:
        page: that it was sent from.
        form: with ``number``s, ``do`` and ``assignee``; ``do`` may name the one case that it is for.

    Returns:
        What became of it.

    Raises:
        Problem: 422 for a form that names none, or too many; 503, part of it possibly done.
    """
    what, _, only = form.text("do").partition(" ")
    named = [only] if only else form.all("number")
    numbers = list(dict.fromkeys(int(number) for number in named if number.isdecimal()))
    if not 0 < len(numbers) <= _MOST:
        message = "Choose a case first." if not numbers else f"At most {_MOST} cases can be handed out at once."
        raise invalid(FieldError(field="number", message=message))
    out = HandedOut()
    for number in numbers:
        try:
            case = await _one(_for_case(form.asking(page), number), number, what, form)
            out.done[number] = int(str(case["seq"]))
        except Problem as problem:
            if problem.status >= 500:
                raise
            out.refused[number] = problem.detail
    return out


def told(page: DeskPage, form: Form, out: HandedOut, staff: Mapping[str, str]) -> str:
    """What to say of it.

    Args:
        page: that it was sent from.
        form: that said what to do.
        out: what became of it.
        staff: names by address.
    """
    parts, count = [], len(out.done)
    if count:
        which = page.caller.desk.case_key(next(iter(out.done))) if count == 1 else f"{count} cases"
        are = "is" if count == 1 else "are"
        to = form.text("assignee")
        if form.text("do").startswith(TAKE) or to == page.caller.email:
            parts.append(f"{which} {are} yours.")
        else:
            parts.append(f"{which} {are} assigned to {staff.get(to, to) or 'nobody'}.")
    parts += [f"{page.caller.desk.case_key(number)}: {why}" for number, why in out.refused.items()]
    return " ".join(parts)


async def _one(asking: Asking, number: int, what: str, form: Form) -> dict[str, object]:
    if what == TAKE:
        return accepted(await take(str(number), asking))
    return accepted(await assign(str(number), Assign(assignee=form.text("assignee") or None), asking))


def _for_case(asking: Asking, number: int) -> Asking:
    """The same request for one of its cases: its key is its own."""
    key = asking.once.key
    return replace(asking, once=replace(asking.once, key=f"{key}:{number}" if key else None))
