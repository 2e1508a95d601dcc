"""The statements behind the figures. Each reads what it counts by an index, and no more than the period has.

- What is open now: the partial index of open cases.
- What happened in a period: the cases that were touched since its beginning (index by desk and time of change), and of
  these the events that decide something (primary key). A case that had such an event since has been changed since.

All are read through the caller's eyes; times of events are by the case's own clock.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import TextClause, text

AGES: Final = (1, 3, 5, 10)
"""Where one age of open cases ends and the next begins, in business days."""
_AGES: Final = ", ".join(f"{days * 86400}.0" for days in AGES)


def _passed(instant: str) -> str:
    """Business time until an instant, in seconds: the step table of ``hours.py`` in SQL."""
    place = f"greatest(width_bucket({instant}, calendar.bounds), 1)"
    since = f"greatest(extract(epoch FROM {instant} - calendar.bounds[{place}]), 0)"
    return f"(calendar.passed[{place}] + calendar.working[{place}] * {since})"


_CALENDAR: Final = """
    calendar AS (
        SELECT CAST(:bounds AS timestamptz[]) AS bounds, CAST(:passed AS float8[]) AS passed,
               CAST(:working AS float8[]) AS working
    )"""

_BACKLOG: Final = f"""
    backlog AS (
        SELECT c.id, c.number, c.subject, c.status, c.assignee, c.product, c.account, a.age AS seconds,
               c.created_at AS at, width_bucket(a.age, ARRAY[{_AGES}]) AS bucket
        FROM "case" AS c CROSS JOIN calendar
        CROSS JOIN LATERAL (
            SELECT CAST({_passed("(now() + c.clock_offset)")} - {_passed("c.created_at")} AS numeric) AS age
        ) AS a
        WHERE c.desk_id = :desk AND c.status <> 'closed'
    )"""  # noqa: S608 - put together from words of this file

_PERIOD: Final = f"""
    touched AS MATERIALIZED (
        SELECT id, number, subject, status, assignee, product, account, created_at
        FROM "case" WHERE desk_id = :desk AND updated_at >= :since
    ),
    happened AS MATERIALIZED (
        SELECT e.case_id, e.seq, e.kind, e.at, e.actor ->> 'kind' AS who,
               CASE WHEN e.kind IN ('accepted', 'surveyed') THEN e.data -> 'survey' END AS survey
        FROM touched JOIN case_event AS e ON e.case_id = touched.id
        WHERE e.kind IN ('opened', 'commented', 'resolved', 'closed', 'reopened', 'rejected', 'accepted', 'surveyed')
    ),
    turned AS (
        SELECT case_id, seq, kind, at, lag(kind) OVER (PARTITION BY case_id ORDER BY seq) AS before
        FROM happened WHERE kind IN ('opened', 'resolved', 'closed', 'reopened', 'rejected')
    ),
    ended AS (
        SELECT case_id, seq, kind, at, lead(kind) OVER (PARTITION BY case_id ORDER BY seq) AS afterwards
        FROM turned WHERE NOT (kind = 'closed' AND before = 'resolved')
    ),
    opened AS (
        SELECT touched.*, created_at AS at, CAST(NULL AS float8) AS seconds FROM touched WHERE created_at >= :since
    ),
    answered AS (
        SELECT touched.*, first.at, {_passed("first.at")} - {_passed("touched.created_at")} AS seconds
        FROM touched CROSS JOIN calendar JOIN (
            SELECT case_id, min(at) AS at FROM happened
            WHERE who = 'staff' AND kind IN ('commented', 'resolved', 'closed') GROUP BY case_id
        ) AS first ON first.case_id = touched.id
        WHERE first.at >= :since
    ),
    solved AS (
        SELECT touched.*, ended.at, ended.afterwards, {_passed("ended.at")} - {_passed("touched.created_at")} AS seconds
        FROM ended CROSS JOIN calendar JOIN touched ON touched.id = ended.case_id
        WHERE ended.kind IN ('resolved', 'closed') AND ended.at >= :since
    ),
    stayed AS (SELECT * FROM solved WHERE afterwards IS NULL),
    reopened AS (SELECT * FROM solved WHERE afterwards = 'reopened'),
    rejected AS (SELECT * FROM solved WHERE afterwards = 'rejected'),
    accepted AS (
        SELECT touched.*, happened.at, CAST(NULL AS float8) AS seconds
        FROM happened JOIN touched ON touched.id = happened.case_id
        WHERE happened.kind = 'accepted' AND happened.at >= :since
    ),
    surveyed AS (
        SELECT touched.*, happened.at, CAST(NULL AS float8) AS seconds, happened.survey
        FROM happened JOIN touched ON touched.id = happened.case_id
        WHERE happened.at >= :since AND jsonb_typeof(happened.survey) = 'object'
    )"""  # noqa: S608

OPEN_NOW: Final[TextClause] = text(f"""
    WITH {_CALENDAR}, {_BACKLOG}
    SELECT status, assignee, product, account, bucket, count(*) AS cases FROM backlog
    GROUP BY status, assignee, product, account, bucket
""")  # noqa: S608
"""Open cases by everything that they are counted by."""


def _spread(of: str) -> str:
    return f"""(SELECT json_build_object(
        'cases', count(*), 'median', percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
        'p90', percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds)) FROM {of})"""  # noqa: S608


def _groups(of: str) -> str:
    return f"""(SELECT coalesce(json_agg(each), '[]') FROM (
        SELECT (at AT TIME ZONE :timezone)::date AS day, assignee, product, account, count(*) AS cases
        FROM {of} GROUP BY 1, 2, 3, 4) AS each)"""  # noqa: S608


IN_PERIOD: Final[TextClause] = text(f"""
    WITH {_CALENDAR}, {_PERIOD}
    SELECT {_spread("answered")} AS answered, {_spread("stayed")} AS stayed,
           {_groups("opened")} AS opened, {_groups("solved")} AS solved,
           (SELECT count(*) FROM reopened) AS reopened, (SELECT count(*) FROM rejected) AS rejected,
           (SELECT count(*) FROM accepted) AS accepted,
           (SELECT coalesce(json_agg(json_build_object('number', number, 'at', at, 'survey', survey)
                                     ORDER BY at DESC, number), '[]') FROM surveyed) AS surveys
""")  # noqa: S608
"""All figures of a period in one row."""

_NAMED: Final = ("opened", "answered", "solved", "stayed", "reopened", "rejected", "accepted", "surveyed")

_ROWS: Final = """
    SELECT number, subject, status,
        (SELECT name FROM person WHERE email = assignee) AS assignee,
        at, CAST(seconds AS float8) AS seconds, count(*) OVER () AS total
    FROM {of} WHERE (CAST(:assignee AS text) IS NULL OR coalesce(assignee, '') = :assignee)
        AND (CAST(:product AS text) IS NULL OR coalesce(product, '') = :product)
        AND (CAST(:account AS text) IS NULL OR coalesce(account, '') = :account) {more}
    ORDER BY seconds DESC NULLS LAST, at DESC, number DESC LIMIT :rows
"""

_IN_DAYS: Final = """AND (CAST(:first AS date) IS NULL OR (at AT TIME ZONE :timezone)::date >= :first)
        AND (CAST(:last AS date) IS NULL OR (at AT TIME ZONE :timezone)::date <= :last)"""
_OF_MARK: Final = """AND (CAST(:question AS text) IS NULL
        OR survey -> CAST(:question AS text) = to_jsonb(CAST(:mark AS integer)))"""

OPEN: Final = "open"
SURVEYED: Final = "surveyed"
BEHIND: Final[dict[str, TextClause]] = {
    name: text(
        f"WITH {_CALENDAR}, {_PERIOD} "
        + _ROWS.format(of=name, more=f"{_IN_DAYS} {_OF_MARK if name == SURVEYED else ''}")
    )
    for name in _NAMED
} | {
    OPEN: text(
        f"WITH {_CALENDAR}, {_BACKLOG} "
        + _ROWS.format(
            of="backlog",
            more="AND status = ANY (:statuses) AND (CAST(:age AS integer) IS NULL OR bucket = :age)",
        )
    )
}
"""The cases behind each figure: the very rows that it counts."""

NAMES: Final[TextClause] = text("""
    SELECT true AS person, email AS key, name FROM person WHERE email = ANY (:people)
    UNION ALL SELECT false, key, name FROM account WHERE desk_id = :desk AND key = ANY (:accounts)
""")
