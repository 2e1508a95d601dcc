"""What has happened besides what was said, each in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from services.api.callers import DeskView
from shared.domain import events as e
from shared.domain.case import ActorKind, Status, Survey
from shared.domain.policy import Policy

File = Mapping[str, Any]
"""What is known of a file, as ``files_by_id`` gives it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One event as a line of the activity.

    Args:
        event: it.
        who: did it; empty where it happened by itself.
        did: the rest of the sentence, without a full stop.
        icon: of ``icons.txt``.
        heading: over the text.
        text: what the person wrote with it, in Markdown.
        until: the words before ``end``.
        end: of the window that began with it.
        changes: what was changed: field, before and after.
        files: that it is about.
    """

    event: e.Event
    who: str
    did: str
    icon: str
    heading: str = ""
    text: str = ""
    until: str = ""
    end: datetime | None = None
    changes: tuple[tuple[str, str, str], ...] = ()
    files: Sequence[File] = ()

    @property
    def seq(self) -> int:
        """Of the event."""
        return self.event.seq

    @property
    def order(self) -> int:
        """Its place among what happened."""
        return self.seq

    @property
    def internal(self) -> bool:
        """Whether customers don't see it."""
        return self.event.kind in e.STAFF_ONLY


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """Puts events into words.

    Args:
        desk: gives cases their keys.
        policy: the case's; gives statuses their labels.
        seq: the latest event that ``status`` knows of.
        status: of the case then; the ends of windows are given while they run.
        names: of people, by address.
        files: by id, those that whoever looks may see.
    """

    desk: DeskView
    policy: Policy
    seq: int
    status: Status
    names: Mapping[str, str]
    files: Mapping[str, File]

    def line(self, event: e.Event) -> Line:
        """An event as a line; a comment that is shown elsewhere is one, too."""
        who = self._who(event)
        match event:
            case e.Opened() | e.Commented():
                return Line(event=event, who=who, did="wrote", icon="message-square")
            case e.Noted():
                return Line(event=event, who=who, did="left an internal note", icon="sticky-note")
            case e.Assigned():
                return Line(event=event, who=who, did=self._assigned(event), icon="user-check")
            case e.Edited():
                changes = tuple((_field(c.field), self._value(c.before), self._value(c.after)) for c in event.changes)
                if len(changes) == 1:
                    field, before, after = changes[0]
                    did = f"changed {field} from {before} to {after}"
                    return Line(event=event, who=who, did=did, icon="pencil")
                return Line(event=event, who=who, did="changed the case", icon="pencil", changes=changes)
            case e.AwaitingCustomer():
                did = f"set the status to {self._label(Status.AWAITING_CUSTOMER)}"
                return Line(event=event, who=who, did=did, icon="hourglass")
            case e.Resumed():
                did = "An answer came: the desk is at work on it again"
                return Line(event=event, who="", did=did, icon="corner-up-left")
            case e.Escalated():
                did = f"escalated the case to {self._label(Status.ESCALATED)}"
                return Line(event=event, who=who, did=did, icon="flame", text=event.comment)
            case e.ClosureRequested():
                did = "asked for the case to be closed"
                return Line(event=event, who=who, did=did, icon="circle-check", text=event.comment)
            case e.Resolved():
                return self._resolved(event, who)
            case e.Accepted():
                did = "accepted the resolution" + (_answers(event.survey) if event.survey else "")
                return Line(event=event, who=who, did=did, icon="check-check")
            case e.Rejected():
                did = "did not accept the resolution"
                return Line(event=event, who=who, did=did, icon="rotate-ccw", text=event.reason)
            case e.Closed():
                return self._closed(event, who)
            case e.Reopened():
                did = f"reopened the case: it is {self._label(Status.OPEN)} again"
                return Line(event=event, who=who, did=did, icon="rotate-ccw", text=event.reason)
            case e.Sealed():
                return Line(event=event, who="", did="The case can't be reopened any more", icon="lock")
            case e.FollowedUp():
                did = f"opened a follow-up, {self.desk.case_key(event.number)}"
                return Line(event=event, who=who, did=did, icon="arrow-up-right")
            case e.Attached():
                did = "added a file" if len(event.attachments) == 1 else f"added {len(event.attachments)} files"
                return Line(event=event, who=who, did=did, icon="paperclip", files=self.files_of(event))
            case e.AttachmentRemoved():
                return Line(event=event, who=who, did="removed a file", icon="trash-2", files=self.files_of(event))
            case e.NoteAttachmentRemoved():
                did = "removed a file of a note"
                return Line(event=event, who=who, did=did, icon="trash-2", files=self.files_of(event))
            case e.Surveyed():
                return Line(event=event, who=who, did=f"answered the survey{_answers(event.survey)}", icon="star")
            case e.CommandRejected():
                did = f"asked for «{event.rejected}», which was refused: {event.detail.rstrip('.')}"
                return Line(event=event, who=who, did=did, icon="circle-x")
            case _:
                assert_never(event)

    def files_of(self, event: e.Event) -> list[File]:
        """The files that an event is about."""
        return [self.files[file] for file in e.files_of(event) if file in self.files]

    def name(self, address: str | None) -> str:
        """What somebody is called."""
        return self.names.get(address, address) if address else "nobody"

    def _who(self, event: e.Event) -> str:
        if event.actor.kind is ActorKind.SYSTEM:
            return ""
        return event.actor.name or self.name(event.actor.email)

    def _label(self, status: Status) -> str:
        return f"«{self.policy.label(status)}»"

    def _assigned(self, event: e.Assigned) -> str:
        if event.assignee is None:
            return f"took the case off {self.name(event.previous)}; nobody has it now"
        if event.assignee == event.actor.email:
            return "took the case on"
        return f"assigned the case to {self.name(event.assignee)}"

    def _resolved(self, event: e.Resolved, who: str) -> Line:
        until, end = "It closes by itself on", event.auto_close_at if self._runs(event, Status.RESOLVED) else None
        resolution = event.resolution
        if resolution is None:
            return Line(
                event=event, who=who, did="marked the case as solved", icon="circle-check", until=until, end=end
            )
        cause = f"\n\n**Root cause:** {resolution.root_cause}" if resolution.root_cause else ""
        return Line(
            event=event,
            who=who,
            did="resolved the case",
            icon="circle-check",
            heading=resolution.resolution_type,
            text=resolution.summary + cause,
            until=until,
            end=end,
        )

    def _closed(self, event: e.Closed, who: str) -> Line:
        alone = event.reason == "no_answer"
        did = "The case closed by itself, as nothing more was said" if alone else "closed the case"
        return Line(
            event=event,
            who="" if alone else who,
            did=did,
            icon="circle-check",
            text=event.comment,
            until="It can be reopened until",
            end=event.reopen_until if self._runs(event, Status.CLOSED) else None,
        )

    def _runs(self, event: e.Event, status: Status) -> bool:
        return event.seq > self.seq or self.status is status

    def _value(self, value: str | tuple[str, ...] | None) -> str:
        if not value:
            return "none"
        if isinstance(value, str):
            return self.names.get(value, value)
        return ", ".join(self.names.get(each, each) for each in value)


def addresses(event: e.Event) -> set[str]:
    """Mail addresses in an event that its line calls by name."""
    match event:
        case e.Assigned():
            return {address for address in (event.assignee, event.previous) if address}
        case e.Edited():
            values = (value for change in event.changes for value in (change.before, change.after) if value)
            return {each for value in values for each in ((value,) if isinstance(value, str) else value)}
        case e.Commented():
            return set(event.cc)
        case _:
            return set()


def _answers(survey: Survey) -> str:
    return f", and the survey with «{survey.q1}» and «{survey.q2}»"


def _field(name: str) -> str:
    return {"cc": "the copied people", "internal_reference": "your reference"}.get(name, f"the {name}")
