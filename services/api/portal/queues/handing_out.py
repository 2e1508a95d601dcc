"""Taking and assigning several cases at once: each is a request of its own to the function behind the REST route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.api.actions.endpoints import assign, take
from services.api.actions.schemas import Assign
from services.api.commands import Asking
from services.api.portal.forms import Form, accepted
from services.api.portal.pages import DeskPage
from services.api.problems import FieldError, Problem, invalid

TAKE: Final = "take"
_MOST: Final = 100


async def hand_out(page: DeskPage, form: Form) -> tuple[list[int], dict[int, str]]:
    """Do what the form says to all cases it names.

    Args:
        page: that it was sent from.
        form: with ``number``s, ``do`` and ``assignee``; ``do`` may name the one case that it is for.

    Returns:
        The cases to which it was done; and of the others why it was not.

    Raises:
        Problem: 422 for a form that names none, or too many; 503, part of it possibly done.
    """
    what, _, only = form.text("do").partition(" ")
    named = [only] if only else form.all("number")
    numbers = list(dict.fromkeys(int(number) for number in named if number.isdecimal()))
    if not 0 < len(numbers) <= _MOST:
        message = "Choose a case first." if not numbers else f"At most {_MOST} cases can be handed out at once."
        raise invalid(FieldError(field="number", message=message))
    done, refused = [], {}
    for number in numbers:
        try:
            await _one(_for_case(form.asking(page), number), number, what, form)
            done.append(number)
        except Problem as problem:
            if problem.status >= 500:
                raise
            refused[number] = problem.detail
    return done, refused


def told(page: DeskPage, form: Form, done: Sequence[int], refused: dict[int, str]) -> str:
    """What to say of it."""
    parts = []
    if done:
        which = page.caller.desk.case_key(done[0]) if len(done) == 1 else f"{len(done)} cases"
        are = "is" if len(done) == 1 else "are"
        if form.text("do").startswith(TAKE) or form.text("assignee") == page.caller.email:
            parts.append(f"{which} {are} yours.")
        else:
            parts.append(f"{which} {are} assigned to {form.text('assignee') or 'nobody'}.")
    parts += [f"{page.caller.desk.case_key(number)}: {why}" for number, why in refused.items()]
    return " ".join(parts)


async def _one(asking: Asking, number: int, what: str, form: Form) -> None:
    if what == TAKE:
        accepted(await take(str(number), asking))
    else:
        accepted(await assign(str(number), Assign(assignee=form.text("assignee") or None), asking))


def _for_case(asking: Asking, number: int) -> Asking:
    """The same request for one of its cases: its key is its own."""
    key = asking.once.key
    return replace(asking, once=replace(asking.once, key=f"{key}:{number}" if key else None))
