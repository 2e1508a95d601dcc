"""Whether a file is taken: by its name, by what the desk takes, and by its content, whatever the name says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from services.api.attachments.archives import NotReadableError, directory_of, why_a_bomb
from services.api.attachments.evidence import Evidence
from services.api.attachments.filenames import ending_of
from services.api.attachments.types import DOWNLOAD_ALONE, RECORDINGS, TYPES, UNSAFE, is_executable
from services.api.problems import FieldError, Problem
from shared.domain.policy import Policy

Kind = Literal["file", "recording"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A file that is taken: under which name, and as what it is sent out."""

    filename: str
    content_type: str


def refuse_hopeless(filename: str, policy: Policy) -> None:
    """Refuse what could be neither a file nor a recording, before its content has come.

    Raises:
        Problem: 415.
    """
    ending = ending_of(filename)
    if ending not in RECORDINGS and "." in filename:
        _check_ending(ending, policy)


def judge(kind: Kind, filename: str, policy: Policy, evidence: Evidence) -> Judged:
    """Decide whether a file is taken.

    Args:
        kind: what it is sent as. Recordings are WebM or MP4, on every desk, whatever its list says (desk-rules A4, C9).
        filename: made safe.
        policy: the desk's.
        evidence: of its whole content.

    Raises:
        Problem: 415 ``attachment_type_not_allowed``, with what is allowed.
    """
    if is_executable(evidence):
        raise _refused("The file is a program by its content, whatever its name says. Programs are not taken.", policy)
    if kind == "recording":
        return _recording(filename, policy, evidence)
    ending = ending_of(filename)
    _check_ending(ending, policy)
    known = TYPES.get(ending)
    if known and not known.fits(evidence):
        raise _refused(
            f"The file is named .{ending}, but its content is not of that type, or is damaged. "
            "Save it again under the ending that belongs to it.",
            policy,
        )
    _check_archive(policy, evidence)
    return Judged(filename, known.content_type if known else DOWNLOAD_ALONE)


def _recording(filename: str, policy: Policy, evidence: Evidence) -> Judged:
    for ending, recording in RECORDINGS.items():
        if recording.fits(evidence):
            named = filename if ending_of(filename) == ending else f"{filename.rpartition('.')[0] or filename}.{ending}"
            return Judged(named, recording.content_type)
    raise _refused("A recording is a video in WebM or MP4; this is neither by its content.", policy, RECORDINGS)


def _check_ending(ending: str, policy: Policy) -> None:
    allowed = policy.attachment_types
    if allowed is not None and ending not in allowed:
        shown = f"«.{ending}»" if ending else "without an ending"
        raise _refused(f"Files {shown} are not taken on this desk; allowed are: {', '.join(allowed)}.", policy)
    if allowed is None and ending in UNSAFE:
        raise _refused(
            f"Files «.{ending}» are not taken: they can do harm when somebody opens them. If it must be, pack it into "
            "a zip archive and say what it is.",
            policy,
        )


def _check_archive(policy: Policy, evidence: Evidence) -> None:
    if not evidence.head.startswith(b"PK"):
        return
    try:
        bomb = why_a_bomb(directory_of(evidence))
    except NotReadableError:
        return
    if bomb:
        raise _refused(f"The archive is made to fill a disk: {bomb}. It is not taken.", policy)


def _refused(detail: str, policy: Policy, allowed: Collection[str] | None = None) -> Problem:
    endings = allowed or policy.attachment_types
    error = FieldError(field="file", message=detail, allowed=list(endings) if endings else None)
    return Problem("attachment_type_not_allowed", detail, errors=[error])
