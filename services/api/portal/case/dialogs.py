"""The actions on a case as people meet them: one line each, from button to REST route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from fastapi.responses import Response

from services.api.actions import endpoints, schemas
from services.api.cases.schemas import ActionOut
from services.api.commands import Asking
from services.api.comments.endpoints import post_comment
from services.api.comments.schemas import NewComment
from services.api.portal.case.view import CaseView
from services.api.portal.forms import Form, read

FieldType = Literal["text", "textarea"]
Run = Callable[[Asking, str, Form], Awaitable[Response]]
NOBODY: Final = "nobody"
"""Stands in the form for taking the case from whoever has it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dialog; whether it is required the case's ``actions`` say.

    Args:
        name: as in the body of the REST route.
        label: what it is called.
        type: text or textarea.
        hint: a word on it.
        suggestions: values that are offered; others may be typed.
    """

    name: str
    label: str
    type: FieldType = "textarea"
    hint: str = ""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialog:
    """An action.

    Args:
        action: its name in ``actions``.
        label: of the button, and of the one that confirms.
        title: of the dialog.
        said: once it is done.
        icon: of the button.
        key: that opens it.
        fields: to be filled in.
        form: a template for what is more than fields.
    """

    action: str
    label: str
    title: str
    said: str
    icon: str
    key: str
    fields: tuple[Field, ...] = ()
    form: str = ""

    async def run(self, asking: Asking, number: str, form: Form) -> Response:
        """Carry it out as its REST route does.

        Raises:
            Problem: the form is at fault.
        """
        return await _RUN[self.action](asking, number, form)


@dataclass(frozen=True, slots=True)
class Button:
    """A dialog that somebody may open now."""

    dialog: Dialog
    kind: str


def _of(body: Callable[[Form], dict[str, object]], model: type[Any], route: Callable[..., Awaitable[Response]]) -> Run:
    """Carry an action out by the function of its REST route, its body read by that route's schema."""

    async def run(asking: Asking, number: str, form: Form) -> Response:
        return await route(number, read(model, body(form)), asking)

    return run


def _texts(*names: str) -> Callable[[Form], dict[str, object]]:
    """These fields, those left empty too."""
    return lambda form: {name: form.text(name) for name in names}


def _given(*names: str) -> Callable[[Form], dict[str, object]]:
    """These fields, as far as they are filled in."""
    return lambda form: {name: form.text(name) for name in names if form.text(name).strip()}


def _assignee(form: Form) -> dict[str, object]:
    chosen = form.text("assignee")
    return {"assignee": None if chosen == NOBODY else chosen}


def _survey(form: Form) -> dict[str, object]:
    mark = form.text("q1")
    answers: dict[str, object] = {"q1": int(mark) if mark.isdecimal() else mark, "q2": form.text("q2")}
    return {name: answer for name, answer in answers.items() if str(answer).strip()}


def _accept(form: Form) -> dict[str, object]:
    """desk-rules M12: leaving the survey out blocks nothing."""
    answers = _survey(form)
    return {"survey": answers} if answers else {}


async def _take(asking: Asking, number: str, _form: Form) -> Response:
    return await endpoints.take(number, asking)


_COMMENT_IF_ANY: Final = (Field("comment", "Comment"),)
_RESOLUTION_TYPES: Final = ("provided", "referred", "workaround", "by design", "not reproducible", "duplicate")

_RUN: Final[dict[str, Run]] = {
    "accept": _of(_accept, schemas.Accept, endpoints.accept),
    "take": _take,
    "resolve": _of(_given("resolution_type", "root_cause", "summary"), schemas.Resolve, endpoints.resolve),
    "reject": _of(_texts("reason"), schemas.Reject, endpoints.reject),
    "solve": _of(lambda form: {"body": form.text("comment"), "solve": True}, NewComment, post_comment),
    "survey": _of(_survey, schemas.AnswerSurvey, endpoints.survey),
    "reopen": _of(_texts("reason"), schemas.Reopen, endpoints.reopen),
    "escalate": _of(_texts("comment"), schemas.Escalate, endpoints.escalate),
    "assign": _of(_assignee, schemas.Assign, endpoints.assign),
    "request-close": _of(_texts("comment"), schemas.RequestClose, endpoints.request_close),
    "close": _of(_texts("comment"), schemas.Close, endpoints.close),
}
_RESOLUTION: Final = (
    Field("resolution_type", "Resolution type", "text", suggestions=_RESOLUTION_TYPES),
    Field("root_cause", "Root cause"),
    Field("summary", "Summary", hint="The customer reads this."),
)
_REASON: Final = (Field("reason", "Reason", hint="What is still wrong?"),)
_EXPLANATION: Final = (Field("reason", "Explanation", hint="What has come up?"),)
_URGENT: Final = (Field("comment", "Comment", hint="Why does it need attention now?"),)

# fmt: off
DIALOGS: Final = (
    #      action           button                 title                              once it is done         icon            key  asks for
    Dialog("accept",        "Accept",              "Accept the resolution",           "Resolution accepted.", "circle-check", "y", form="accept"),
    Dialog("take",          "Take",                "Take the case on",                "The case is yours.",   "user-check",   "t"),
    Dialog("resolve",       "Resolve",             "Resolve the case",                "Case resolved.",       "check",        "v", _RESOLUTION),
    Dialog("reject",        "Reject",              "Reject the resolution",           "Resolution rejected.", "circle-x",     "b", _REASON),
    Dialog("solve",         "Mark as solved",      "Mark as solved",                  "Marked as solved.",    "check",        "z", _COMMENT_IF_ANY),
    Dialog("survey",        "Answer two questions", "How was it?",                    "Thank you.",           "star",         "y", form="survey"),
    Dialog("reopen",        "Reopen",              "Reopen the case",                 "Case reopened.",       "rotate-ccw",   "o", _EXPLANATION),
    Dialog("escalate",      "Escalate",            "Escalate the case",               "Case escalated.",      "flame",        "e", _URGENT),
    Dialog("assign",        "Assign",              "Assign the case",                 "Case assigned.",       "user-plus",    "a", form="assign"),
    Dialog("request-close", "Request close",       "Request that the case be closed", "Closing requested.",   "check-check",  "q", _COMMENT_IF_ANY),
    Dialog("close",         "Close",               "Close the case",                  "Case closed.",         "circle-x",     "x", _COMMENT_IF_ANY),
)
# fmt: on
"""In the order of the buttons."""
BY_ACTION: Final = {dialog.action: dialog for dialog in DIALOGS}
_FOREMOST: Final = ("accept", "take", "resolve", "solve", "survey", "reopen")
"""Of these the first that is offered stands out."""


def buttons(view: CaseView) -> list[Button]:
    """The actions that the case's ``actions`` name, and only those."""
    offered = view.offered
    first = next((name for name in _FOREMOST if name in offered), None)
    return [
        Button(dialog, "primary" if dialog.action == first else "plain")
        for dialog in DIALOGS
        if dialog.action in offered
    ]


def required(offered: ActionOut | None) -> list[str]:
    """The fields that an action must be given, by the names of the form."""
    return offered.required if offered else []
