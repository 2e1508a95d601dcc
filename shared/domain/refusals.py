"""Why a command was refused: the one list of codes (contract: HTTP, 409)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RefusalCode(StrEnum):
    """Codes of refused actions. The text below each says what it means → what to do; ``docs/refusals.md`` prints it."""

    NOT_ALLOWED_IN_STATUS = "not_allowed_in_status"
    """The action is not possible in the case's present status. → Take one of the case's `actions`."""
    NOT_ALLOWED_FOR_ACTOR = "not_allowed_for_actor"
    """The action belongs to others: staff's to customers, customers' to staff. → Ask somebody who may."""
    NOT_OFFERED_BY_DESK = "not_offered_by_desk"
    """The desk's policy does without this action. → See `GET /policy`; take one of the case's `actions`."""
    ALREADY_ESCALATED = "already_escalated"
    """The case has been escalated already. → Nothing; it can be escalated again once it has been reopened."""
    ALREADY_ASSIGNED = "already_assigned"
    """Somebody has the case already; the detail says who. → Leave it to them, or assign it to yourself."""
    CLOSURE_ALREADY_REQUESTED = "closure_already_requested"
    """Closing has been requested already. → Nothing; the desk's staff will see to it."""
    SURVEY_NOT_OFFERED = "survey_not_offered"
    """No resolution has been accepted, or the survey has been answered. → Nothing."""
    REOPEN_WINDOW_PASSED = "reopen_window_passed"
    """The time for reopening ended at `window_ended_at`. → Open a follow-up case, where the desk offers it."""
    CASE_CLOSED = "case_closed"
    """The case is closed. → Reopen it first: by the action or, where the desk does so, by a reply."""
    CASE_SEALED = "case_sealed"
    """The case is closed for good. → Open a follow-up case, where the desk offers it."""
    REASON_REQUIRED = "reason_required"
    """The reason, comment or explanation that the action needs is missing or blank. → Give it."""
    FIELD_REQUIRED = "field_required"
    """A field that the action needs is missing or blank; `fields` names it. → Give it."""
    NOTHING_TO_DO = "nothing_to_do"
    """No window has ended, so no timer is due. → Nothing; only the system itself is answered so."""
    TOO_LONG = "too_long"
    """A text, a list or a name is over its limit; the detail gives the limit. → Shorten it."""
    INVALID_ADDRESS = "invalid_address"
    """What should be a mail address is none; the detail names each. → Correct it."""
    NOT_EDITABLE = "not_editable"
    """A field that can't be changed; the detail lists those that can. → Leave it out."""
    ALREADY_OPEN = "already_open"
    """An opening for a case that exists. → Nothing."""
    NO_SUCH_CASE = "no_such_case"
    """A command for a case that has not been opened. → Check the number."""
    MALFORMED = "malformed"
    """The command can't be read, or contradicts itself; the detail says where. → Correct it."""
    UNKNOWN_COMMAND = "unknown_command"
    """There is no command of that name. → Use a name from the contract."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A command that does not apply: an answer, not an exception.

    Args:
        code: one of ``RefusalCode``.
        detail: what is wrong and what to do, for a person.
        fields: the fields of the command that are at fault.
        window_ended_at: when the window ended, where one did.
    """

    code: RefusalCode
    detail: str
    fields: tuple[str, ...] = ()
    window_ended_at: datetime | None = None
