"""The filtered list as a file: the same cases in the same order, for the same eyes, and nothing a spreadsheet runs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import openpyxl
import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from sqlalchemy import text

from services.api.cases.exports import sending
from services.api.cases.exports.csv_file import CsvFile, inert
from services.api.cases.exports.rows import Rows
from services.api.cases.exports.xlsx_file import XlsxFile
from shared.contracts.search import NumbersPart
from shared.contracts.subjects import SEARCH_NUMBERS, SEARCH_QUEUE
from shared.messaging import connect
from shared.settings import Settings
from tests.api_world import ApiDesk, searching, serving, working
from tests.desks import ADA, ERIN
from tests.integration.test_api_lists import knows

FORMULAS = ['=HYPERLINK("http://evil.example","x")', "+1+1", "-2+3", "@SUM(A1)", "\uff1d1+1"]
ODD = ['comma, "quote"; semicolon', "http://evil.example/", "Ünïcödé 日本語 🙂", "<b>&amp;</b>"]
SUMMARY = "First line\nsecond \x01 line, _x0041_ is no A"
FORMATS = ["csv", "xlsx"]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["search", "record"])
async def desk(servers: Settings, request: pytest.FixtureRequest) -> AsyncIterator[ApiDesk]:
    """A desk with a case for each odd subject, and one of another account; with a search node, and without."""
    async with working(servers), serving(servers) as world:
        desk = await world.desk()
        for subject in (*FORMULAS, *ODD):
            await desk.bob.opened(subject=subject, product="ERP", severity="High", internal_reference=" =1+2")
        await desk.erin.opened(subject="Of another account", product="Analytics")
        await desk.ada.did(1, "assign", assignee=ADA)
        await desk.ada.did(2, "resolve", resolution_type="provided", summary=SUMMARY)
        if request.param == "record":
            yield desk
            return
        async with searching(servers):
            await knows(desk)
            yield desk


async def exported(desk: ApiDesk, person: str, **params: Any) -> httpx.Response:
    answer: httpx.Response = await getattr(desk, person).get("/cases/export", **params)
    assert answer.status_code == 200, answer.text
    return answer


def csv_rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def xlsx_rows(answer: httpx.Response) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["Cases"]
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


async def csv_numbers(desk: ApiDesk, person: str, **params: Any) -> list[int]:
    return [int(row["Number"]) for row in csv_rows(await exported(desk, person, **params))]


@pytest.mark.parametrize(
    ("person", "params"),
    [
        ("ada", {}),
        ("ada", {"sort": "subject"}),
        ("ada", {"sort": "-severity"}),
        ("ada", {"product": "Analytics"}),
        ("ada", {"status": ["New", "resolved"], "sort": "number"}),
        ("ada", {"assignee": "me"}),
        ("ada", {"assignee": "nobody@vendor.example"}),
        ("bob", {}),
        ("carol", {}),
        ("dave", {}),
        ("erin", {}),
    ],
)
async def test_a_file_holds_exactly_the_list(desk: ApiDesk, person: str, params: dict[str, Any]) -> None:
    page = (await getattr(desk, person).get("/cases", page_size=100, **params)).json()
    listed = [case["number"] for case in page["items"]]
    assert len(listed) == page["total"]
    assert await csv_numbers(desk, person, **params) == listed
    assert [row["Number"] for row in xlsx_rows(await exported(desk, person, format="xlsx", **params))] == listed


async def test_words_narrow_a_file_as_they_do_a_list(desk: ApiDesk) -> None:
    answer = await desk.ada.get("/cases/export", q="hyperl")
    if (await desk.ada.get("/cases", q="hyperl")).status_code == 200:
        assert [row["Number"] for row in csv_rows(answer)] == ["1"]
    else:
        assert (answer.status_code, answer.json()["code"]) == (503, "search_unavailable")


@pytest.mark.parametrize("kind", FORMATS)
async def test_large_lists_come_in_pieces(desk: ApiDesk, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await exported(desk, "ada", format=kind)
    monkeypatch.setattr(sending, "_ROWS_AT_ONCE", 3)
    rows = csv_rows if kind == "csv" else xlsx_rows
    assert rows(await exported(desk, "ada", format=kind)) == rows(whole)


async def test_a_row_says_what_the_case_says(desk: ApiDesk) -> None:
    case = (await desk.ada.get("/cases/2")).json()
    (in_csv,) = [row for row in csv_rows(await exported(desk, "ada")) if row["Case"] == "CON-2"]
    (in_xlsx,) = [row for row in xlsx_rows(await exported(desk, "ada", format="xlsx")) if row["Case"] == "CON-2"]
    for name in ("subject", "product", "severity", "account", "reporter", "contact", "environment", "assignee"):
        expected = inert(case[name] or "")
        assert in_csv[name.capitalize()] == expected
        assert inert(in_xlsx[name.capitalize()] or "") == expected
    assert in_csv["Status"] == in_xlsx["Status"] == case["status_label"] == "Resolved"
    assert in_csv["Internal reference"] == "'=1+2"
    assert in_xlsx["Internal reference"] == "=1+2"
    assert in_csv["Resolution type"] == in_xlsx["Resolution type"] == "provided"
    assert in_csv["Resolution summary"] == SUMMARY
    zone = ZoneInfo("Europe/London")
    for name in ("created_at", "updated_at", "resolved_at"):
        heading = f"{name.removesuffix('_at').capitalize()} (Europe/London)"
        moment = datetime.fromisoformat(case[name]).astimezone(zone).replace(tzinfo=None)
        assert in_csv[heading] == moment.isoformat(sep=" ", timespec="seconds")
        assert abs((in_xlsx[heading] - moment).total_seconds()) < 0.01
    assert in_csv["Closed (Europe/London)"] == ""
    assert in_xlsx["Closed (Europe/London)"] is None


async def test_nothing_in_a_file_is_a_formula_or_a_link(desk: ApiDesk) -> None:
    answer = await exported(desk, "bob")
    assert answer.content.startswith(b"\xef\xbb\xbfNumber,Case,Subject,")
    subjects = {row["Subject"] for row in csv_rows(answer)}
    assert subjects == {*(f"'{formula}" for formula in FORMULAS), *ODD}

    book = openpyxl.load_workbook(io.BytesIO((await exported(desk, "bob", format="xlsx")).content))
    sheet = book["Cases"]
    assert {cell.value for cell in sheet["C"][1:]} == {*FORMULAS, *ODD}
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n", "d"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert sheet.freeze_panes == "A2"


async def test_a_file_is_named_and_not_kept(desk: ApiDesk) -> None:
    today = datetime.now(ZoneInfo("Europe/London")).date()
    for kind in FORMATS:
        headers = (await exported(desk, "bob", format=kind)).headers
        assert headers["Content-Disposition"] == f'attachment; filename="{desk.slug}-cases-{today}.{kind}"'
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Length" not in headers


async def test_columns_are_those_of_the_desk(desk: ApiDesk) -> None:
    for profile, urgency in (("msp-portal", "Impact"), ("help-centre", None), ("connect", "Severity")):
        other = await desk.world.desk(profile)
        (head,) = csv.reader(io.StringIO((await exported(other, "ada")).content.decode("utf-8-sig")))
        assert {"Severity", "Impact"} & set(head) == ({urgency} if urgency else set())


@pytest.mark.parametrize(
    ("params", "field"),
    [({"format": "pdf"}, "format"), ({"page": 2}, "page"), ({"product": "CRM"}, "product"), ({"sort": "x"}, "sort")],
)
async def test_what_can_not_be_exported(desk: ApiDesk, params: dict[str, Any], field: str) -> None:
    answer = await desk.ada.get("/cases/export", **params)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_desk_may_require_a_filter(desk: ApiDesk) -> None:
    other = await desk.world.desk("appcentral")
    answer = await other.ada.get("/cases/export")
    assert (answer.status_code, answer.json()["code"]) == (422, "filter_required")
    assert await csv_numbers(other, "ada", product="ERP") == []


async def test_services_need_the_scope(desk: ApiDesk) -> None:
    assert (await desk.person("monitoring").get("/cases/export")).status_code == 403
    assert (await desk.person("reporting").get("/cases/export")).status_code == 200


async def test_a_sheet_has_an_end(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XlsxFile, "most_rows", 9)
    assert len(await csv_numbers(desk, "ada")) == 10
    answer = await desk.ada.get("/cases/export", format="xlsx")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "format")
    assert "10 cases, and xlsx holds 9" in answer.json()["detail"]
    assert len(xlsx_rows(await exported(desk, "bob", format="xlsx"))) == 9


@asynccontextmanager
async def rewritten(desk: ApiDesk, assignment: str, number: int) -> AsyncIterator[None]:
    """A case whose row was changed behind everybody's back, so that the index does not know it."""
    of_case = "WHERE number = :number AND desk_id = (SELECT id FROM desk WHERE slug = :desk)"
    named = {"number": number, "desk": desk.slug}
    async with desk.world.database.write() as session:
        before = (
            await session.execute(text(f'SELECT reporter, contact, account, state FROM "case" {of_case}'), named)
        ).one()
        await session.execute(text(f'UPDATE "case" SET {assignment} {of_case}'), named)
    try:
        yield
    finally:
        again = "reporter = :reporter, contact = :contact, account = :account, state = CAST(:state AS jsonb)"
        values = {**before._mapping, "state": json.dumps(before.state)}
        async with desk.world.database.write() as session:
            await session.execute(text(f'UPDATE "case" SET {again} {of_case}'), named | values)


async def test_a_case_that_changed_hands_is_left_out(desk: ApiDesk) -> None:
    everything = await csv_numbers(desk, "bob", sort="number")
    async with rewritten(desk, f"reporter = '{ERIN}', contact = NULL, account = 'other'", 3):
        assert await csv_numbers(desk, "bob", sort="number") == [number for number in everything if number != 3]
    assert await csv_numbers(desk, "bob", sort="number") == everything


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_file_that_can_not_be_finished_is_no_file(
    desk: ApiDesk, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_ROWS_AT_ONCE", 2)
    params = {"format": kind, "sort": "number"}
    async with rewritten(desk, """state = state || '{"closed_at": "no time"}'""", 7):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await desk.ada.get("/cases/export", **params)
    assert (await exported(desk, "ada", **params)).content


async def test_who_leaves_ends_the_work(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    class Watched(CsvFile):
        def close(self) -> None:
            closed.set()

    async def never(*_: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setitem(sending.FILES, "csv", Watched)
    monkeypatch.setattr(Rows, "read", never)
    person = desk.ada
    async with person.http.stream("GET", f"{person.base}/cases/export", headers=person.headers) as answer:
        assert await anext(answer.aiter_raw())
        assert not closed.is_set()
    async with asyncio.timeout(10):
        await closed.wait()


@asynccontextmanager
async def answering(settings: Settings, parts: Sequence[NumbersPart]) -> AsyncIterator[None]:
    """A search node that gives just these parts."""
    bus = await connect(settings, "test")

    async def answer(message: Msg) -> None:
        for part in parts:
            await bus.nc.publish(message.reply, part.model_dump_json().encode())

    await bus.nc.subscribe(SEARCH_NUMBERS, queue=SEARCH_QUEUE, cb=answer)
    await bus.nc.flush()
    try:
        yield
    finally:
        await bus.close()


async def test_search_that_fails_at_once_is_done_without(servers: Settings) -> None:
    async with only_the_record(servers) as desk, answering(servers, [NumbersPart(error="out of order")]):
        assert await csv_numbers(desk, "ada") == [2, 1]


@pytest.mark.parametrize(
    "second", [NumbersPart(start=2, total=3, numbers=[3]), NumbersPart(error="out of order"), NumbersPart(total=1)]
)
async def test_search_that_fails_half_way_ends_the_file(servers: Settings, second: NumbersPart) -> None:
    first = NumbersPart(numbers=[1], total=3)
    async with only_the_record(servers) as desk, answering(servers, [first, second]):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await desk.ada.get("/cases/export")


@asynccontextmanager
async def only_the_record(servers: Settings) -> AsyncIterator[ApiDesk]:
    """A desk with two cases, without a search node."""
    async with working(servers), serving(servers) as world:
        desk = await world.desk()
        for _ in range(2):
            await desk.bob.opened()
        yield desk
