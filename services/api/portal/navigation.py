"""What the side bar offers: each page once, to whom, and under which key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.api.authorisation import Access, may
from services.api.callers import Caller


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the desk.

    Args:
        label: what it is called.
        path: below ``/desks/{desk}/``; pages below it belong to it.
        icon: one of ``icons.txt``.
        key: that leads there after ``g``; empty: none.
        shown: whether somebody finds it in the side bar.
    """

    label: str
    path: str
    icon: str
    key: str
    shown: Callable[[Caller], bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """A place as it stands in somebody's side bar."""

    label: str
    address: str
    icon: str
    key: str
    current: bool


def _may_list(caller: Caller) -> bool:
    return may(caller, Access.LIST)


def _may_use_replies(caller: Caller) -> bool:
    return may(caller, Access.REPLIES)


def _may_see_figures(caller: Caller) -> bool:
    return may(caller, Access.OVERVIEW)


def _may_see_setup(caller: Caller) -> bool:
    return may(caller, Access.SETUP)


PLACES: Final[tuple[Place, ...]] = (
    Place("Cases", "cases", "inbox", "c", _may_list),
    Place("Canned replies", "replies", "message-square-text", "r", _may_use_replies),
    Place("Overview", "overview", "chart-column", "o", _may_see_figures),
    Place("Administration", "admin", "settings", "s", _may_see_setup),
)
"""In the order of the side bar. Whoever adds pages adds their place."""


def navigation(caller: Caller, path: str) -> list[Shown]:
    """The places that somebody finds, the one they are at marked.

    Args:
        caller: who looks.
        path: of the page that they look at.
    """
    base = f"/desks/{caller.desk.slug}/"
    shown = [place for place in PLACES if place.shown(caller)]
    here = [place for place in shown if f"{path}/".startswith(f"{base}{place.path}/")]
    current = max(here, key=lambda place: len(place.path), default=None)
    return [Shown(each.label, base + each.path, each.icon, each.key, each is current) for each in shown]
