"""What somebody may not see leaves no trace in anything that they are answered, sent or told."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api_world import NEW_CASE, Person
from tests.integration.access.people import AccessDesk, Stream, access_desk, address, following, members, uploaded
from tests.stack import RunningStack

BYSTANDERS = ("peer", "other")
"""Customers of the desk who have nothing to do with the case: of its account, and admin of another."""


@dataclass
class Secrets:
    """A desk with one case in which every text is secret, and what outsiders heard while it was written."""

    desk: AccessDesk
    neighbour: AccessDesk
    word: str
    number: int
    note: int
    files: list[str]
    heard: dict[str, list[dict[str, Any]]]

    def outsiders(self) -> dict[str, Person]:
        """Those who may know nothing of it: on its own desk, and on another with the same accounts and people."""
        guard = self.neighbour.person("guard")
        visitors = {name: self.neighbour.person(name) for name in ("reporter", "head", "agent", "robot")}
        return {name: self.desk.person(name) for name in BYSTANDERS} | {"guard": guard, **visitors}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secrets(stack: RunningStack) -> AsyncIterator[Secrets]:
    """Everybody listens while the case lives through everything that is told of."""
    word = f"xq{uuid.uuid4().hex[:12]}"
    async with (
        access_desk(stack) as desk,
        access_desk(stack, staff=members({"guard": "admin", "agent": "agent"})) as neighbour,
    ):
        made = Secrets(desk, neighbour, word, 0, 0, [], {})
        async with AsyncExitStack() as live:
            listeners = {name: await live.enter_async_context(following(who)) for name, who in made.outsiders().items()}
            async with following(desk.reporter) as own:
                await _write(made)
                await own.until("closed", made.number)
            assert word in json.dumps(own.heard), "the reporter heard it, so there was something to hear"
            await asyncio.gather(*(_hear_out(made, name, stream) for name, stream in listeners.items()))
        yield made


async def _write(made: Secrets) -> None:
    desk, word = made.desk, made.word
    texts = {name: f"{word} {name}" for name in ("subject", "description", "internal_reference")}
    made.number = await desk.case(**texts, product="Analytics", severity="Low", environment="Production")
    await desk.agent.did(made.number, "assign", assignee=address("lead"))
    made.files = [await uploaded(who, f"{word}.txt", word.encode()) for who in (desk.reporter, desk.agent)]
    await desk.reporter.did(made.number, "comments", attachments=made.files[:1])
    hush = {"body": f"{word} note", "internal": True, "attachments": made.files[1:]}
    note = await desk.agent.did(made.number, "comments", **hush)
    made.note = note["seq"]
    await desk.agent.did(made.number, "comments", body=f"{word} comment")
    await desk.reporter.did(made.number, "escalate", comment=f"{word} escalation")
    await desk.agent.did(made.number, "resolve", resolution_type="provided", summary=f"{word} summary")
    await desk.reporter.did(made.number, "reject", reason=f"{word} reason")
    await desk.agent.did(made.number, "close", comment=f"{word} farewell")


async def _hear_out(made: Secrets, name: str, stream: Stream) -> None:
    """Let them hear something of their own: what was said before it, they have heard by then."""
    opener = made.desk.other if name == "other" else made.desk.peer if name == "peer" else made.neighbour.reporter
    await stream.until("opened", (await opener.opened())["number"])
    made.heard[name] = stream.heard


async def answers(person: Person, made: Secrets) -> dict[str, httpx.Response]:
    """Everything that could show something, by what was asked."""
    lists = {
        "everything": {},
        "word": {"q": made.word},
        "beginning": {"q": made.word[:5]},
        "number": {"q": f"MX-{made.number}"},
        "account": {"account": "acme"},
        "product and severity": {"product": "Analytics", "severity": "Low"},
        "status": {"status": "closed"},
        "assignee": {"assignee": address("lead")},
        "mine": {"mine": "true"},
        "waiting": {"after_seq": "1"},
    }
    got = {f"list by {name}": await person.get("/cases", **query) for name, query in lists.items()}
    for form in ("csv", "xlsx"):
        got[f"export as {form}"] = await person.get("/cases/export", format=form)
    for path in ("", "/events", "/attachments"):
        got[f"case{path}"] = await person.get(f"/cases/{made.number}{path}")
    for file in made.files:
        got[f"file {file}"] = await person.get(f"/cases/{made.number}/attachments/{file}")
    reply = {"body": "Hello?", "in_reply_to": made.note}
    got["reply"] = await person.post(f"/cases/{made.number}/comments", reply)
    got["follow-up"] = await person.post(f"/cases/{made.number}/follow-up", {"description": "More"})
    got["follow-up of"] = await person.post("/cases", NEW_CASE | {"follow_up_of": made.number})
    got["filters"] = await person.get("/filters")
    got["policy"] = await person.get("/policy")
    return got


async def test_there_is_something_to_find(secrets: Secrets) -> None:
    """Else the tests below could not fail."""
    for person in (secrets.desk.reporter, secrets.desk.copied, secrets.desk.head, secrets.desk.agent):
        async with asyncio.timeout(20):
            while (await person.get("/cases", q=secrets.word)).json()["total"] != 1:
                await asyncio.sleep(0.05)
        for path in ("", "/events", "/attachments", f"/attachments/{secrets.files[0]}"):
            assert secrets.word in (await person.get(f"/cases/{secrets.number}{path}")).text
        assert secrets.word in (await person.get("/cases/export", format="csv")).text


@pytest.mark.parametrize("name", ["peer", "other", "guard", "reporter", "head", "agent", "robot"])
async def test_nothing_is_found(secrets: Secrets, name: str) -> None:
    for what, answer in (await answers(secrets.outsiders()[name], secrets)).items():
        assert secrets.word not in answer.text, what
        if name == "other":
            assert address("reporter") not in answer.text, what
            assert '"acme"' not in answer.text, what
        if what.startswith("list"):
            assert answer.status_code == 200, (what, answer.text)
            page = answer.json()
            shown = {case["account"] for case in page["items"]}
            assert page["total"] == len(page["items"]), what
            if name == "other":
                assert shown <= {"other"}, what
                assert set(page["facets"].get("account", {})) <= {"other"}, what
                assert not page["facets"].get("assignee", {}).get(address("lead")), what
        elif what.startswith(("case", "file")) and name in BYSTANDERS:
            assert answer.status_code == 404, what


@pytest.mark.parametrize("name", ["peer", "other", "guard", "reporter", "head", "agent", "robot"])
async def test_nothing_is_heard(secrets: Secrets, name: str) -> None:
    assert secrets.heard[name], "they heard of their own case"
    assert secrets.word not in json.dumps(secrets.heard[name])


async def test_nothing_is_mailed(secrets: Secrets) -> None:
    """The reporter's mail is there before we look for mail of others."""
    http, mailbox = secrets.desk.http, f"{secrets.desk.stack.api}/dev/mailbox"
    async with asyncio.timeout(30):
        while True:
            mails = (await http.get(mailbox, headers={"Accept": "application/json"})).json()["items"]
            mine = [mail for mail in mails if secrets.word in json.dumps(mail)]
            if any(f"{secrets.word} farewell" in mail["text"] for mail in mine):
                break
            await asyncio.sleep(0.1)
    told = {recipient for mail in mine for recipient in (*mail["to"], *mail["cc"])}
    assert address("reporter") in told
    assert told <= {address(name) for name in ("reporter", "contact", "copied", "lead", "agent", "boss")}
    customers = {address(name) for name in ("reporter", "contact", "copied")}
    notes = [mail for mail in mine if f"{secrets.word} note" in json.dumps(mail)]
    assert not [mail for mail in notes if customers & {*mail["to"], *mail["cc"]}]


async def test_notes_are_kept_from_customers_who_see_the_case(secrets: Secrets) -> None:
    note = f"{secrets.word} note"
    for name in ("reporter", "contact", "copied", "head"):
        person = secrets.desk.person(name)
        got = await answers(person, secrets)
        assert not [what for what, answer in got.items() if note in answer.text], name
        assert [got[f"file {file}"].status_code for file in secrets.files] == [200, 404]
        assert secrets.files[1] not in got["case/attachments"].text
        assert (await person.get("/cases", q=f"{secrets.word} note")).json()["total"] == 0
    assert note in (await secrets.desk.agent.get(f"/cases/{secrets.number}/events")).text


@pytest.mark.parametrize("seq", ["note", "none"])
async def test_a_reply_to_a_note_is_a_reply_to_nothing(secrets: Secrets, seq: str) -> None:
    number = await secrets.desk.case()
    note = (await secrets.desk.agent.did(number, "comments", body="Hush", internal=True))["seq"]
    answer = await secrets.desk.reporter.post(
        f"/cases/{number}/comments", {"body": "?", "in_reply_to": note if seq == "note" else 77}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"in_reply_to: The case has no event {note if seq == 'note' else 77}."


# ------------------------------------------------------------------------------------------- what errors say


@pytest.mark.parametrize(
    ("hidden", "unknown"),
    [
        ({"follow_up_of": "hidden"}, {"follow_up_of": 99_999}),
        ({"account": "acme"}, {"account": "no-such"}),
        ({"contact": address("reporter")}, {"contact": "ghost@matrix.example"}),
        ({"environment": "Production"}, {"environment": "No such"}),
        ({"attachments": ["hidden"]}, {"attachments": [str(uuid.uuid4())]}),
    ],
    ids=["follow_up_of", "account", "contact", "environment", "attachments"],
)
async def test_an_error_tells_of_nothing_that_one_may_not_see(
    secrets: Secrets, hidden: dict[str, Any], unknown: dict[str, Any]
) -> None:
    """Naming what exists elsewhere is answered word for word like naming what does not."""
    ((field, value),) = hidden.items()
    real = {"hidden": secrets.number, "['hidden']": [await uploaded(secrets.desk.reporter)]}
    named = {field: real.get(str(value), value)}
    texts = []
    for fields in (named, unknown):
        answer = await secrets.desk.other.post("/cases", NEW_CASE | fields)
        assert answer.status_code == 422, answer.text
        texts.append(answer.text.replace(str(fields[field]).strip("[']"), "…"))
    assert texts[0] == texts[1]
    assert "acme" not in texts[0]
    assert address("reporter") not in texts[0]


async def test_a_file_is_found_on_its_own_case_alone(secrets: Secrets) -> None:
    """Who sees another case does not get at the file through that one."""
    own = (await secrets.desk.other.opened())["number"]
    for file in secrets.files:
        path = f"/cases/{own}/attachments/{file}"
        assert (await secrets.desk.other.get(path)).status_code == 404
        assert (await secrets.desk.other.ask("DELETE", path)).status_code == 404
        assert (await secrets.desk.agent.get(path)).status_code == 404


# ------------------------------------------------------------------------------------------- keys, filters, webhooks


async def test_an_answer_is_repeated_to_nobody_else(secrets: Secrets) -> None:
    desk, body = secrets.desk, {"body": "Mine alone"}
    number = await desk.case()
    path = f"/cases/{number}/comments"
    first = await desk.reporter.post(path, body, key="shared-key")
    assert first.status_code == 201
    assert (await desk.other.post(path, body, key="shared-key")).status_code == 404
    assert (await desk.peer.post(path, body, key="shared-key")).status_code == 404
    colleague = await desk.head.post(path, body, key="shared-key")
    assert (colleague.status_code, colleague.json()["actor"]["email"]) == (201, address("head"))
    assert colleague.json()["seq"] != first.json()["seq"]
    opened = [await desk.person(name).post("/cases", NEW_CASE, key="opening") for name in ("reporter", "other")]
    assert len({answer.json()["number"] for answer in opened}) == 2


async def test_an_answer_is_not_repeated_to_who_sees_the_case_no_more(secrets: Secrets) -> None:
    desk = secrets.desk
    number = await desk.case(cc=[address("other")])
    path, body = f"/cases/{number}/comments", {"body": "Before"}
    assert (await desk.other.post(path, body, key="before")).status_code == 201
    assert (await desk.reporter.ask("PATCH", f"/cases/{number}", {"cc": []})).status_code == 200
    assert (await desk.other.post(path, body, key="before")).status_code == 404


async def test_filters_are_ones_own(secrets: Secrets) -> None:
    desk = secrets.desk
    saved = (await desk.head.post("/filters", {"name": f"{secrets.word} filter", "query": {}})).json()
    for name in ("reporter", "other", "agent", "boss"):
        person = desk.person(name)
        assert secrets.word not in (await person.get("/filters")).text
        for method, body in (("PATCH", {"name": "Stolen"}), ("DELETE", None)):
            assert (await person.ask(method, f"/filters/{saved['id']}", body)).status_code == 404
    elsewhere = secrets.neighbour.head
    assert secrets.word not in (await elsewhere.get("/filters")).text
    assert (await elsewhere.ask("DELETE", f"/filters/{saved['id']}")).status_code == 404
    assert [each["id"] for each in (await desk.head.get("/filters")).json()["items"]] == [saved["id"]]


async def test_webhooks_are_the_desks_own(secrets: Secrets) -> None:
    hook = {"url": f"https://{secrets.word}.invalid/", "events": ["case.sealed"], "secret": "whsec_" + "eHh4" * 11}
    await secrets.desk.apply(webhooks=[hook])
    webhook = (await secrets.desk.boss.get("/webhooks")).json()["items"][0]["id"]
    guard = secrets.neighbour.guard
    assert secrets.word not in (await guard.get("/webhooks")).text
    for method, path in (("GET", "deliveries"), ("POST", "test"), ("POST", "deliveries/1/replay")):
        assert (await guard.ask(method, f"/webhooks/{webhook}/{path}")).status_code == 404
