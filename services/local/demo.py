"""The demo desks of a fresh stack."""

from __future__ import annotations

from shared.settings import Settings


def apply_demo_desks(settings: Settings) -> list[str]:
    """Create or update the demo desks.

    Args:
        settings: of a migrated stack.

    Returns:
        A line for each demo log-in, to be printed.
    """
    del settings
    return []
