"""Saying in plain words what has happened and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from services.notifier.story import Story
from shared.domain import events as e
from shared.domain.case import Actor, ActorKind, Status, WindowKind
from shared.domain.events import files_of
from shared.domain.policy import OnceSealed, Reopen


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that a person wrote, in Markdown, under a heading that may be empty."""

    heading: str
    body: str


def headline(story: Story, recipient: str) -> str:
    """Who did what, as one sentence without a full stop, as that person may know it."""
    who, event = _who(story, story.told.actor), story.told
    match event:
        case e.Opened():
            behalf = "" if event.reporter == event.actor.email else f" for {_name(story, event.reporter)}"
            return f"{who} opened this case{behalf}"
        case e.Commented():
            return f"{who} wrote{_what_the_comment_did(story)}"
        case e.Noted():
            return f"{who} left an internal note"
        case e.Assigned():
            return _assigned(story, event, who)
        case e.Edited():
            return f"{who} changed the case"
        case e.AwaitingCustomer():
            return f"{who} is waiting for an answer"
        case e.Resumed():
            return "Work on the case goes on"
        case e.Escalated():
            return f"{who} escalated the case"
        case e.ClosureRequested():
            return f"{who} asked for the case to be closed"
        case e.Resolved(resolution=None):
            return f"{who} marked the case as solved"
        case e.Resolved():
            return f"{who} resolved {'and closed ' if _also(story, 'closed') else ''}the case"
        case e.Accepted():
            return f"{who} accepted the resolution, so the case is closed"
        case e.Rejected():
            return f"{who} did not accept the resolution, so work on the case goes on"
        case e.Closed(reason="no_answer"):
            return "The case closed by itself, as nothing more was said after it was resolved"
        case e.Closed():
            return f"{who} closed the case"
        case e.Reopened():
            return f"{who} reopened the case"
        case e.Sealed():
            return "The case can't be reopened any more"
        case e.FollowedUp():
            # Staff see every case of the desk; others perhaps not that one.
            return f"{who} opened a follow-up{f', {story.desk.key}-{event.number}' if recipient in story.staff else ''}"
        case e.Attached():
            return f"{who} added {'a file' if len(event.attachments) == 1 else f'{len(event.attachments)} files'}"
        case e.AttachmentRemoved():
            return f"{who} removed a file"
        case e.NoteAttachmentRemoved():
            return f"{who} removed a file of a note"
        case e.Surveyed():
            return f"{who} answered the survey"
        case e.CommandRejected():
            return f"«{event.rejected}» by {who} was refused: {event.detail.rstrip('.')}"
        case _:
            assert_never(event)


def passages(story: Story, recipient: str) -> list[Passage]:
    """What was written, in the order in which it was said."""
    said: list[Passage] = []
    for event in story.visible_to(recipient):
        match event:
            case e.Resolved(resolution=r) if r:
                said.append(Passage(f"Resolution: {r.resolution_type}", r.summary))
                said.append(Passage("Root cause", r.root_cause or ""))
            case _:
                said.append(Passage("", e.text_of(event)))
    return [passage for passage in said if passage.body.strip()]


def changes(story: Story, recipient: str) -> list[str]:
    """What was changed from what to what, one field a line."""
    return [
        f"{_field(change.field)}: {_value(story, change.before)} → {_value(story, change.after)}"
        for event in story.visible_to(recipient)
        if isinstance(event, e.Edited)
        for change in event.changes
    ]


def files(story: Story, recipient: str) -> list[str]:
    """Names of the files that were added or removed."""
    return [story.files.get(file, "a file") for event in story.visible_to(recipient) for file in files_of(event)]


def next_step(story: Story) -> str:
    """What happens by itself, or can be done until when; empty if there is nothing of the kind."""
    state, policy = story.state, story.policy
    if state.status is Status.RESOLVED and (end := state.ends_at(WindowKind.AUTO_CLOSE)):
        return f"It closes by itself on {moment(end, story.desk.timezone)} if nothing more is said."
    if state.status is not Status.CLOSED:
        return ""
    if state.sealed:
        more = " A follow-up can be opened from its page." if policy.once_sealed is OnceSealed.FOLLOW_UP else ""
        return f"It is closed for good.{more}"
    if policy.reopen is Reopen.BY_REPLY:
        return "A reply on its page reopens it."
    if end := state.ends_at(WindowKind.REOPEN):
        return f"It can be reopened until {moment(end, story.desk.timezone)}."
    return ""


def reason(story: Story, recipient: str) -> str:
    """Why this person gets the mail."""
    state = story.state
    if recipient == state.assignee:
        return "the case is assigned to you"
    if recipient in story.staff:
        return "you work on this desk"
    if recipient == state.reporter:
        return "you opened the case"
    if recipient == state.contact:
        return "you are the contact of the case"
    if recipient in state.cc:
        return "you are copied on the case"
    return "you look after the account"


def moment(instant: datetime, timezone: str) -> str:
    """A time as people read it: ``Wed 25 Nov 2026, 15:00 (Europe/London)``; seconds only if there are any."""
    local = instant.astimezone(ZoneInfo(timezone))
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b %Y}, {clock} ({timezone})"


def _what_the_comment_did(story: Story) -> str:
    if _also(story, "closed"):
        return " and closed the case"
    if _also(story, "resolved"):
        return " and marked the case as solved"
    if _also(story, "reopened"):
        return ", which reopened the case"
    if _also(story, "awaiting_customer"):
        return " and is waiting for an answer"
    return ""


def _assigned(story: Story, event: e.Assigned, who: str) -> str:
    if event.assignee is None:
        return f"{who} took the case off {_name(story, event.previous)}; nobody is assigned now"
    if event.assignee == event.actor.email:
        return f"{who} took the case on"
    return f"{who} assigned the case to {_name(story, event.assignee)}"


def _also(story: Story, kind: str) -> bool:
    return any(event.kind == kind for event in story.events[1:])


def _who(story: Story, actor: Actor) -> str:
    if actor.kind is ActorKind.SYSTEM:
        return story.desk.name
    return actor.name or _name(story, actor.email)


def _name(story: Story, address: str | None) -> str:
    return story.names.get(address, address) if address else "somebody"


def _field(name: str) -> str:
    return "CC" if name == "cc" else name.replace("_", " ").capitalize()


def _value(story: Story, value: str | tuple[str, ...] | None) -> str:
    if not value:
        return "none"
    if isinstance(value, str):
        return story.names.get(value, value)
    return ", ".join(value)
