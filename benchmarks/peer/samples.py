"""What the cases of both sides are about; imported in both environments, so pure standard library."""

from __future__ import annotations

CUSTOMER = "bob@acme.example"
DESCRIPTION = "Since this morning. " * 20
SEVERITIES = ("Critical", "High", "Low")
"""Of which the cases have each in turn. The peer's priorities 1, 2 and 3 stand for them."""
LISTED = "High"
PAGE = 25
COMMENT = "We are looking into it."
WORKED_ON = {"subject": "hello", "description": "hello", "severity": "Low"}
"""A case that is commented on, and neither listed nor found."""
STATIONS = 100
"""Each is named by one case in a hundred: the words to search for."""


def station(number: int) -> str:
    """A word that is no other's beginning."""
    return f"station{number % STATIONS:03}"


def subject(number: int) -> str:
    """Of the case with that number."""
    return f"Invoice run {number} stops at {station(number)}"
