"""Who somebody has proved to be, before any desk is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A person by address, or a service account by name and desk.

    Args:
        email: of a person.
        name: of a service account.
        desk: the only desk on which the proof is good; None for all.
        expires_at: when the proof ends.
        session: hash of the token of the log-in session that is the proof; None where a bearer token is.
    """

    email: str | None
    name: str | None
    desk: str | None
    expires_at: datetime
    session: bytes | None = None

    @property
    def who(self) -> tuple[str | None, str | None, str | None]:
        """What decides who they are, whatever proves it."""
        return self.email, self.name, self.desk
