"""Whether a command is well formed: lengths, addresses, fields that exist. The same for every door."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from shared.domain import commands as c
from shared.domain.consequences import says_something
from shared.domain.limits import (
    ADDRESS_MAX_CHARACTERS,
    ATTACHMENTS_MAX_PER_COMMAND,
    CC_MAX_ADDRESSES,
    COMMAND_ID_MAX_CHARACTERS,
    FIELD_MAX_CHARACTERS,
    LARGEST_ANSWER,
    LARGEST_NUMBER,
    SUBJECT_MAX_CHARACTERS,
    TEXT_MAX_BYTES,
)
from shared.domain.policy import IMPACTS, Policy
from shared.domain.refusals import Refusal, RefusalCode

_ADDRESS = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,255}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and half characters: neither the record nor the wire takes them."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS = ("description", "body", "comment", "reason", "summary", "root_cause", "q1", "q2")
_FIELDS = ("product", "type", "severity", "impact", "account", "environment", "internal_reference", "resolution_type")


def malformed(command: c.Command, policy: Policy) -> Refusal | None:
    """What is wrong with the command whatever the case's status, or None.

    Args:
        command: any command.
        policy: the case's policy; says which fields an opening needs.
    """
    if isinstance(command, c.RecordRejection):
        return None
    return next(_problems(command, policy), None)


def invalid_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that can't be mail addresses."""
    return tuple(address for address in addresses if not _ADDRESS.fullmatch(address))


def is_storable(value: object) -> bool:
    """Whether every text in it, keys included, can be sent and recorded."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            if _UNSTORABLE.search(part):
                return False
        elif isinstance(part, (list, tuple)):
            left.extend(part)
        elif isinstance(part, Mapping):
            left.extend(part)
            left.extend(part.values())
    return True


def unstorable() -> Refusal:
    """The refusal of a text that is not ``is_storable``."""
    return _refuse(RefusalCode.MALFORMED, "Text must contain neither NUL nor half of a surrogate pair.")


def _problems(command: c.Command, policy: Policy) -> Iterator[Refusal]:
    values = _fields_of(command)
    if not is_storable((values, command.command_id, command.actor.email, command.actor.name)):
        yield unstorable()
    yield from _too_long("command_id", command.command_id, COMMAND_ID_MAX_CHARACTERS)
    yield from _too_long("actor.email", command.actor.email, ADDRESS_MAX_CHARACTERS)
    yield from _too_long("actor.name", command.actor.name, FIELD_MAX_CHARACTERS)
    if isinstance(command, c.Open):
        yield from _missing_at_opening(command, policy)
        yield from _too_long("subject", command.subject, SUBJECT_MAX_CHARACTERS)
        if len(command.subject.splitlines()) > 1:
            yield _refuse(
                RefusalCode.MALFORMED, "subject: one line, please; the rest belongs in the description.", "subject"
            )
    if isinstance(command, c.Edit):
        yield from _not_editable(command)
        yield from _emptied(command, policy)
    if isinstance(command, c.Comment):
        yield from _contradictory(command)
    if isinstance(command, c.Accept):
        yield from _survey_at_fault(command, policy)
    for name in _FIELDS:
        yield from _too_long(name, values.get(name), FIELD_MAX_CHARACTERS)
    for name in _TEXTS:
        yield from _too_large(name, values.get(name))
    yield from _bad_impact(values.get("impact"))
    yield from _bad_addresses(values)
    yield from _bad_attachments(values)
    for name in ("follow_up_of", "number", "in_reply_to"):
        yield from _out_of_range(name, values.get(name), 1, LARGEST_NUMBER)
    for name in ("q1", "q2"):
        yield from _out_of_range(name, values.get(name), 0, LARGEST_ANSWER)


def _fields_of(command: c.Command) -> Mapping[str, object]:
    if isinstance(command, c.Edit):
        return command.changes
    if isinstance(command, c.Accept) and command.survey:
        return {"q1": command.survey.q1, "q2": command.survey.q2}
    return {name: getattr(command, name) for name in command.__slots__}


def _refuse(code: RefusalCode, detail: str, *fields: str) -> Refusal:
    return Refusal(code=code, detail=detail, fields=fields)


def _missing_at_opening(command: c.Open, policy: Policy) -> Iterator[Refusal]:
    missing = tuple(name for name in policy.required_at_opening if not str(getattr(command, name) or "").strip())
    if missing:
        yield _refuse(RefusalCode.FIELD_REQUIRED, f"To open a case here, give: {', '.join(missing)}.", *missing)


def _contradictory(command: c.Comment) -> Iterator[Refusal]:
    given = [flag for flag in ("internal", "await_reply", "solve", "close") if getattr(command, flag)]
    if len(given) > 1:
        yield _refuse(RefusalCode.MALFORMED, f"Choose one of {' and '.join(given)}; they exclude each other.", *given)
    if command.cc and (command.internal or not says_something(command)):
        yield _refuse(RefusalCode.MALFORMED, "cc: addresses are added with a comment that they may read.", "cc")


def _not_editable(command: c.Edit) -> Iterator[Refusal]:
    unknown = sorted(set(command.changes) - set(c.EDITABLE_FIELDS))
    if unknown:
        allowed = ", ".join(c.EDITABLE_FIELDS)
        yield _refuse(
            RefusalCode.NOT_EDITABLE, f"Can't be edited: {', '.join(unknown)}. Editable are: {allowed}.", *unknown
        )
    mistyped = [name for name, value in command.changes.items() if isinstance(value, tuple) != (name == "cc")]
    mistyped = [name for name in mistyped if not (name != "cc" and command.changes[name] is None)]
    if mistyped:
        yield _refuse(RefusalCode.MALFORMED, "cc is a list of addresses; every other field is one text.", *mistyped)


def _emptied(command: c.Edit, policy: Policy) -> Iterator[Refusal]:
    emptied = tuple(
        name
        for name in policy.required_at_opening
        if name in command.changes and not str(command.changes[name] or "").strip()
    )
    if emptied:
        detail = f"Required on this desk, so to be changed but not emptied: {', '.join(emptied)}."
        yield _refuse(RefusalCode.FIELD_REQUIRED, detail, *emptied)


def _survey_at_fault(command: c.Accept, policy: Policy) -> Iterator[Refusal]:
    """desk-rules M12: both questions or none, and only where the desk asks them."""
    if command.survey is None:
        return
    if not policy.survey:
        yield _refuse(RefusalCode.SURVEY_NOT_OFFERED, "This desk asks no survey questions; accept without answers.")
    answers = {"q1": command.survey.q1, "q2": command.survey.q2}
    blank = tuple(name for name, answer in answers.items() if not str(answer).strip())
    if blank:
        yield _refuse(RefusalCode.FIELD_REQUIRED, f"To answer the survey, give: {', '.join(blank)}.", *blank)


def _bad_impact(value: object) -> Iterator[Refusal]:
    if isinstance(value, str) and value not in IMPACTS:
        yield _refuse(RefusalCode.MALFORMED, f"impact: «{value[:50]}» is not one of {', '.join(IMPACTS)}.", "impact")


def _too_long(name: str, value: object, limit: int) -> Iterator[Refusal]:
    if isinstance(value, str) and len(value) > limit:
        yield _refuse(RefusalCode.TOO_LONG, f"{name}: {len(value)} characters; at most {limit}.", name)


def _too_large(name: str, value: object) -> Iterator[Refusal]:
    size = len(value.encode()) if isinstance(value, str) else 0
    if size > TEXT_MAX_BYTES:
        yield _refuse(RefusalCode.TOO_LONG, f"{name}: {size} bytes; at most {TEXT_MAX_BYTES} (64 KiB).", name)


def _out_of_range(name: str, value: object, lowest: int, highest: int) -> Iterator[Refusal]:
    if isinstance(value, int) and not lowest <= value <= highest:
        yield _refuse(RefusalCode.MALFORMED, f"{name}: give a whole number from {lowest} to {highest}.", name)


def _bad_attachments(values: Mapping[str, object]) -> Iterator[Refusal]:
    several = values.get("attachments")
    ids = several if isinstance(several, tuple) else ()
    if len(ids) > ATTACHMENTS_MAX_PER_COMMAND:
        limit = ATTACHMENTS_MAX_PER_COMMAND
        yield _refuse(RefusalCode.TOO_LONG, f"{len(ids)} attachments; at most {limit} at a time.", "attachments")
    one = values.get("attachment")
    for attachment in (*ids, *([one] if one else [])):
        if not _UUID.fullmatch(str(attachment)):
            yield _refuse(RefusalCode.MALFORMED, f"«{str(attachment)[:50]}» is not an attachment's id.", "attachments")


def _bad_addresses(values: Mapping[str, object]) -> Iterator[Refusal]:
    cc = values.get("cc") or ()
    addresses = tuple(str(address) for address in cc) if isinstance(cc, tuple) else ()
    if len(addresses) > CC_MAX_ADDRESSES:
        yield _refuse(RefusalCode.TOO_LONG, f"cc: {len(addresses)} addresses; at most {CC_MAX_ADDRESSES}.", "cc")
    if wrong := invalid_addresses(addresses):
        yield _refuse(RefusalCode.INVALID_ADDRESS, f"Not mail addresses: {', '.join(wrong)}.", "cc")
    for name in ("contact", "assignee", "reporter"):
        value = values.get(name)
        if isinstance(value, str) and invalid_addresses((value,)):
            yield _refuse(RefusalCode.INVALID_ADDRESS, f"{name}: «{value[:100]}» is not a mail address.", name)
