"""What the embedded stack raises."""

from __future__ import annotations


class StackError(Exception):
    """Something the operator has to know; the message says what went wrong and what to do."""


class UnreachableError(Exception):
    """A server or service does not answer, or not yet; the message says in what way."""


class NotReadyError(UnreachableError):
    """A service runs and says that it is not ready yet; the message says why."""
