"""Names and messages of the case workflow (contract: Workflow)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from shared.domain.case import CaseState
from shared.domain.checks import is_storable, unstorable
from shared.domain.commands import ELAPSE_ID_PREFIX, Command, Elapse, RecordRejection
from shared.domain.events import Event
from shared.domain.policy import Policy
from shared.domain.refusals import Refusal, RefusalCode

CASE_WORKFLOW = "CaseWorkflow"
TASK_QUEUE = "cases"
EXECUTE = "execute"
CASE_QUERY = "case"
RECORD = "record"
UNRECORDABLE = "Unrecordable"
"""Type of the error with which ``record`` says that trying again would not help."""

SIGNALS = (
    "comment",
    "assign",
    "edit",
    "escalate",
    "request_close",
    "resolve",
    "accept",
    "reject",
    "close",
    "reopen",
    "survey",
    "attach",
    "remove_attachment",
)

SEEN_LIMIT = 500
"""How many command ids a run remembers; older repetitions are caught by Postgres."""

SEARCH_ATTRIBUTES = ("CaseboundDesk", "CaseboundStatus", "CaseboundSeverity")


def workflow_id(desk: str, number: int) -> str:
    """Id of the workflow that carries a case through its life."""
    return f"case:{desk}:{number}"


@dataclass(kw_only=True)
class Applied:
    """What a command led to: the number and the time of its first event."""

    seq: int
    at: datetime


@dataclass(kw_only=True)
class CaseRun:
    """All that a case's workflow knows; input of its first run and of every run after it.

    Args:
        case_id: the case's UUID.
        desk: slug of its desk.
        number: the case's number on that desk.
        policy: the desk's policy, pinned when the case opened.
        policy_version: that policy's version.
        state: the case as recorded, None before it is opened.
        seen: commands applied lately, by command id, oldest first.
        clock_offset: seconds by which the case's clock is ahead of the one the workflow started with, or below 0
            behind it; development only.
        alarm_delay: seconds that the case waits after the end of its window before it acts on that, for many others end
            with it.
    """

    case_id: str
    desk: str
    number: int
    policy: Policy
    policy_version: int
    state: CaseState | None = None
    seen: dict[str, Applied] = field(default_factory=dict)
    clock_offset: float = 0.0
    alarm_delay: float = 0.0


@dataclass(kw_only=True)
class ExecuteRequest:
    """Commands for one case, to be decided in order.

    Args:
        commands: each ``{name, command_id, actor, …}``.
        told_on: a subject of NATS on which a ``Recorded`` is awaited as well, which comes before the answer.
    """

    commands: list[dict[str, Any]]
    told_on: str | None = None


@dataclass(kw_only=True)
class Outcome:
    """What became of one command: recorded as event ``seq`` of time ``at``, or refused."""

    command_id: str
    accepted: bool
    seq: int | None = None
    at: datetime | None = None
    code: str | None = None
    detail: str | None = None
    fields: tuple[str, ...] = ()
    window_ended_at: str | None = None


@dataclass(kw_only=True)
class ExecuteAnswer:
    """One outcome a command, in the order of the commands."""

    outcomes: list[Outcome]


@dataclass(kw_only=True)
class RecordRequest:
    """A batch of decided events to be recorded in one transaction.

    Args:
        case_id, desk, number, policy_version: as in ``CaseRun``.
        policy: as in ``CaseRun``, for a case that is being opened; else None, being large and known.
        events: consecutive events.
        traceparents: W3C trace context of each command, by command id.
        clock_offset: as in ``CaseRun``, for a case that is being opened.
        told_on: subjects of NATS on which a ``Recorded`` is awaited.
    """

    case_id: str
    desk: str
    number: int
    policy: Policy | None
    policy_version: int
    events: list[Annotated[Event, Field(discriminator="kind")]]
    traceparents: dict[str, str]
    clock_offset: float = 0.0
    told_on: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Recorded:
    """Word of what has just been recorded of a case: what these commands led to, by their ids."""

    case: str
    applied: dict[str, Applied]


RECORDED: TypeAdapter[Recorded] = TypeAdapter(Recorded)


@dataclass(kw_only=True)
class WindowEnd:
    """The end of the window that event ``seq`` started, as an RFC 3339 time in UTC; and ``CaseRun.alarm_delay``."""

    seq: int
    ends_at: str
    alarm_delay: float = 0.0


@dataclass(kw_only=True)
class RecordAnswer:
    """What the record holds now.

    Args:
        window_ends: of the windows that these events started.
        ahead: set if nothing was written because the record was not where the workflow thought: what it holds.
        refused: set if nothing was written because of commands that name files which they may not: what is wrong, by
            command id.
    """

    window_ends: list[WindowEnd] = field(default_factory=list)
    ahead: Ahead | None = None
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Ahead:
    """The record's own state, to be taken over, and which of the batch's commands it holds already."""

    state: CaseState | None
    applied: dict[str, Applied]


_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="name")])
_INTERNAL = (Elapse, RecordRejection)
"""Only the workflow itself gives these; over the wire they would let a caller end a window early."""
_KNOWN_FIELDS = {
    kind.__dataclass_fields__["name"].default: {f.name for f in fields(kind)}
    for kind in get_args(Command)
    if kind not in _INTERNAL
}


@dataclass(frozen=True, kw_only=True)
class ParsedCommand:
    """A command as it came over the wire, with the trace it belongs to."""

    command: Command
    traceparent: str | None


@cache
def _allowed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def parse_command(data: Mapping[str, Any]) -> ParsedCommand | Refusal:
    """Read one command from the wire.

    Args:
        data: ``{name, command_id, actor, …fields}``, optionally ``traceparent``.

    Returns:
        The command, or a refusal that names what is wrong: an unknown command or field, a missing or mistyped one.
    """
    if not isinstance(data.get("name"), str):
        return Refusal(code=RefusalCode.MALFORMED, detail="A command is an object with a name, a command_id, an actor.")
    if not is_storable(data):
        return unstorable()
    values = {key: value for key, value in data.items() if key != "traceparent"}
    known = _KNOWN_FIELDS.get(values["name"])
    if known is None:
        return Refusal(code=RefusalCode.UNKNOWN_COMMAND, detail=f"There is no command «{values['name'][:50]}».")
    if unknown := sorted(set(values) - known):
        return Refusal(
            code=RefusalCode.MALFORMED,
            detail=f"Unknown: {', '.join(map(str, unknown))[:200]}. Allowed are: {_allowed(frozenset(known))}.",
            fields=tuple(unknown),
        )
    try:
        command = _COMMANDS.validate_python(values)
    except ValidationError as error:
        return _malformed(error)
    if not command.command_id.strip() or command.command_id.startswith(ELAPSE_ID_PREFIX):
        return Refusal(
            code=RefusalCode.MALFORMED,
            detail=f"command_id: an id of your own, new for each command; it must not begin with {ELAPSE_ID_PREFIX}.",
            fields=("command_id",),
        )
    traceparent = data.get("traceparent")
    return ParsedCommand(command=command, traceparent=traceparent if isinstance(traceparent, str) else None)


def _malformed(error: ValidationError) -> Refusal:
    problems = [(".".join(map(str, item["loc"][1:])) or "command", item["msg"]) for item in error.errors()]
    return Refusal(
        code=RefusalCode.MALFORMED,
        detail="; ".join(f"{where}: {what}" for where, what in problems)[:500],
        fields=tuple(where for where, _ in problems),
    )


def command_to_wire(command: Command, traceparent: str | None) -> dict[str, Any]:
    """The command as it goes over the wire; the reverse of ``parse_command``."""
    data: dict[str, Any] = _COMMANDS.dump_python(command, mode="json")
    if traceparent:
        data["traceparent"] = traceparent
    return data
