"""Mail headers out of what people typed, and the ids that make a case one conversation."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid
from email.headerregistry import Address
from email.utils import parseaddr

_DROPPED = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")


def header_text(typed: str) -> str:
    """Text that can stand in a header without becoming another one.

    Control characters and everything that ends a line become spaces; encoded words lose their opening, because
    Python before 3.11.10 decodes them and then writes the line ends they hide (CVE-2024-6923).
    """
    printable = "".join(" " if unicodedata.category(char) in _DROPPED else char for char in typed)
    visible = "".join(char for char in printable if char not in _DIRECTION_MARKS)
    return " ".join(visible.replace("=?", "= ?").split())


def sender(mail_from: str, desk_name: str) -> Address:
    """The desk as the sender of a mail.

    Args:
        mail_from: the setting ``mail_from``: an address, with a name or without.
        desk_name: shown in place of that name.

    Raises:
        ValueError: the setting is no mail address.
    """
    address = parseaddr(mail_from)[1]
    if not _ADDRESS.fullmatch(address):
        raise ValueError(
            f"CASEBOUND_MAIL_FROM is «{mail_from}»; it must be an address such as Support <me@you.example>"
        )
    return Address(display_name=header_text(desk_name), addr_spec=address)


def receiver(address: str) -> Address:
    """The recipient of a mail.

    Raises:
        ValueError: it can't stand in a header.
    """
    if not _ADDRESS.fullmatch(address) or "=?" in address:
        raise ValueError(f"«{address}» is no address that mail can be sent to")
    return Address(addr_spec=address)


def message_id(case_id: uuid.UUID, seq: int, recipient: str, domain: str) -> str:
    """Id of the mail about an event to a recipient, the same however often it is sent; 0 for the conversation."""
    who = hashlib.sha256(recipient.encode()).hexdigest()[:16]
    return f"<{case_id}.{seq}.{who}@{domain}>"
