"""A refused command as an error answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.api.authorisation import may
from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.cases.representation import actions_for
from services.api.problems import MEANINGS, FieldError, Problem
from shared.contracts.workflow import Outcome
from shared.domain.case import WindowKind
from shared.domain.lifecycle import Action
from shared.domain.policy import OnceSealed
from shared.domain.refusals import Refusal, RefusalCode

_FORM = 422


def refused(caller: Caller, record: CaseRecord | None, refusal: Refusal | Outcome) -> Problem:
    """The problem to answer.

    Args:
        caller: who was refused; told what they could do instead.
        record: the case; None if it was to be opened.
        refusal: the machine's word, from here or from the workflow.
    """
    code, detail = refusal.code or RefusalCode.MALFORMED, refusal.detail or "The case's workflow refused this."
    if MEANINGS[code].status == _FORM:
        return Problem(code, detail, errors=_form_errors(refusal.fields, detail))
    if record is None or MEANINGS[code].status != 409:
        return Problem(code, detail)
    more: dict[str, Any] = {"actions": [action.model_dump() for action in actions_for(caller, record)]}
    ended_at = _ended_at(refusal)
    if code == RefusalCode.REOPEN_WINDOW_PASSED:
        ended_at = ended_at or record.state.ends_at(WindowKind.REOPEN)
    if ended_at:
        more["window_ended_at"] = ended_at.isoformat().replace("+00:00", "Z")
        if code == RefusalCode.REOPEN_WINDOW_PASSED:
            detail = f"The case can't be reopened any more: the time for it ended on {in_words(ended_at, caller)}."
    if code in (RefusalCode.CASE_SEALED, RefusalCode.REOPEN_WINDOW_PASSED) and _offers_follow_up(caller, record):
        more["follow_up"] = f"/api/v1/desks/{caller.desk.slug}/cases/{record.number}/follow-up"
        if "follow-up" not in detail:
            detail += " Open a follow-up case instead."
    return Problem(code, detail, more=more)


def _offers_follow_up(caller: Caller, record: CaseRecord) -> bool:
    return record.policy.once_sealed is OnceSealed.FOLLOW_UP and may(caller, Action.FOLLOW_UP, record.state)


def _form_errors(fields: Sequence[str], detail: str) -> list[FieldError]:
    return [FieldError(field=name, message=detail) for name in fields or ("body",)]


def _ended_at(refusal: Refusal | Outcome) -> datetime | None:
    ended = refusal.window_ended_at
    return datetime.fromisoformat(ended) if isinstance(ended, str) else ended


def in_words(instant: datetime, caller: Caller) -> str:
    """A time in the desk's time zone, as in ``Thu 3 Dec 2026, 15:00 (Europe/London)``."""
    local = instant.astimezone(ZoneInfo(caller.desk.timezone))
    seconds = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b %Y}, {seconds} ({caller.desk.timezone})"
