"""desk-rules Windows: when a window of business days ends."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.domain.calendar import BusinessCalendar
from shared.holiday_lists import build_calendar, check_name, holidays_of
from tests.domain import calendar_oracle as oracle

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEK = frozenset({MON, TUE, WED, THU, FRI})
EVERY_DAY = frozenset(range(7))


def calendar(zone: str = "Europe/London", workdays: frozenset[int] = WEEK, *holidays: str) -> BusinessCalendar:
    return BusinessCalendar(zone, workdays, frozenset(map(date.fromisoformat, holidays)))


def local(wall: str, zone: str = "Europe/London", *, second: bool = False) -> datetime:
    """The instant of a local time; of one that happens twice the first unless `second`."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=int(second)).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "business_days", "end"),
    [
        pytest.param("2026-06-05T15:00", 3, "2026-06-10T15:00", id="resolved Friday 15:00 + 3 is Wednesday 15:00"),
        pytest.param("2026-06-05T15:00", 14, "2026-06-25T15:00", id="closed Friday 15:00 + 14 is Thursday 15:00"),
        pytest.param("2026-06-06T10:00", 14, "2026-06-26T00:00", id="closed Saturday 10:00 + 14 is Friday 00:00"),
    ],
)
def test_examples_of_desk_rules_windows(start: str, business_days: int, end: str) -> None:
    found = calendar().window_end(local(start), business_days)
    assert found == local(end)
    assert found.tzinfo is UTC
    if business_days == 14:
        assert date.fromisoformat(end[:10]) - date.fromisoformat(start[:10]) == timedelta(days=20)


def test_desk_rules_windows_skip_the_desks_holidays() -> None:
    christmas = calendar("Europe/London", WEEK, "2026-12-25", "2026-12-28", "2027-01-01")
    assert christmas.window_end(local("2026-12-23T09:30"), 3) == local("2026-12-30T09:30")
    assert christmas.window_end(local("2026-12-25T09:30"), 3) == local("2027-01-04T00:00")


def test_desk_rules_windows_go_by_the_desks_own_days() -> None:
    friday_in_tokyo = utc("2026-06-04T20:00")
    assert calendar("Asia/Tokyo").window_end(friday_in_tokyo, 1) == utc("2026-06-07T20:00")
    assert calendar("Europe/London").window_end(friday_in_tokyo, 1) == utc("2026-06-05T20:00")
    sunday_to_thursday = calendar("Africa/Cairo", frozenset({SUN, MON, TUE, WED, THU}))
    assert sunday_to_thursday.window_end(local("2026-06-04T12:00", "Africa/Cairo"), 2) == local(
        "2026-06-08T12:00", "Africa/Cairo"
    )


def test_desk_rules_windows_keep_the_local_time_over_daylight_saving() -> None:
    end = calendar().window_end(utc("2026-03-27T15:00:00.123456"), 1)
    assert end == utc("2026-03-30T14:00:00.123456")


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        pytest.param("Europe/Berlin", "2026-03-28T02:30:15", "2026-03-29T03:30:15", id="at night"),
        pytest.param("Africa/Cairo", "2026-04-23T00:00", "2026-04-24T01:00", id="at midnight"),
        pytest.param("America/Sao_Paulo", "2018-11-03T00:59:59", "2018-11-04T01:59:59", id="at midnight, in spring"),
        pytest.param("Australia/Lord_Howe", "2026-10-03T02:10", "2026-10-04T02:40", id="by half an hour"),
        pytest.param("America/Scoresbysund", "2026-03-27T23:30", "2026-03-29T00:30", id="past midnight"),
    ],
)
def test_desk_rules_windows_a_skipped_time_moves_forward_by_the_gap(zone: str, start: str, end: str) -> None:
    assert calendar(zone, EVERY_DAY).window_end(local(start, zone), 1) == local(end, zone)


def test_desk_rules_windows_midnight_skipped() -> None:
    """In Beirut 2026-03-29 begins at 01:00."""
    closed = calendar("Asia/Beirut", EVERY_DAY, "2026-03-27")
    assert closed.window_end(local("2026-03-27T12:00", "Asia/Beirut"), 1) == local("2026-03-29T01:00", "Asia/Beirut")
    closed = calendar("Asia/Beirut", EVERY_DAY, "2026-03-28")
    assert closed.window_end(local("2026-03-28T12:00", "Asia/Beirut"), 1) == local("2026-03-30T00:00", "Asia/Beirut")


def test_desk_rules_windows_a_time_that_happens_twice_means_the_first() -> None:
    every_day = calendar("Europe/Berlin", EVERY_DAY)
    assert every_day.window_end(local("2026-10-24T02:30", "Europe/Berlin"), 1) == utc("2026-10-25T00:30")
    second = local("2026-10-25T02:30:15.123456", "Europe/Berlin", second=True)
    assert second == utc("2026-10-25T01:30:15.123456")
    assert every_day.window_end(second, 1) == utc("2026-10-26T01:30:15.123456")
    assert every_day.window_end(second, 371) == utc("2027-10-31T00:30:15.123456")


def test_a_start_in_the_second_of_two_hours_still_moves_forward_over_a_gap() -> None:
    """Morocco turns its clocks back before Ramadan and forward after it, five weeks apart, at the same hour."""
    second = local("2026-02-15T02:30", "Africa/Casablanca", second=True)
    sundays = calendar("Africa/Casablanca", frozenset({SUN}))
    assert sundays.window_end(second, 5) == local("2026-03-22T03:30", "Africa/Casablanca")


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21"), ("Pacific/Kiritimati", "1994-12-31")],
)
def test_a_day_that_the_zone_left_out_is_no_business_day(zone: str, skipped: str) -> None:
    day = date.fromisoformat(skipped)
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    desk = calendar(zone, EVERY_DAY)
    assert [desk.is_business_day(each) for each in (before, day, after)] == [True, False, True]
    start = local(f"{before}T10:00", zone)
    assert desk.window_end(start, 1) == local(f"{after}T10:00", zone) == start + timedelta(days=1)
    assert desk.window_end(start, 2) == start + timedelta(days=2)


def test_business_days_are_workdays_that_are_no_holidays() -> None:
    desk = calendar("Europe/London", WEEK, "2026-12-25")
    found = [desk.is_business_day(date(2026, 12, day)) for day in (23, 24, 25, 26, 27, 28)]
    assert found == [True, True, False, False, False, True]


def test_a_day_partly_skipped_remains_a_business_day() -> None:
    assert calendar("Asia/Beirut", EVERY_DAY).is_business_day(date(2026, 3, 29))
    assert calendar("America/Scoresbysund", EVERY_DAY).is_business_day(date(2026, 3, 28))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: calendar("Europe/Londn"), "unknown time zone 'Europe/Londn': did you mean Europe/London"),
        (lambda: calendar("nowhere at all"), "use an IANA name such as Europe/London"),
        (lambda: calendar("localtime"), "unknown time zone"),
        (lambda: calendar("UTC", frozenset()), "one or more of 0 .Monday. to 6 .Sunday., not \\[\\]"),
        (lambda: calendar("UTC", frozenset({0, 7})), "not \\[0, 7\\]"),
        (lambda: calendar().window_end(datetime(2026, 6, 5), 1), "needs a time zone"),  # noqa: DTZ001
        (lambda: calendar().window_end(utc("2026-06-05"), 0), "1 business day or more, not 0"),
        (lambda: calendar().window_end(utc("9999-12-30"), 9), "leaves the years 1 to 9999"),
    ],
)
def test_what_is_wrong_is_refused_and_says_what_is_allowed(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_calendar_without_business_days_is_refused_in_bounded_time() -> None:
    first = date(2026, 1, 1)
    closed = frozenset(first + timedelta(days=n) for n in range(3 * 366))
    desk = BusinessCalendar("Europe/London", EVERY_DAY, closed)
    with pytest.raises(ValueError, match="no business day in the 366 days after 2026-02-01"):
        desk.window_end(utc("2026-02-01T10:00"), 1)
    almost = BusinessCalendar("UTC", EVERY_DAY, frozenset(first + timedelta(days=n) for n in range(366)))
    assert almost.window_end(utc("2026-01-01T10:00"), 1) == utc("2027-01-03T00:00")


# --- holiday lists ---


def test_lists_of_the_library_by_name() -> None:
    """The bank holidays of England in 2026, as its government publishes them; Christmas observed on a Monday."""
    england = {date(2026, *day) for day in ((1, 1), (4, 3), (4, 6), (5, 4), (5, 25), (8, 31), (12, 25), (12, 28))}
    assert england == {day for day in holidays_of(["GB-ENG"], [2026]) if day.weekday() in WEEK}
    assert date(2026, 6, 4) in holidays_of(["DE-BY"], [2026]) - holidays_of(["DE-BE"], [2026])
    assert holidays_of(["GB-ENG", "US"], [2026, 2027]) == frozenset().union(
        *(holidays_of([name], [year]) for name in ("GB-ENG", "US") for year in (2026, 2027))
    )
    assert holidays_of([], [2026]) == frozenset()


def test_a_list_that_warns_of_its_end_is_usable() -> None:
    assert date(2036, 1, 26) in holidays_of(["IN"], range(2026, 2037))


def test_single_days_stand_among_the_names() -> None:
    assert holidays_of(["2026-12-24", "2028-02-29"], [2026]) == {date(2026, 12, 24), date(2028, 2, 29)}


@pytest.mark.parametrize("name", ["GB", "GB-ENG", "DE-BY", "US", "UK", "2026-12-24"])
def test_names_accepted(name: str) -> None:
    check_name(name)
    assert holidays_of([name], [2026])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gb-eng", "did you mean GB-ENG"),
        ("DE-BAY", "did you mean DE-BY"),
        ("US-", "unknown holiday list 'US-'"),
        ("Atlantis", "use a country such as GB, a country and region such as GB-ENG, or a single day"),
        ("", "unknown holiday list ''"),
        ("2026-02-30", "not a day of the calendar"),
        ("20261224", "unknown holiday list '20261224'"),
    ],
)
def test_names_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_name(name)
    with pytest.raises(ValueError, match=message):
        holidays_of(["GB", name], [2026])


def test_a_desks_calendar() -> None:
    desk = build_calendar("Europe/London", ["mon", "sat", "sun"], ["GB-ENG", "2026-12-26"], utc("2026-12-20T10:00"))
    assert desk.timezone == "Europe/London"
    assert desk.workdays == {MON, SAT, SUN}
    assert {date(2025, 12, 25), date(2026, 12, 26), date(2026, 12, 28), date(2036, 12, 25)} <= desk.holidays
    assert desk.window_end(local("2026-12-20T10:00"), 2) == local("2026-12-27T10:00")


def test_a_desks_calendar_knows_its_holidays_for_500_business_days() -> None:
    start = utc("2026-12-31T10:00")
    desk = build_calendar("UTC", ["fri"], ["US"], start)
    assert desk.window_end(start, 500).year <= max(desk.holidays).year


@pytest.mark.parametrize(("workdays", "message"), [(["mon", "Tuesday"], "mon, tue.* not Tuesday"), ([], "not none")])
def test_a_desks_workdays_refused(workdays: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_calendar("UTC", workdays, [], utc("2026-01-01"))


# --- drawn cases ---

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
LISTS = ("GB-ENG", "GB-SCT", "DE-BY", "US", "BR", "EG", "IL", "IN", "JP", "LK", "NZ", "SA", "WS", "CN")
YEARS = range(1990, 2063)
EPOCH = datetime(1990, 1, 1, tzinfo=UTC)
MICROSECONDS = (datetime(2060, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


class Window(NamedTuple):
    desk: BusinessCalendar
    start: datetime
    business_days: int

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.desk.timezone)

    @property
    def starts_at(self) -> datetime:
        return oracle.wall_clock(self.zone, self.start)

    @property
    def counts_at_once(self) -> bool:
        return self.desk.is_business_day(self.starts_at.date())

    @property
    def wanted(self) -> time:
        return self.starts_at.time() if self.counts_at_once else time.min

    def end(self) -> datetime:
        return self.desk.window_end(self.start, self.business_days)


@cache
def listed(name: str) -> frozenset[date]:
    return holidays_of([name], YEARS)


@cache
def clock_changes(zone: str) -> st.SearchStrategy[datetime]:
    return st.sampled_from(oracle.clock_changes(ZoneInfo(zone)) or [EPOCH])


# Made once: building strategies anew for every draw takes longer than the draws.
BITS = st.tuples(st.integers(0, 2**100 - 1), st.integers(0, 2**100 - 1)).map(lambda pair: pair[0] & pair[1])
DAYS_OFF = st.just(0) | BITS | st.sampled_from(LISTS)
WORKDAYS = (st.sampled_from([0b1111111, 0b0011111]) | st.integers(1, 0b1111111)).map(
    lambda bits: frozenset(day for day in range(7) if bits >> day & 1)
)
NEAR = st.sampled_from(["end", "start", "end", "anywhere"])
INSTANTS = st.integers(0, MICROSECONDS).map(lambda n: EPOCH + timedelta(microseconds=n))
# The hour before a jump is the one that may happen twice, the hour after it the one that may be skipped. By halves,
# because a single range would mostly be drawn near its zero.
NEARBY = st.tuples(st.sampled_from([0, -3600, 1800, -1800]), st.integers(0, 1800)).map(
    lambda drawn: timedelta(seconds=sum(drawn))
)


def days_off(drawn: int | str, around: date) -> frozenset[date]:
    if isinstance(drawn, str):
        return listed(drawn)
    return frozenset(around + timedelta(days=n - 50) for n in range(100) if drawn >> n & 1)


def counted_back(desk: BusinessCalendar, day: date, business_days: int) -> date:
    while business_days:
        day -= timedelta(days=1)
        business_days -= day.weekday() in desk.workdays and day not in desk.holidays
    return day


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Windows anywhere, and as often ones that start or end within hours of a jump of the clock."""
    name = draw(st.sampled_from(ZONES))
    zone = ZoneInfo(name)
    business_days = draw(st.integers(1, 30))
    near = draw(NEAR)
    if near == "anywhere":
        at = oracle.wall_clock(zone, draw(INSTANTS))
    else:
        at = oracle.wall_clock(zone, draw(clock_changes(name)) - oracle.SECOND) + oracle.SECOND + draw(NEARBY)
    desk = BusinessCalendar(name, draw(WORKDAYS), days_off(draw(DAYS_OFF), at.date()))
    if near == "end":
        at = datetime.combine(counted_back(desk, at.date(), business_days), at.time())
    return Window(desk, at.replace(tzinfo=zone, fold=draw(st.integers(0, 1))).astimezone(UTC), business_days)


DRAWN = settings(
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_the_calendar_agrees_with_the_oracle_on_10_000_drawn_windows() -> None:
    """desk-rules Windows, daylight saving included: the draws must have met each of its cases often."""
    met: Counter[str] = Counter()

    @settings(DRAWN, max_examples=10_000)
    @given(windows())
    def agree(window: Window) -> None:
        end = window.end()
        desk = window.desk
        assert end == oracle.window_end(window.zone, desk.workdays, desk.holidays, window.start, window.business_days)
        ends_at = oracle.wall_clock(window.zone, end)
        met["drawn"] += 1
        met["closed at the start"] += not window.counts_at_once
        met["start happens twice"] += oracle.is_shown_twice(window.zone, window.start)
        met["end happens twice"] += oracle.is_shown_twice(window.zone, end)
        met["end skipped"] += ends_at.time() != window.wanted

    agree()
    assert met["drawn"] >= 10_000
    rare = {what: times for what, times in met.items() if times < 50}
    assert not rare, f"the draws hardly ever met {rare}"


@settings(DRAWN, max_examples=1_000)
@given(windows())
def test_the_end_lies_after_the_start_by_the_business_days_counted(window: Window) -> None:
    """N business days after the start's day; one more where the first only begins the count."""
    end = window.end()
    assert end > window.start
    ends_at = oracle.wall_clock(window.zone, end)
    pushed_past_midnight = ends_at.time() < window.wanted
    first, last = window.starts_at.date(), ends_at.date() - timedelta(days=pushed_past_midnight)
    after = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    counted = sum(map(window.desk.is_business_day, after))
    assert counted == window.business_days + (not window.counts_at_once)


@settings(DRAWN, max_examples=1_000)
@given(windows())
def test_the_end_keeps_the_local_time_of_day_unless_the_clock_skips_it(window: Window) -> None:
    ends_at = oracle.wall_clock(window.zone, window.end())
    if ends_at.time() != window.wanted:
        days = (ends_at.date(), ends_at.date() - timedelta(days=1))
        skipped = [datetime.combine(day, window.wanted) for day in days]
        assert any(wall < ends_at and not oracle.is_shown(window.zone, wall) for wall in skipped)


@settings(DRAWN, max_examples=1_000)
@given(windows(), st.integers(0, 5 * 86_400), st.integers(0, 3))
def test_a_later_start_or_a_longer_window_never_ends_earlier(window: Window, seconds: int, more: int) -> None:
    """By the clock on the wall, and where it skips nothing: a skipped 02:10 ends at 03:10, after an unskipped 03:05."""
    later = window._replace(start=window.start + timedelta(seconds=seconds), business_days=window.business_days + more)
    assume(later.starts_at >= window.starts_at)
    for each in (window, later):
        assume(oracle.wall_clock(each.zone, each.end()).time() == each.wanted)
    assert later.end() >= window.end()
