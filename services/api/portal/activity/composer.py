"""What somebody may write on a case now, and in which ways they may send it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.cases.representation import actions_for
from services.api.comments.schemas import NewComment
from services.api.portal.case.dialogs import BY_ACTION
from services.api.portal.forms import Form, read
from shared.domain.case import Status
from shared.domain.lifecycle import Action
from shared.domain.policy import CommentOnResolved, Policy

NOTE: Final = "note"
REPLY: Final = "reply"
_FLAGS: Final = {"ask": "await_reply", "solve": "solve", "close": "close"}
"""Ways to send by the flag of the REST route that they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Composer:
    """The form in which one writes.

    Args:
        offered: names of the actions that its sender may take now.
        thread: the post that is answered; None: a new conversation begins.
        notes_only: what is answered is a note, or the case takes nothing else any more.
        effect: what sending does to the case, as a sentence; may be empty.
        closed_because: why nothing can be written, if so.
        form: what was typed, where it comes back refused.
        errors: what was wrong with it.
        key: under which it was sent, where nobody knows whether it was carried out.
        goes_on: whether whoever sends it wants the next case of their queue then; None if they work off none.
    """

    offered: frozenset[str]
    thread: int | None = None
    notes_only: bool = False
    effect: str = ""
    closed_because: str = ""
    form: Form = field(default_factory=Form)
    errors: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    goes_on: bool | None = None
    resolution_types: tuple[str, ...] = BY_ACTION[Action.RESOLVE].fields[0].suggestions

    @property
    def writes(self) -> bool:
        """Whether anything can be written."""
        return self.replies or self.notes

    @property
    def replies(self) -> bool:
        """Whether what is written may be for everybody on the case."""
        return Action.COMMENT in self.offered and not self.notes_only

    @property
    def notes(self) -> bool:
        """Whether it may be for staff alone."""
        return Action.NOTE in self.offered

    @property
    def mode(self) -> str:
        """The kind that is chosen."""
        return NOTE if not self.replies or (self.notes and self.form.text("mode") == NOTE) else REPLY

    def may(self, action: str) -> bool:
        """Whether what is written may be sent in that way, too."""
        return self.replies and action in self.offered


def composer_of(caller: Caller, record: CaseRecord, thread: int | None = None, *, of_note: bool = False) -> Composer:
    """The form for a case.

    Args:
        caller: who writes.
        record: the case.
        thread: the post that is answered.
        of_note: whether that is a note; then the answer is one.
    """
    offered = frozenset(action.name for action in actions_for(caller, record))
    writes = Action.COMMENT in offered or Action.NOTE in offered
    return Composer(
        offered=offered,
        thread=thread,
        notes_only=of_note or Action.COMMENT not in offered,
        effect=_effect(caller, record) if Action.COMMENT in offered else "",
        closed_because="" if writes else _why_not(record, offered),
    )


def comment_of(form: Form) -> NewComment:
    """The form as the REST route's body.

    Raises:
        Problem: 422.
    """
    values: dict[str, object] = {"body": form.text("body"), "attachments": form.all("attachments")}
    if form.text("in_reply_to"):
        values["in_reply_to"] = form.text("in_reply_to")
    if form.text("mode") == NOTE:
        values["internal"] = True
    else:
        values["cc"] = [part.strip() for part in form.text("cc").replace(";", ",").split(",") if part.strip()]
        if flag := _FLAGS.get(form.text("then")):
            values[flag] = True
    return read(NewComment, values)


def _effect(caller: Caller, record: CaseRecord) -> str:
    status, policy = record.state.status, record.policy
    if status is Status.CLOSED:
        return f"A reply takes the case up again: its status becomes «{policy.label(Status.OPEN)}»."
    if not caller.is_customer:
        return ""
    if status is Status.RESOLVED:
        return _on_resolved(policy)
    if status is Status.AWAITING_CUSTOMER:
        return "The desk is waiting for your answer."
    return ""


def _on_resolved(policy: Policy) -> str:
    if policy.comment_on_resolved is CommentOnResolved.REOPENS:
        return f"A reply takes the case up again: its status becomes «{policy.label(Status.OPEN)}»."
    return f"A reply leaves the case «{policy.label(Status.RESOLVED)}»."


def _why_not(record: CaseRecord, offered: frozenset[str]) -> str:
    if Action.REOPEN in offered:
        return "This case is closed. Reopen it to write more."
    if Action.FOLLOW_UP in offered:
        return "This case is closed for good. A follow-up can be opened for more."
    if record.state.status is Status.CLOSED:
        return "This case is closed, so nothing more can be written."
    return "Nothing can be written on this case at present."
