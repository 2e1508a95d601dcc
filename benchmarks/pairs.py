"""Ours beside somebody else's, measured in turn."""

from __future__ import annotations

import statistics


def pairs_as_figures(name: str, beside: str, pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Medians of both sides, and of the ratios of the pairs.

    Args:
        name: of what was measured.
        beside: what the other side is called.
        pairs: theirs and ours, round by round.
    """
    return {
        f"{name}, {beside}": statistics.median(other for other, _ in pairs),
        f"{name}, ours": statistics.median(ours for _, ours in pairs),
        f"{name}, ratio": statistics.median(ours / other for other, ours in pairs),
    }
