"""Public holidays by name, from the holidays library, and the calendar of a desk made of them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from functools import cache, lru_cache

from shared.domain.calendar import BusinessCalendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

YEARS_AHEAD = 10
"""Enough for 500 business days of a desk that works on one day a week."""

_ALLOWED = "a country such as GB, a country and region such as GB-ENG, or a single day such as 2026-12-24"


def build_calendar(
    timezone: str, workdays: Sequence[str], holidays: Sequence[str], around: datetime
) -> BusinessCalendar:
    """Make a desk's calendar, good for windows that start about `around` (desk-rules Windows).

    Args:
        timezone: IANA name such as `Europe/London`.
        workdays: from `mon` to `sun`, at least one.
        holidays: names of lists and single days, see `check_name`.
        around: the holidays are those from the year before it to `YEARS_AHEAD` years after it.

    Raises:
        ValueError: unknown time zone, workday or holiday list; says what is allowed.
    """
    unknown = [day for day in workdays if day not in WEEKDAYS]
    if unknown or not workdays:
        raise ValueError(f"workdays are one or more of {', '.join(WEEKDAYS)}, not {', '.join(unknown) or 'none'}")
    return BusinessCalendar(
        timezone=timezone,
        workdays=frozenset(WEEKDAYS.index(day) for day in workdays),
        holidays=holidays_of(holidays, range(around.year - 1, around.year + YEARS_AHEAD + 1)),
    )


def holidays_of(names: Sequence[str], years: Iterable[int]) -> frozenset[date]:
    """Return the public holidays of all the named lists in `years`.

    Holidays that fall on a weekend include the days on which they are observed instead. A single day among the names
    is taken whatever its year. A few lists end early (LK in 2026, the Hindu holidays of IN in 2035); later years then
    have fewer holidays, never an error.

    Raises:
        ValueError: a name that `check_name` refuses.
    """
    wanted = tuple(years)
    for name in names:
        check_name(name)
    single_days = {date.fromisoformat(name) for name in names if _is_day(name)}
    lists = [name for name in names if not _is_day(name)]
    return frozenset(single_days.union(*(_public_holidays(name, year) for name in lists for year in wanted)))


def holiday_names(names: Sequence[str], years: Iterable[int]) -> dict[date, str]:
    """What the days of `holidays_of` are called, in date order; single days among the names have no name of their own.

    Raises:
        ValueError: a name that `check_name` refuses.
    """
    wanted = tuple(years)
    called = dict.fromkeys(holidays_of(names, wanted), "")
    for name in (name for name in names if not _is_day(name)):
        for year in wanted:
            called |= _public_holidays(name, year)
    return dict(sorted(called.items()))


def check_name(name: str) -> None:
    """Accept the name of a holiday list (`GB`, `GB-ENG`: ISO 3166 codes of the holidays library) or an ISO date.

    Raises:
        ValueError: no such list or day; the message names what is allowed and what comes close.
    """
    if _is_day(name):
        _check_day(name)
    elif name not in _known_names():
        raise ValueError(f"unknown holiday list {name!r}: use {_ALLOWED}{_suggestion(name)}")


def _is_day(name: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", name) is not None


def _check_day(name: str) -> None:
    try:
        date.fromisoformat(name)
    except ValueError as error:
        raise ValueError(f"holiday {name!r} is not a day of the calendar: {error}") from None


def _suggestion(name: str) -> str:
    wanted = name.upper()
    regions = {known for known in _known_names() if known.startswith(f"{wanted.partition('-')[0]}-")}
    if wanted in _known_names():
        close = [wanted]
    elif code := _codes_by_country().get(re.sub(r"\W+", "_", name.lower())):
        close = [code]
    else:
        # A country's name is like no code; only a code with a slip in it is.
        close = get_close_matches(wanted, regions, n=3, cutoff=0.5) if regions else []
    return f"; did you mean {' or '.join(close)}?" if close else ""


@cache
def _known_names() -> frozenset[str]:
    from holidays import list_supported_countries  # slow to import, and needed only by a desk that names a list

    countries = list_supported_countries(include_aliases=True)
    return frozenset(countries) | {
        f"{country}-{region}" for country, regions in countries.items() for region in regions
    }


@cache
def _codes_by_country() -> dict[str, str]:
    """ISO codes by the countries' names, as in ``united_kingdom``."""
    from holidays.registry import COUNTRIES

    return {country: codes[1] for country, codes in COUNTRIES.items()}


@lru_cache(maxsize=4096)
def _public_holidays(name: str, year: int) -> dict[date, str]:
    from holidays import country_holidays

    country, _, region = name.partition("-")
    with warnings.catch_warnings():
        # Some lists warn beyond the years they know; nobody is there to read it when a window is computed.
        warnings.simplefilter("ignore")
        return dict(country_holidays(country, subdiv=region or None, years=year, expand=False))
