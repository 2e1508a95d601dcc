"""Files over HTTP, on a folder and on a real S3 server: the same for both."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, update

from services.workflows.old_files import removed_files, unattached_files
from shared.contracts.workflow import EXECUTE, ExecuteAnswer, ExecuteRequest, workflow_id
from shared.db.models import Attachment, IdempotencyKey
from shared.objects import NoSuchObjectError, ObjectStore, open_store
from shared.objects.attachments import object_name
from shared.settings import Settings
from shared.temporal import connect
from tests import samples
from tests.api_world import NEW_CASE, ApiDesk, ApiWorld, Person, whole
from tests.desks import ADA, BOB
from tests.s3_server import s3_server

TEAM_PORTAL_BYTES = 15 * 1024 * 1024
GONE = "You have uploaded no file"


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["folder", "s3"])
async def world(servers: Settings, request: pytest.FixtureRequest) -> AsyncIterator[ApiWorld]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(s3_server()) if request.param == "s3" else None
        settings = servers.model_copy(update={"object_store_url": url})
        yield await stack.enter_async_context(whole(settings))


@pytest.fixture(scope="module")
def store(world: ApiWorld) -> ObjectStore:
    return open_store(world.settings)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(world: ApiWorld) -> ApiDesk:
    """A desk that takes what team-portal takes."""
    return await world.desk("team-portal")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_desk(world: ApiWorld) -> ApiDesk:
    """A desk that takes any safe type."""
    return await world.desk("connect")


async def send(who: Person, name: str, content: bytes, *, kind: str | None = None, key: str | None = None) -> Any:
    """Upload a file."""
    headers = {"Idempotency-Key": key} if key else {}
    form: dict[str, Any] = {"files": {"file": (name, content)}, "data": {"kind": kind} if kind else {}}
    return await who.ask("POST", "/attachments", headers=headers, **form)


async def sent(who: Person, name: str = "invoice.pdf", content: bytes | None = None) -> dict[str, Any]:
    """Upload a file that is taken."""
    answer = await send(who, name, samples.pdf() if content is None else content)
    assert answer.status_code == 201, answer.text
    file: dict[str, Any] = answer.json()
    return file


async def files_of(who: Person, number: int) -> list[dict[str, Any]]:
    answer = await who.get(f"/cases/{number}/attachments")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def events_of(who: Person, number: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await who.get(f"/cases/{number}/events")).json()["items"]
    return items


async def known(world: ApiWorld) -> set[uuid.UUID]:
    """Every file of Bob's that there is a row of."""
    async with world.database.read() as session:
        rows = await session.scalars(select(Attachment.id).where(Attachment.uploaded_by == BOB))
        return set(rows)


async def is_stored(store: ObjectStore, file: dict[str, Any]) -> bool:
    try:
        content = b"".join([chunk async for chunk in store.read(object_name(uuid.UUID(file["id"])), 0, file["size"])])
    except NoSuchObjectError:
        return False
    return bool(hashlib.sha256(content).hexdigest() == file["sha256"])


async def grow_old(world: ApiWorld, file: dict[str, Any], age: timedelta) -> None:
    async with world.database.write() as session:
        row = update(Attachment).where(Attachment.id == uuid.UUID(file["id"]))
        await session.execute(row.values(created_at=Attachment.created_at - age))


async def test_a_file_is_uploaded_attached_listed_and_downloaded(desk: ApiDesk) -> None:
    content = samples.pdf(100_000)
    file = await sent(desk.bob, "Rechnung März.pdf", content)
    assert file | {"id": ""} == {
        "id": "",
        "filename": "Rechnung März.pdf",
        "size": len(content),
        "content_type": "application/pdf",
        "kind": "file",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    case = await desk.bob.opened(attachments=[file["id"]])
    said = await desk.bob.did(case["number"], "comments", attachments=[(await sent(desk.bob, "b.pdf"))["id"]])
    added = await sent(desk.bob, "c.pdf")
    more = await desk.bob.did(case["number"], "attach", attachments=[added["id"], added["id"]])
    first, second, third = await files_of(desk.ada, case["number"])
    more_known = {"uploaded_by": BOB, "seq": 1, "internal": False, "removable": True}
    assert first == file | more_known | {"created_at": first["created_at"]}
    assert (second["filename"], second["seq"]) == ("b.pdf", said["seq"])
    assert (third["filename"], third["seq"]) == ("c.pdf", more["seq"])
    download = await desk.ada.get(f"/cases/{case['key']}/attachments/{file['id']}")
    assert (download.status_code, download.content) == (200, content)


async def test_the_activity_says_which_files_came(desk: ApiDesk) -> None:
    file = await sent(desk.bob, "log.txt", b"error 1217")
    case = await desk.bob.opened()
    said = await desk.bob.did(case["number"], "comments", body="See the log.", attachments=[file["id"]])
    told = {name: file[name] for name in ("id", "filename", "size", "content_type", "kind")}
    assert said["files"] == [told]
    assert (await events_of(desk.ada, case["number"]))[-1] == said


async def test_a_case_offers_attaching_and_removing(desk: ApiDesk) -> None:
    case = await desk.bob.opened()
    assert {"name": "attach", "required": ["attachments"]} in case["actions"]
    assert {"name": "remove-attachment", "required": ["attachment"]} in case["actions"]
    answer = await desk.bob.post(f"/cases/{case['number']}/attach", {})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "attachments")


async def test_a_download_is_saved_under_its_name_and_never_shown(desk: ApiDesk) -> None:
    file = await sent(desk.bob, "Grüße (1).txt", b"hello")
    case = await desk.bob.opened(attachments=[file["id"]])
    headers = (await desk.bob.get(f"/cases/{case['number']}/attachments/{file['id']}")).headers
    assert headers["content-disposition"] == (
        "attachment; filename=\"Gr__e (1).txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%281%29.txt"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "private" in headers["cache-control"]
    assert headers["etag"] == f'"{file["sha256"]}"'
    assert headers["content-length"] == "5"


async def test_a_part_of_a_file_can_be_asked_for(desk: ApiDesk) -> None:
    content = samples.pdf(3_000_000)
    file = await sent(desk.bob, content=content)
    case = await desk.bob.opened(attachments=[file["id"]])

    async def ask(**headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await desk.bob.ask("GET", f"/cases/{case['number']}/attachments/{file['id']}", headers=names)

    for given, start, end in (("0-9", 0, 10), ("2999990-", 2999990, 3000000), ("-5", 2999995, 3000000)):
        answer = await ask(Range=f"bytes={given}")
        assert (answer.status_code, answer.content) == (206, content[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/3000000"
    beyond = await ask(Range="bytes=3000000-")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == "bytes */3000000"
    for ignored in ({"Range": "bytes=1-2,4-5"}, {"Range": "lines=1-2"}, {"Range": "bytes=0-9", "If_Range": '"other"'}):
        assert (await ask(**ignored)).content == content
    unchanged = await ask(If_None_Match=f'"{file["sha256"]}"')
    assert (unchanged.status_code, unchanged.content) == (304, b"")


# ------------------------------------------------------------------------------------------ sizes and types


async def test_fifteen_megabytes_pass_on_team_portal_and_one_byte_more_does_not(desk: ApiDesk, world: ApiWorld) -> None:
    """desk-rules T6"""
    before = await known(world)
    file = await sent(desk.bob, content=samples.pdf(TEAM_PORTAL_BYTES))
    assert file["size"] == TEAM_PORTAL_BYTES
    answer = await send(desk.bob, "invoice.pdf", samples.pdf(TEAM_PORTAL_BYTES + 1))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (413, "attachment_too_large")
    assert problem["max_bytes"] == TEAM_PORTAL_BYTES
    assert "15 MB (15,728,640 bytes)" in problem["detail"]
    assert await known(world) - before == {uuid.UUID(file["id"])}


@pytest.mark.parametrize("ending", samples.SAMPLES)
async def test_each_type_that_a_desk_lists_is_taken(desk: ApiDesk, ending: str) -> None:
    """desk-rules T6"""
    content = samples.SAMPLES[ending]
    file = await sent(desk.bob, f"sample.{ending.upper()}", content)
    assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


REFUSED: dict[str, Callable[[], bytes]] = {
    "program.pdf": lambda: samples.WINDOWS_PROGRAM,
    "program.txt": lambda: samples.LINUX_PROGRAM,
    "script.txt": lambda: samples.SCRIPT,
    "installer.doc": samples.msi,
    "program.exe": lambda: b"hello",
    "page.svg": lambda: samples.SVG,
    "page.png": lambda: samples.SVG,
    "page.pdf": lambda: b"<html><script>alert(1)</script></html>",
    "picture.pdf": samples.png,
    "picture.csv": samples.png,
    "archive.docx": lambda: samples.zipped({"a": b"b"}),
    "macros.xlsx": lambda: samples.zipped(
        {"[Content_Types].xml": b"", "xl/workbook.xml": b"", "xl/vbaProject.bin": b""}
    ),
    "document.xlsx": samples.docx,
    "torn.zip": lambda: samples.zipped({"a": b"b"})[:-10],
    "bomb.zip": samples.zip_bomb,
    "nested.zip": samples.nested_zip_bomb,
    "nothing.tar": lambda: bytes(10240),
}


@pytest.mark.parametrize("name", list(REFUSED))
async def test_what_is_not_what_its_name_says_or_could_do_harm_is_refused(
    desk: ApiDesk, open_desk: ApiDesk, world: ApiWorld, name: str
) -> None:
    before = await known(world)
    content = REFUSED[name]()
    for there in (desk, open_desk):
        answer = await send(there.bob, name, content)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (415, "attachment_type_not_allowed"), problem
        assert (problem["errors"][0]["field"], problem["detail"]) == ("file", problem["errors"][0]["message"])
    assert await known(world) == before


async def test_a_type_that_a_desk_does_not_list_is_refused_with_those_that_it_does(
    desk: ApiDesk, open_desk: ApiDesk
) -> None:
    answer = await send(desk.bob, "notes.odt", samples.zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}))
    assert answer.status_code == 415
    allowed = answer.json()["errors"][0]["allowed"]
    assert allowed == ["doc", "docx", "xls", "xlsx", "csv", "txt", "pdf", "bmp", "jpg", "jpeg", "png", "tar", "zip"]
    assert all(f" {ending}" in answer.json()["detail"] for ending in allowed)
    trace = await sent(open_desk.bob, "core.dump", b"\0\1\2")
    assert trace["content_type"] == "application/octet-stream"


@pytest.mark.parametrize("profile", ["appcentral", "msp-portal", "team-portal"])
async def test_a_recording_is_taken_on_every_desk(world: ApiWorld, profile: str) -> None:
    """desk-rules A4, C9"""
    desk = await world.desk(profile)
    for name, content, kept, content_type in (
        ("blob", samples.WEBM, "blob.webm", "video/webm"),
        ("screen.mp4", samples.MP4, "screen.mp4", "video/mp4"),
    ):
        answer = await send(desk.bob, name, content, kind="recording")
        file = answer.json()
        assert answer.status_code == 201, file
        assert (file["filename"], file["content_type"], file["kind"]) == (kept, content_type, "recording")
    for content in (samples.png(), samples.WINDOWS_PROGRAM, b"\x1aE\xdf\xa3" + bytes(200)):
        answer = await send(desk.bob, "screen.webm", content, kind="recording")
        assert (answer.status_code, answer.json()["code"]) == (415, "attachment_type_not_allowed")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/etc/cron.d/x.txt", "x.txt"),
        ("C:\\Windows\\win.txt", "win.txt"),
        ("in\u202efdp.txt", "infdp.txt"),
        ("a\x0bb\x7fc:d.txt", "a bc_d.txt"),
        ("nul.txt", "_nul.txt"),
        (".txt", "file.txt"),
        ("x" * 500 + ".txt", "x" * 196 + ".txt"),
        ("報" * 200 + ".txt", "報" * 65 + ".txt"),
    ],
)
async def test_a_name_is_made_safe(desk: ApiDesk, given: str, kept: str) -> None:
    body = b"".join(
        (
            b'--limit\r\nContent-Disposition: form-data; name="file"; filename="',
            given.encode(),
            b'"\r\n\r\nhello\r\n--limit--\r\n',
        )
    )
    answer = await desk.bob.ask(
        "POST", "/attachments", content=body, headers={"Content-Type": "multipart/form-data; boundary=limit"}
    )
    assert (answer.status_code, answer.json().get("filename")) == (201, kept), answer.text


FORMS = {
    "two files": b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na\r\n' * 2
    + b"--l--\r\n",
    "no file": b'--l\r\nContent-Disposition: form-data; name="kind"\r\n\r\nfile\r\n--l--\r\n',
    "no name": b'--l\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--l--\r\n',
    "an empty file": b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n\r\n--l--\r\n',
    "another field": b'--l\r\nContent-Disposition: form-data; name="x"\r\n\r\na\r\n--l--\r\n',
    "cut off": b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na',
    "no form": b"hello",
    "nothing": b"",
    "much besides": b'--l\r\nContent-Disposition: form-data; name="kind"\r\nX: ' + b"x" * 20_000,
    "an unknown kind": b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na\r\n'
    b'--l\r\nContent-Disposition: form-data; name="kind"\r\n\r\nfilm\r\n--l--\r\n',
}


@pytest.mark.parametrize("name", list(FORMS))
async def test_a_form_at_fault_is_refused(desk: ApiDesk, world: ApiWorld, name: str) -> None:
    before = await known(world)
    headers = {"Content-Type": "multipart/form-data; boundary=l"}
    answer = await desk.bob.ask("POST", "/attachments", content=FORMS[name], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["field"] in {"file", "kind", "x", "body"}
    assert await known(world) == before


async def test_what_is_no_multipart_form_is_refused(desk: ApiDesk) -> None:
    answer = await desk.bob.post("/attachments", {"file": "hello"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


# ------------------------------------------------------------------------------------------ once, and once only


async def test_the_same_key_takes_the_same_file_once(desk: ApiDesk, world: ApiWorld) -> None:
    before, key = await known(world), uuid.uuid4().hex
    many = await asyncio.gather(*(send(desk.bob, "a.txt", b"same", key=key) for _ in range(5)))
    again = await send(desk.bob, "a.txt", b"same", key=key)
    assert {answer.status_code for answer in many} == {201}
    (file,) = {answer.json()["id"] for answer in (*many, again)}
    assert await known(world) - before == {uuid.UUID(file)}
    other = await send(desk.bob, "a.txt", b"other", key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await known(world) - before == {uuid.UUID(file)}


async def test_a_request_repeated_with_its_key_finds_its_files_on_the_case(desk: ApiDesk) -> None:
    case, file, key = await desk.bob.opened(), await sent(desk.bob), uuid.uuid4().hex
    first = await desk.bob.post(f"/cases/{case['number']}/comments", {"attachments": [file["id"]]}, key)
    again = await desk.bob.post(f"/cases/{case['number']}/comments", {"attachments": [file["id"]]}, key)
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())


async def test_a_request_whose_answer_was_lost_is_not_refused_for_its_own_files(desk: ApiDesk, world: ApiWorld) -> None:
    case, file, key = await desk.bob.opened(), await sent(desk.bob), uuid.uuid4().hex
    path, body = f"/cases/{case['number']}/comments", {"attachments": [file["id"]]}
    first = await desk.bob.post(path, body, key)
    async with world.database.write() as session:
        row = update(IdempotencyKey).where(IdempotencyKey.key == key)
        await session.execute(row.values(response_status=None, response=None))
    again = await desk.bob.post(path, body, key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await desk.bob.post(path, body, uuid.uuid4().hex)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "attachments.0")


async def test_an_upload_that_breaks_off_leaves_nothing(desk: ApiDesk, world: ApiWorld, store: ObjectStore) -> None:
    before = await known(world)
    address = httpx.URL(world.url)
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /api/v1/desks/{desk.slug}/attachments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n"
    head += (
        f"Authorization: {desk.bob.headers['Authorization']}\r\nContent-Type: multipart/form-data; boundary=l\r\n\r\n"
    )
    form = b'--l\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + samples.pdf(6_000_000)
    writer.write(head.encode() + form)
    await writer.drain()
    async with asyncio.timeout(10):
        while not (arriving := await known(world) - before):
            await asyncio.sleep(0.01)
        writer.close()
        while await known(world) != before:
            await asyncio.sleep(0.01)
    with pytest.raises(NoSuchObjectError):
        await anext(store.read(object_name(arriving.pop()), 0, 1))


async def test_a_file_belongs_to_one_case(desk: ApiDesk) -> None:
    file, cases = await sent(desk.bob), [await desk.bob.opened() for _ in range(4)]
    answers = await asyncio.gather(
        *(desk.bob.post(f"/cases/{case['number']}/attach", {"attachments": [file["id"]]}) for case in cases)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    for answer in answers:
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["field"] in {"attachments", "attachments.0"}
            assert GONE in answer.json()["detail"]
    assert sorted([len(await files_of(desk.bob, case["number"])) for case in cases]) == [0, 0, 0, 1]


async def test_one_of_two_commands_recorded_together_has_the_file_and_the_other_is_refused(
    desk: ApiDesk, world: ApiWorld
) -> None:
    case, file = await desk.bob.opened(), await sent(desk.bob)
    bob = {"kind": "customer", "email": BOB, "name": "Bob Acme"}
    named: list[dict[str, Any]] = [{"attachments": [file["id"]]}, {"body": "No file."}, {"attachments": [file["id"]]}]
    commands = [{"name": "comment", "command_id": f"c-{n}", "actor": bob, **one} for n, one in enumerate(named)]
    handle = (await connect(world.settings)).get_workflow_handle(workflow_id(desk.slug, case["number"]))
    request = ExecuteRequest(commands=commands)
    answer: ExecuteAnswer = await handle.execute_update(EXECUTE, request, result_type=ExecuteAnswer)
    assert sorted(outcome.accepted for outcome in answer.outcomes) == [False, True, True]
    (refused,) = (outcome for outcome in answer.outcomes if not outcome.accepted)
    assert (refused.code, refused.fields) == ("malformed", ("attachments",))
    assert GONE in (refused.detail or "")
    assert [event["kind"] for event in await events_of(desk.ada, case["number"])] == ["opened", *["commented"] * 2]
    assert len(await files_of(desk.bob, case["number"])) == 1


async def test_files_of_others_and_of_nobody_are_refused(desk: ApiDesk, open_desk: ApiDesk) -> None:
    case = await desk.bob.opened()
    strangers = [await sent(desk.dave), await sent(open_desk.bob), {"id": str(uuid.uuid4())}]
    for stranger in strangers:
        for path in ("/cases", f"/cases/{case['number']}/comments", f"/cases/{case['number']}/attach"):
            form = NEW_CASE if path == "/cases" else {}
            answer = await desk.bob.post(path, form | {"attachments": [stranger["id"]]})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "attachments.0"), answer.text


async def test_a_signal_that_names_a_file_which_it_may_not_is_rejected_and_the_case_lives_on(
    desk: ApiDesk, world: ApiWorld
) -> None:
    case, of_dave = await desk.bob.opened(), await sent(desk.dave)
    handle = (await connect(world.settings)).get_workflow_handle(workflow_id(desk.slug, case["number"]))
    bob = {"kind": "customer", "email": BOB, "name": "Bob Acme"}
    for index, name in enumerate((of_dave["id"], str(uuid.uuid4()))):
        await handle.signal("attach", {"command_id": f"a-{index}", "actor": bob, "attachments": [name]})
        await handle.signal("remove_attachment", {"command_id": f"r-{index}", "actor": bob, "attachment": name})
    await handle.signal("attach", {"command_id": "mine", "actor": bob, "attachments": [(await sent(desk.bob))["id"]]})
    await desk.bob.did(case["number"], "comments", body="Still here.")
    kinds = [event["kind"] for event in await events_of(desk.ada, case["number"])]
    assert kinds == ["opened", *["command_rejected"] * 4, "attached", "commented"]
    assert [file["uploaded_by"] for file in await files_of(desk.bob, case["number"])] == [BOB]


# ------------------------------------------------------------------------------------------ who sees, who removes


async def test_files_of_notes_are_for_staff(desk: ApiDesk) -> None:
    """desk-rules standard 5"""
    case, file = await desk.bob.opened(), await sent(desk.ada, "internal.pdf")
    number, path = case["number"], f"/cases/{case['number']}/attachments/{file['id']}"
    await desk.ada.did(number, "comments", internal=True, attachments=[file["id"]])
    assert [each["internal"] for each in await files_of(desk.leo, number)] == [True]
    assert (await desk.leo.get(path)).status_code == 200
    for nobody in (desk.bob, desk.carol):
        assert await files_of(nobody, number) == []
        assert (await nobody.get(path)).status_code == 404
        assert (await nobody.ask("DELETE", path)).status_code == 404
    seen = (await desk.bob.get(f"/cases/{number}")).json()["updated_at"]
    assert (await desk.ada.ask("DELETE", path)).status_code == 200
    assert (await desk.bob.get(f"/cases/{number}")).json()["updated_at"] == seen
    assert (await desk.leo.get(path)).status_code == 410
    assert (await desk.bob.get(path)).status_code == 404
    assert [event["kind"] for event in await events_of(desk.bob, number)] == ["opened"]
    assert (await events_of(desk.leo, number))[-1]["kind"] == "note_attachment_removed"


async def test_other_accounts_and_other_desks_know_nothing_of_a_file(desk: ApiDesk, open_desk: ApiDesk) -> None:
    file = await sent(desk.bob)
    case = await desk.bob.opened(attachments=[file["id"]])
    path = f"/cases/{case['number']}/attachments"
    for stranger in (desk.erin, open_desk.bob):
        for method, address in (("GET", path), ("GET", f"{path}/{file['id']}"), ("DELETE", f"{path}/{file['id']}")):
            assert (await stranger.ask(method, address)).status_code == 404, (method, address)
    own = await desk.erin.opened()
    assert (await desk.erin.get(f"/cases/{own['number']}/attachments/{file['id']}")).status_code == 404
    assert (await desk.bob.get(f"{path}/{uuid.uuid4()}")).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("bob", 200), ("carol", 200), ("ada", 200), ("dave", 403)])
async def test_a_file_is_removed_by_its_uploader_an_account_admin_or_staff(
    desk: ApiDesk, store: ObjectStore, who: str, status: int
) -> None:
    """desk-rules C7"""
    case, file = await desk.carol.opened(), await sent(desk.bob)
    await desk.bob.did(case["number"], "comments", attachments=[file["id"]])
    assert await is_stored(store, file)
    path = f"/cases/{case['number']}/attachments/{file['id']}"
    remover: Person = getattr(desk, who)
    assert (await remover.ask("DELETE", path)).status_code == status
    assert await is_stored(store, file) is (status != 200)
    if status != 200:
        return
    assert await files_of(desk.bob, case["number"]) == []
    for answer in (await desk.bob.get(path), await remover.ask("DELETE", path)):
        assert (answer.status_code, answer.json()["code"]) == (410, "attachment_removed")
        assert "invoice.pdf" in answer.json()["detail"]
    last = (await events_of(desk.bob, case["number"]))[-1]
    assert (last["kind"], last["files"][0]["filename"]) == ("attachment_removed", "invoice.pdf")


async def test_a_service_needs_the_scope(world: ApiWorld) -> None:
    services = [{"name": "robot", "scopes": ["case.open", "case.attach", "case.read"]}, {"name": "mute", "scopes": []}]
    desk = await world.desk("standard", services=services)
    robot = desk.person("robot")
    case = await robot.opened(contact=BOB, attachments=[(await sent(robot, "a.log", b"hello"))["id"]])
    assert [file["uploaded_by"] for file in await files_of(desk.ada, case["number"])] == ["robot"]
    answer = await send(desk.person("mute"), "a.log", b"hello")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


# ------------------------------------------------------------------------------------------ what is left behind


async def test_what_belongs_to_no_case_goes_after_a_day(world: ApiWorld, desk: ApiDesk, store: ObjectStore) -> None:
    young, old, attached = await sent(desk.bob), await sent(desk.bob), await sent(desk.bob)
    case = await desk.bob.opened(attachments=[attached["id"]])
    for file in (old, attached):
        await grow_old(world, file, timedelta(days=1))
    assert await unattached_files(world.database, store) >= 1
    assert [await is_stored(store, file) for file in (young, old, attached)] == [True, False, True]
    answer = await desk.bob.post(f"/cases/{case['number']}/attach", {"attachments": [old["id"]]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "attachments.0")
    await unattached_files(world.database, store, kept=timedelta())
    assert not await is_stored(store, young)
    assert await is_stored(store, attached)


async def test_the_content_of_a_removed_file_goes_even_if_nobody_deleted_it_at_once(
    world: ApiWorld, desk: ApiDesk, store: ObjectStore
) -> None:
    file = await sent(desk.bob)
    case = await desk.bob.opened(attachments=[file["id"]])
    handle = (await connect(world.settings)).get_workflow_handle(workflow_id(desk.slug, case["number"]))
    ada = {"kind": "staff", "email": ADA, "name": "Ada Vendor"}
    await handle.signal("remove_attachment", {"command_id": "r", "actor": ada, "attachment": file["id"]})
    await desk.bob.did(case["number"], "comments", body="Gone?")
    assert await files_of(desk.bob, case["number"]) == []
    assert await is_stored(store, file)
    assert await removed_files(world.database, store) >= 1
    assert not await is_stored(store, file)
    assert await removed_files(world.database, store) == 0
