"""Durations as people write them at a terminal."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from services.local.errors import StackError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``30m``, ``36h`` or ``4d``.

    Raises:
        StackError: it is none of these, or zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise StackError(f"{text!r} is not a duration: write a whole number and s, m, h or d, as in 90s, 36h, 4d")
    try:
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
        datetime.now(UTC) + duration
    except OverflowError:
        raise StackError(f"{text!r} is too long a time") from None
    return duration
