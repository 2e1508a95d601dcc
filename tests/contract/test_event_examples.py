"""Messages of the first version keep being read, and are still written as they were (contract: NATS)."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.contracts.events import CaseEvent, CaseSnapshot, EventData, decode, encode, event_id
from shared.domain import events as e
from shared.domain.case import CaseState
from tests.contract.told_events import CASE_ID, EXAMPLES, told_events

CONTRACT = [
    "opened",
    "commented",
    "noted",
    "assigned",
    "edited",
    "escalated",
    "awaiting_customer",
    "resumed",
    "closure_requested",
    "resolved",
    "accepted",
    "rejected",
    "closed",
    "reopened",
    "sealed",
    "followed_up",
    "attached",
    "attachment_removed",
    "note_attachment_removed",
    "surveyed",
    "command_rejected",
]
FILES = sorted(EXAMPLES.glob("*.json"))
TOLD = told_events()


def kind_of(event: type[e.Event]) -> str:
    kind = event.__dataclass_fields__["kind"].default
    assert isinstance(kind, str)
    return kind


def written(path: Path) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return message


def test_kinds_are_those_of_the_contract() -> None:
    assert {kind_of(event) for event in get_args(e.Event)} == set(CONTRACT)
    assert len(CONTRACT) == len(set(CONTRACT)) == 21


def test_there_is_an_example_of_each_kind() -> None:
    assert {path.stem for path in FILES} == set(CONTRACT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_old_message_is_read_and_written_again_unchanged(path: Path) -> None:
    event = decode(path.read_bytes())

    assert event.kind == path.stem
    assert event.case_id == CASE_ID
    assert json.loads(encode(event)) == written(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_same_event_is_told_today_as_it_was(path: Path) -> None:
    told = TOLD[path.stem]

    assert json.loads(encode(told)) == written(path)
    assert decode(encode(told)) == decode(path.read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_message_is_a_cloud_event_as_in_the_contract(path: Path) -> None:
    message = written(path)
    kind = path.stem
    data = message["data"]

    assert message["specversion"] == "1.0"
    assert message["id"] == event_id(CASE_ID, data["seq"]) == f"{CASE_ID}:{data['seq']}"
    assert message["source"] == "/desks/support/cases/7"
    assert message["type"] == f"casebound.case.{kind}.v1"
    assert message["time"].endswith("Z")
    assert message["datacontenttype"] == "application/json"
    assert "traceparent" not in message or message["traceparent"].startswith("00-")
    assert data["case"]["seq"] == data["seq"]
    assert data["case"]["key"] == "SUP-7"
    own = {field.name for field in fields(_event_class(kind))} - {"at", "kind"}
    assert set(data) == own | {"case"}


def test_an_attribute_without_a_value_is_left_out() -> None:
    assert "traceparent" not in json.loads(encode(TOLD["sealed"]))
    assert TOLD["sealed"].traceparent is None


def test_the_snapshot_shows_the_case_right_after_the_event_in_the_desks_words() -> None:
    snapshot = TOLD["awaiting_customer"].data.case

    assert (snapshot.status, snapshot.status_label) == ("awaiting_customer", "Awaiting your reply")
    assert snapshot.assignee == "ada@vendor.example"
    assert TOLD["sealed"].data.case.sealed


def test_the_snapshot_has_the_list_fields_and_no_more() -> None:
    of_the_case = set(CaseSnapshot.model_fields) - {"id", "desk", "number", "key", "status_label"}
    kept_back = {"window", "resolution", "survey", "follow_up_of", "follow_ups"} | {
        field.name for field in fields(CaseState) if field.name.startswith(("closed_", "closure_"))
    }
    kept_back |= {"escalated_at", "resolved_at"}

    assert {field.name for field in fields(CaseState)} == of_the_case | kept_back
    assert TOLD["opened"].data.case.model_extra == {}


def test_what_an_event_adds_never_hides_a_common_field() -> None:
    common = {field.name for field in fields(e.Sealed)} | set(EventData.model_fields)
    for event in get_args(e.Event):
        own = {field.name for field in fields(event)} - {field.name for field in fields(e.Sealed)}
        assert not own & common, event


@pytest.mark.parametrize("message", [b"", b"{}", b"[]", b'{"specversion": "2.0"}'])
def test_what_is_no_event_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="CaseEvent"):
        decode(message)


def test_a_field_that_a_later_version_adds_is_no_obstacle() -> None:
    message = written(EXAMPLES / "commented.json")
    message["data"]["mood"] = message["tone"] = message["data"]["case"]["colour"] = "blue"

    event = decode(json.dumps(message).encode())

    assert isinstance(event, CaseEvent)
    assert json.loads(encode(event)) == message


def _event_class(kind: str) -> type[e.Event]:
    classes: dict[str, type[e.Event]] = {kind_of(event): event for event in get_args(e.Event)}
    return classes[kind]
