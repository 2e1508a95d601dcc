"""Forms that pages send: proved to be ours, read by the very schemas of the REST routes, carried out once.

A form holds ``{{ ui.secrets(…) }}``: the session's CSRF token and a key under which it is carried out once. What is
refused comes back as a ``Problem``; ``messages`` makes of it what the page shows beside the fields.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, TypeVar

import orjson
from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from services.api.answers import Answer
from services.api.auth import CSRF_HEADER
from services.api.commands import Asking
from services.api.errors import field_error
from services.api.idempotency import Once
from services.api.portal.pages import DeskPage, PersonPage, PersonPageHere
from services.api.problems import FieldError, Problem, invalid

CSRF_FIELD: Final = "csrf_token"
KEY_FIELD: Final = "idempotency_key"
_OURS: Final = frozenset({CSRF_FIELD, KEY_FIELD})
_KEY_MAX: Final = 64
Model = TypeVar("Model", bound=BaseModel)


class Form(Mapping[str, str]):
    """What was typed and chosen, by the names of the fields; of several values, ``all`` gives the others.

    Args:
        fields: names and values in the order in which they were sent.
    """

    def __init__(self, fields: list[tuple[str, str]] | None = None) -> None:
        self._fields = fields or []

    def __getitem__(self, name: str) -> str:
        for each, value in self._fields:
            if each == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._fields))

    def __len__(self) -> int:
        return len(dict(self._fields))

    def text(self, name: str) -> str:
        """What the field holds; empty if the form has none."""
        return self.get(name, "")

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for each, value in self._fields if each == name]

    def once(self, page: PersonPage) -> Once:
        """What makes this form the same as another: its key, and what it says."""
        digest = hashlib.sha256(f"{page.request.method} {page.request.url.path}".encode())
        for name, value in sorted(self._fields):
            if name not in _OURS:
                digest.update(f"\n{name}={len(value)}:{value}".encode())
        return Once(self.text(KEY_FIELD)[:_KEY_MAX] or None, digest.digest())

    def asking(self, page: DeskPage) -> Asking:
        """The form as a request to change something, as the functions behind the REST routes take it."""
        return Asking(context=page.context, caller=page.caller, once=self.once(page))


def read(model: type[Model], values: Mapping[str, object]) -> Model:
    """Read a REST route's body from what a form said.

    Args:
        model: its schema.
        values: its fields. Leave out what was left empty and may be.

    Raises:
        Problem: 422, each field at fault named.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(*(field_error({**item, "loc": ("body", *item["loc"])}) for item in error.errors())) from None


def accepted(answer: Answer | Response) -> dict[str, object]:
    """The body of an answer that is no refusal.

    Args:
        answer: of a function behind a REST route, or of the route itself.

    Raises:
        Problem: the refusal that it is.
    """
    if isinstance(answer, Response):
        answer = Answer(answer.status_code, orjson.loads(bytes(answer.body)))
    if answer.status < 400:
        return answer.body
    body = dict(answer.body)
    errors = [FieldError.model_validate(error) for error in body.pop("errors", ())]
    for known in ("type", "title", "status"):
        body.pop(known)
    raise Problem(body.pop("code"), body.pop("detail"), errors=errors, more=body)


def messages(problem: Problem) -> dict[str, str]:
    """What to show where: by field, the first part of its path; under ``""`` what concerns no field."""
    if not problem.errors:
        return {"": problem.detail}
    found: dict[str, str] = {}
    for error in problem.errors:
        found.setdefault(error.field.split(".", 1)[0], error.message)
    return found


async def form_of(request: Request) -> Form:
    """What was typed in the form that a request brings; nobody has asked yet where that comes from."""
    sent = await request.form()
    return Form([(name, value) for name, value in sent.multi_items() if isinstance(value, str)])


async def _form(page: PersonPageHere) -> Form:
    form = await form_of(page.request)
    given = page.request.headers.get(CSRF_HEADER) or form.text(CSRF_FIELD)
    if not secrets.compare_digest(given.encode(), page.visitor.csrf_token.encode()):
        raise Problem("csrf_token_missing", "This form is out of date. Load its page again and send it once more.")
    return form


FormHere = Annotated[Form, Depends(_form)]
"""The form of whoever is logged in, proved to come from a page of ours."""
