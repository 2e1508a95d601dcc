"""Where a figure leads: to the list of exactly the cases that it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from services.api.overview.figures import WORKED_ON
from services.api.overview.schemas import Days
from services.api.portal.pages import DeskPage
from shared.domain.policy import Policy

NOBODY: Final = "none"
"""The list's word for cases without an assignee."""


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of a page's figures.

    Args:
        page: on whose desk.
        days: of the period.
    """

    page: DeskPage
    days: Days

    def period(self, days: int) -> str:
        """The overview of another period."""
        return f"{self.page.path('overview')}?days={days}"

    def behind(self, of: str, **narrowed: str | int | date | Sequence[str] | None) -> str:
        """The cases behind a figure of the period, or of an age: the list has no filter for these.

        Args:
            of: the figure's name.
            narrowed: to an ``age``, ``status``, ``assignee``, ``product`` or ``account``, empty text: to those without;
                to days, from ``first`` to ``last``; to answers that gave a ``question`` a ``mark``.
        """
        given = {name: value for name, value in narrowed.items() if value is not None}
        return f"{self.page.path('overview', 'cases')}?{urlencode({'of': of, 'days': self.days} | given, doseq=True)}"

    def open(self, statuses: Sequence[str] = WORKED_ON, **narrowed: str | None) -> str:
        """Open cases, in the list itself where its filters can say exactly which.

        They can't where the list must be narrowed by something that cases may lack, and for cases without a product or
        account.

        Args:
            statuses: of the cases.
            narrowed: to an ``assignee``, ``product`` or ``account``; empty text: to those without.
        """
        without = any(value == "" for name, value in narrowed.items() if name != "assignee")
        needed = set(self.page.caller.desk.policy.required_filters) - {"status", *narrowed}
        if without or needed:
            return self.behind("open", status=statuses, **narrowed)
        chosen = {name: value or NOBODY for name, value in narrowed.items()}
        words = filter_words(self.page.caller.desk.policy, statuses)
        return f"{self.page.path('cases')}?{urlencode({'status': words, **chosen, 'sort': 'created_at'}, doseq=True)}"


def filter_words(policy: Policy, statuses: Sequence[str]) -> list[str]:
    """How the list's status filter says these statuses: by the desk's own choices where they fit, else one by one."""
    words, left = [], dict.fromkeys(statuses)
    for group in policy.groups():
        if set(group.statuses) <= left.keys():
            words.append(group.label)
            for status in group.statuses:
                del left[status]
    return [*words, *left]
