"""Every error answer: ``application/problem+json`` (RFC 9457), one list of codes, one way to make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from services.api.answers import PROBLEM_JSON, Answer, Json
from shared.domain.refusals import RefusalCode


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means: its usual status, a title, and what to do about it."""

    status: int
    title: str
    advice: str


_ACTION = "The case stays as it is. The answer's «actions» are those that would be accepted now."
_FORM = "The answer's «errors» name each field that is at fault, and what is allowed."

MEANINGS: Mapping[str, Meaning] = {
    "unauthenticated": Meaning(401, "Not logged in", "Send «Authorization: Bearer …» or log in for a session."),
    "wrong_credentials": Meaning(401, "Wrong address or password", "Check both and try again."),
    "csrf_token_missing": Meaning(403, "CSRF token missing", "Repeat the session's csrf_token as X-CSRF-Token."),
    "forbidden": Meaning(403, "Not allowed", "Your role on this desk does not include this."),
    "not_found": Meaning(404, "Not found", "It does not exist, or you may not see it."),
    "attachment_removed": Meaning(410, "Removed", "The file was taken off the case; the activity says by whom."),
    "method_not_allowed": Meaning(405, "Method not allowed", "The header Allow names the methods that are."),
    "payload_too_large": Meaning(413, "Too large", "Send less at once."),
    "upload_timeout": Meaning(408, "Upload cut off", "Send the file again, over a better connection."),
    "too_many_unattached_files": Meaning(
        409, "Too many files without a case", "Add those that you have uploaded to cases, or wait for a day."
    ),
    "attachment_too_large": Meaning(413, "File too large", "«max_bytes» says how large a file this desk takes."),
    "attachment_type_not_allowed": Meaning(
        415, "Type of file not allowed", "The answer's «errors» say what is allowed, where that is a list."
    ),
    "range_not_satisfiable": Meaning(416, "No such range", "Content-Range says how many bytes the file has."),
    "unsupported_media_type": Meaning(415, "Unsupported media type", "Send JSON."),
    "invalid_request": Meaning(422, "Invalid request", _FORM),
    "filter_required": Meaning(422, "Filter required", "This desk's lists must be narrowed by the named filter."),
    "idempotency_key_reused": Meaning(
        422, "Idempotency-Key reused", "The key was used for another request; take a new one for each request."
    ),
    "filter_name_taken": Meaning(409, "Name taken", "Choose another name, or change the filter that has it."),
    "too_many_filters": Meaning(409, "Too many saved filters", "Delete one that you don't need any more."),
    "reply_name_taken": Meaning(409, "Name taken", "Choose another name, or change the reply that has it."),
    "too_many_replies": Meaning(409, "Too many canned replies", "Delete one that nobody needs any more."),
    "too_many_attempts": Meaning(429, "Too many attempts", "Wait as long as Retry-After says."),
    "internal_error": Meaning(500, "Internal error", "Report the trace id; it finds the error in traces and logs."),
    "unavailable": Meaning(503, "Temporarily unavailable", "Retry as Retry-After says, with the same Idempotency-Key."),
    "search_unavailable": Meaning(503, "Search unavailable", "Lists without words (q) still work; retry later."),
    RefusalCode.NOT_ALLOWED_IN_STATUS: Meaning(409, "Not allowed in this status", _ACTION),
    RefusalCode.NOT_ALLOWED_FOR_ACTOR: Meaning(409, "Not for you to do", _ACTION),
    RefusalCode.NOT_OFFERED_BY_DESK: Meaning(409, "Not offered by this desk", _ACTION),
    RefusalCode.ALREADY_ESCALATED: Meaning(409, "Already escalated", _ACTION),
    RefusalCode.ALREADY_ASSIGNED: Meaning(409, "Already assigned", _ACTION),
    RefusalCode.CLOSURE_ALREADY_REQUESTED: Meaning(409, "Closure already requested", _ACTION),
    RefusalCode.SURVEY_NOT_OFFERED: Meaning(409, "Survey not offered", _ACTION),
    RefusalCode.REOPEN_WINDOW_PASSED: Meaning(
        409, "Reopen window passed", "«window_ended_at» says when. Open a follow-up if «follow_up» is given."
    ),
    RefusalCode.CASE_CLOSED: Meaning(409, "Case closed", _ACTION),
    RefusalCode.CASE_SEALED: Meaning(409, "Case sealed", "Closed for good. Open a follow-up if «follow_up» is given."),
    RefusalCode.REASON_REQUIRED: Meaning(409, "Reason required", "Give the reason or comment in words."),
    RefusalCode.FIELD_REQUIRED: Meaning(422, "Field required", _FORM),
    RefusalCode.NOTHING_TO_DO: Meaning(409, "Nothing to do", _ACTION),
    RefusalCode.TOO_LONG: Meaning(422, "Too long", _FORM),
    RefusalCode.INVALID_ADDRESS: Meaning(422, "Invalid address", _FORM),
    RefusalCode.NOT_EDITABLE: Meaning(422, "Not editable", _FORM),
    RefusalCode.ALREADY_OPEN: Meaning(409, "Already open", _ACTION),
    RefusalCode.NO_SUCH_CASE: Meaning(404, "No such case", "It does not exist, or you may not see it."),
    RefusalCode.MALFORMED: Meaning(422, "Malformed", _FORM),
    RefusalCode.UNKNOWN_COMMAND: Meaning(422, "Unknown command", _FORM),
}
"""The one list of error codes; ``/problems/{code}`` and docs/api.md show it."""


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Path of the field, as in `cc.0`.", examples=["severity"])
    message: str = Field(examples=["«Urgent» is not one of this desk's severities."])
    allowed: list[str] | None = Field(default=None, description="The values that would be accepted, where few are.")


class ProblemOut(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["/problems/not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no case 12 on this desk that you may see."])
    code: str = Field(examples=["not_found"])
    errors: list[FieldError] | None = Field(default=None, description="With 422: the fields at fault.")


@dataclass
class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """An error answer, to be raised.

    Args:
        code: one of ``MEANINGS``; gives status and title.
        detail: what went wrong and what to do, for a person.
        errors: the fields at fault.
        headers: headers of the answer.
        more: further members of the answer.
    """

    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """HTTP status."""
        return MEANINGS[self.code].status

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        content: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": MEANINGS[self.code].title,
            "status": self.status,
            "detail": self.detail,
            "code": str(self.code),
        }
        if self.errors:
            content["errors"] = [error.model_dump(exclude_none=True) for error in self.errors]
        return content | dict(self.more)

    def answer(self) -> Answer:
        """As data."""
        return Answer(self.status, self.body())

    def response(self) -> Json:
        """As it goes out."""
        return Json(self.body(), self.status, dict(self.headers), media_type=PROBLEM_JSON)


def not_found(what: str) -> Problem:
    """404, which also hides what exists but may not be seen.

    Args:
        what: as in ``case 12 on this desk``.
    """
    return Problem("not_found", f"There is no {what}, or you may not see it.")


def invalid(*errors: FieldError, code: str = "invalid_request") -> Problem:
    """422 for these fields."""
    return Problem(code, " ".join(dict.fromkeys(_sentence(error) for error in errors)), errors=errors)


def _sentence(error: FieldError) -> str:
    return error.message if error.message.startswith(("«", error.field)) else f"{error.field}: {error.message}"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for the errors that a route may answer, besides those that all may."""
    codes: dict[int, list[str]] = {}
    for code, meaning in MEANINGS.items():
        codes.setdefault(meaning.status, []).append(f"`{code}`")
    return {
        status: {
            "model": ProblemOut,
            "description": f"A problem: {', '.join(codes[status])}",
            "content": {PROBLEM_JSON: {}},
        }
        for status in sorted(statuses)
    }
