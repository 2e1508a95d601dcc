"""What a service account may be allowed to do. The one list of scopes."""

from __future__ import annotations

SCOPES: dict[str, str] = {
    "case.open": "open cases, and follow-ups of closed ones",
    "case.read": "read cases and lists of cases",
    "case.comment": "comment",
    "case.note": "write notes that only staff see",
    "case.edit": "change fields of a case",
    "case.assign": "assign",
    "case.escalate": "escalate",
    "case.resolve": "resolve",
    "case.close": "close",
    "case.reopen": "reopen",
    "case.attach": "upload files, attach them, and remove those again",
    "events.read": "follow the events of the desk",
}
"""Scope → what it allows, as documentation says it."""
