"""Commands as they travel: what is sent is what arrives, and what can't be read is refused by name."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.workflow import SIGNALS, ParsedCommand, command_to_wire, parse_command
from shared.domain import commands as c
from shared.domain.case import Survey
from shared.domain.lifecycle import Action
from shared.domain.refusals import Refusal, RefusalCode
from tests.domain.strategies import ADA, BOB, commands, opening, request

WITHIN = (c.Elapse, c.RecordRejection)
ACTOR = {"kind": "customer", "email": "bob@acme.example"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
unruly = st.text("ab \0\ud800火😀", max_size=5)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), unruly),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(unruly, inner, max_size=3),
    max_leaves=5,
)


def refused(**data: Any) -> Refusal:
    parsed = parse_command(data)
    assert isinstance(parsed, Refusal), parsed
    return parsed


def close(**data: Any) -> dict[str, Any]:
    return {"name": "close", "command_id": "1", "actor": ACTOR, **data}


@given(command=commands.filter(lambda command: not isinstance(command, WITHIN)), trace=st.none() | st.just(TRACE))
def test_what_is_sent_is_what_arrives(command: c.Command, trace: str | None) -> None:
    wire = json.loads(json.dumps(command_to_wire(command, trace)))

    assert parse_command(wire) == ParsedCommand(command=command, traceparent=trace)


def test_each_signal_of_the_contract_is_a_command() -> None:
    names = {command.__dataclass_fields__["name"].default for command in get_args(c.Command)}
    assert set(SIGNALS) <= names
    assert names - set(SIGNALS) == {"open", "follow_up", "elapse", "record_rejection"}


def test_fields_are_those_of_the_http_body() -> None:
    bodies: dict[str, dict[str, Any]] = {
        "comment": {"body": "b", "in_reply_to": 1, "internal": False, "await_reply": True, "attachments": []},
        "assign": {"assignee": "ada@vendor.example"},
        "edit": {"changes": {"severity": "High", "cc": ["eve@acme.example"]}},
        "escalate": {"comment": "b"},
        "request_close": {"comment": "b"},
        "resolve": {"root_cause": "r", "resolution_type": "provided", "summary": "s"},
        "accept": {"survey": {"q1": 5, "q2": "Fine"}},
        "reject": {"reason": "r"},
        "close": {"comment": "b"},
        "reopen": {"reason": "r"},
        "survey": {"q1": 5, "q2": "Fine"},
        "attach": {"attachments": ["1"]},
        "remove_attachment": {"attachment": "1"},
    }
    assert set(bodies) == set(SIGNALS)

    for name, body in bodies.items():
        assert isinstance(parse_command({"name": name, "command_id": "1", "actor": ACTOR, **body}), ParsedCommand), name


def test_answers_of_the_survey_keep_their_types() -> None:
    parsed = parse_command(close(name="accept", survey={"q1": "5", "q2": 5}))

    assert isinstance(parsed, ParsedCommand)
    assert isinstance(parsed.command, c.Accept)
    assert parsed.command.survey == Survey(q1="5", q2=5)


@pytest.mark.parametrize("action", [Action.ELAPSE])
def test_the_clock_cannot_be_sent_in(action: Action) -> None:
    wire = command_to_wire(request(action, ADA), None)

    assert refused(**wire).code is RefusalCode.UNKNOWN_COMMAND


def test_a_rejection_cannot_be_sent_in() -> None:
    command = c.RecordRejection(command_id="1", actor=BOB, command="close", code="x", detail="x")

    assert refused(**command_to_wire(command, None)).code is RefusalCode.UNKNOWN_COMMAND


@pytest.mark.parametrize("name", ["explode", "", "Close", "request-close", "x" * 10_000])
def test_a_command_that_does_not_exist(name: str) -> None:
    refusal = refused(**close(name=name))

    assert refusal.code is RefusalCode.UNKNOWN_COMMAND
    assert len(refusal.detail) < 100


@pytest.mark.parametrize("name", [None, 7, ["close"], {}])
def test_a_command_without_a_name(name: Any) -> None:
    assert refused(**close(name=name)).code is RefusalCode.MALFORMED
    assert refused().code is RefusalCode.MALFORMED


def test_fields_that_do_not_exist_are_named_with_those_that_do() -> None:
    refusal = refused(**close(reason="r", status="open"))

    assert (refusal.code, refusal.fields) == (RefusalCode.MALFORMED, ("reason", "status"))
    assert refusal.detail == "Unknown: reason, status. Allowed are: actor, command_id, comment, name."


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"actor": None}, "actor"),
        ({"actor": {"kind": "god"}}, "actor.kind"),
        ({"actor": {}}, "actor.kind"),
        ({"command_id": 7}, "command_id"),
        ({"comment": ["b"]}, "comment"),
    ],
)
def test_fields_of_the_wrong_kind_are_named(data: dict[str, Any], field: str) -> None:
    refusal = refused(**close(**data))

    assert (refusal.code, refusal.fields) == (RefusalCode.MALFORMED, (field,))
    assert field in refusal.detail


@pytest.mark.parametrize("command_id", ["", "  ", "elapse-7"])
def test_a_command_has_an_id_of_its_own(command_id: str) -> None:
    refusal = refused(**close(command_id=command_id))

    assert (refusal.code, refusal.fields) == (RefusalCode.MALFORMED, ("command_id",))


@pytest.mark.parametrize("field", ["command_id", "actor"])
def test_fields_that_are_missing_are_named(field: str) -> None:
    refusal = refused(**{name: value for name, value in close().items() if name != field})

    assert (refusal.code, refusal.fields) == (RefusalCode.MALFORMED, (field,))


@pytest.mark.parametrize(
    "data",
    [
        {"comment": "a\0b"},
        {"command_id": "\0"},
        {"actor": {"kind": "customer", "name": "\0"}},
        {"name": "accept", "survey": {"q1": "\0", "q2": 1}},
        {"name": "comment", "cc": ["a\0@b.example"]},
        {"name": "edit", "changes": {"cc": ["a\0"]}},
        {"name": "edit", "changes": {"a\0": "b"}},
        {"a\0": "b"},
        {"name": "a\0"},
    ],
)
@pytest.mark.parametrize("character", ["u0000", "ud800", "udfff"])
def test_what_cannot_be_stored_is_refused_wherever_it_hides(data: dict[str, Any], character: str) -> None:
    hidden = json.loads(json.dumps(close(**data)).replace("u0000", character))
    refusal = refused(**hidden)

    assert refusal.code is RefusalCode.MALFORMED
    refusal.detail.encode()
    assert "\0" not in refusal.detail


def test_what_is_nested_beyond_reason_is_refused() -> None:
    nest: list[Any] = []
    for _ in range(5_000):
        nest = [nest]

    assert refused(**close(comment=nest)).code is RefusalCode.MALFORMED


@pytest.mark.parametrize("trace", [None, 7, ["x"]])
def test_a_trace_that_is_none_is_left_out(trace: Any) -> None:
    parsed = parse_command(close(traceparent=trace))

    assert isinstance(parsed, ParsedCommand)
    assert parsed.traceparent is None
    assert "traceparent" not in command_to_wire(parsed.command, parsed.traceparent)


@given(
    data=st.dictionaries(st.sampled_from(["command_id", "actor", "body", "changes", "cc"]), json_values),
    name=st.sampled_from([*SIGNALS, "open", "x"]),
)
def test_whatever_is_sent_is_answered(data: dict[str, Any], name: str) -> None:
    assert isinstance(parse_command({**data, "name": name}), ParsedCommand | Refusal)


def test_an_opening_travels_like_any_other() -> None:
    command = opening(cc=("eve@acme.example",), follow_up_of=7)

    assert parse_command(command_to_wire(command, TRACE)) == ParsedCommand(command=command, traceparent=TRACE)
