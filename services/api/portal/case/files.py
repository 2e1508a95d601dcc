"""The files of a case as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.callers import Caller
from services.api.cases.records import CaseRecord
from services.api.portal.dates import Reader
from shared.domain.policy import Policy

_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PREVIEW_MAX_BYTES: Final = 3 * 1024 * 1024
_KILO: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class FileShown:
    """One file.

    Args:
        address: from which it is downloaded.
        looks: how it is shown: ``recording`` plays, ``picture`` is seen, ``file`` is named.
        removable: whether whoever looks may take it off the case now.
    """

    id: str
    filename: str
    address: str
    size: int
    looks: str
    content_type: str
    uploaded_by: str
    created_at: datetime
    seq: int
    internal: bool
    removable: bool


def shown(file: Mapping[str, Any], caller: Caller, record: CaseRecord) -> FileShown:
    """A file for whoever looks.

    Args:
        file: as ``files_of`` gives it.
        caller: who looks.
        record: the case.
    """
    return FileShown(
        id=file["id"],
        filename=file["filename"],
        address=f"/api/v1/desks/{caller.desk.slug}/cases/{record.number}/attachments/{file['id']}",
        size=file["size"],
        looks=_looks(file),
        content_type=file["content_type"],
        uploaded_by=file["uploaded_by"],
        created_at=datetime.fromisoformat(file["created_at"]),
        seq=file["seq"],
        internal=file["internal"],
        removable=file["removable"],
    )


def size_in_words(size: int, reader: Reader) -> str:
    """A size as people read it: ``1.4 MB``."""
    amount, unit = float(size), "bytes"
    for larger in ("KB", "MB", "GB"):
        if amount < _KILO:
            break
        amount, unit = amount / _KILO, larger
    return f"{reader.number(round(amount, 1 if unit not in ('bytes', 'KB') else 0))} {unit}"


def rules_in_words(policy: Policy, reader: Reader) -> str:
    """Which files the desk takes (desk-rules T6)."""
    most = size_in_words(policy.attachment_max_bytes, reader)
    if policy.attachment_types is None:
        return f"Any safe type of file, at most {most} each."
    return f"At most {most} each. Types: {', '.join(policy.attachment_types)}."


def _looks(file: Mapping[str, Any]) -> str:
    if file["kind"] == "recording":
        return "recording"
    return "picture" if file["content_type"] in _PICTURES and file["size"] <= _PREVIEW_MAX_BYTES else "file"
