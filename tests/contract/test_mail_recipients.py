"""Who is told of what: without servers, from events that the machine itself decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.notifier.recipients import TABLE, opened_for_somebody, recipients
from services.notifier.story import Story
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.case import Actor, ActorKind
from shared.domain.policy import Policy, Recipient
from shared.domain.profiles import APPCENTRAL, CONNECT, HELP_CENTRE, MSP_PORTAL, PROFILES, STANDARD, TEAM_PORTAL
from tests.contract.mail_story import ADA, ADMINS, BOB, DESK_STAFF, assigned, case_on, said


def told(story: Story) -> set[str]:
    addresses = recipients(story.told, story.state, story.policy, ADMINS, DESK_STAFF)
    assert len(addresses) == len(set(addresses))
    return {address.split("@")[0] for address in addresses}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (STANDARD, {"bob", "carol", "dave", "eve"}),
        (CONNECT, {"bob", "carol", "dave", "eve"}),
        (APPCENTRAL, {"bob", "carol", "dave", "eve"}),
        (HELP_CENTRE, {"bob", "dave"}),
        (MSP_PORTAL, {"bob", "carol"}),
        (TEAM_PORTAL, {"bob", "root"}),
    ],
    ids=PROFILES,
)
def test_a_reply_by_staff_reaches_whom_the_policy_names(policy: Policy, expected: set[str]) -> None:
    """desk-rules "mail on every update goes to", T7."""
    assert told(case_on(policy, assigned(), said("Looking into it"))) == expected


@pytest.mark.parametrize("policy", PROFILES.values(), ids=PROFILES)
def test_the_actor_is_never_told(policy: Policy) -> None:
    assert "bob" not in told(case_on(policy))
    assert "bob" not in told(case_on(policy, said("More", BOB)))
    shouting = Actor(kind=ActorKind.STAFF, email="EVE@vendor.example", name="Eve")
    assert "eve" not in told(case_on(policy, assigned(), said("Mine", shouting)))


def test_nobody_is_told_twice() -> None:
    story = case_on(STANDARD, said("Hello"), contact="bob@acme.example", cc=("BOB@acme.example", "bob@acme.example"))
    assert recipients(story.told, story.state, story.policy) == ("bob@acme.example",)


def test_service_accounts_are_not_mailed() -> None:
    """They report cases under addresses that can't receive mail (RFC 6761)."""
    story = case_on(CONNECT, said("Hello"), reporter="monitoring@connect.service.invalid", cc=())
    assert recipients(story.told, story.state, story.policy) == ("carol@acme.example",)


def test_the_desk_is_not_mailed_about_a_case_that_nobody_has_taken() -> None:
    assert told(case_on(STANDARD)) == {"carol", "dave"}


@pytest.mark.parametrize("policy", PROFILES.values(), ids=PROFILES)
def test_an_internal_note_reaches_at_most_the_assignee(policy: Policy) -> None:
    """desk-rules standard 5."""
    everyone = replace(policy, recipients=frozenset(Recipient), cc_gets_everything=True)
    assert told(case_on(policy, assigned(), said("He is angry", internal=True))) <= {"eve"}
    assert told(case_on(everyone, assigned(), said("He is angry", internal=True))) == {"eve"}
    assert told(case_on(everyone, said("He is angry", internal=True))) == set()


def test_cc_addresses_hear_what_is_said_and_decided_and_on_some_desks_everything() -> None:
    """desk-rules A3."""
    edit = c.Edit(command_id="", actor=ADA, changes={"severity": "Low"})
    assert "dave" not in told(case_on(STANDARD, edit))
    assert "carol" in told(case_on(STANDARD, edit))
    assert "dave" in told(case_on(CONNECT, edit))
    assert "dave" in told(case_on(STANDARD, c.Resolve(command_id="", actor=ADA, resolution_type="fixed", summary="Ok")))


def test_an_assignment_concerns_the_customers_and_those_who_get_and_lose_the_case() -> None:
    """desk-rules T7: any update."""
    customers = {"bob", "carol"}
    assert told(case_on(STANDARD, assigned())) == customers | {"eve"}
    assert told(case_on(STANDARD, assigned("ada@vendor.example"), assigned())) == customers | {"eve"}
    kim = Actor(kind=ActorKind.STAFF, email="kim@vendor.example")
    passed_on = case_on(STANDARD, assigned("ada@vendor.example"), replace(assigned(), actor=kim))
    assert told(passed_on) == customers | {"ada", "eve"}
    assert told(case_on(CONNECT, assigned())) == customers | {"dave", "eve"}
    assert told(case_on(TEAM_PORTAL, assigned())) == {"bob", "root", "eve"}


@pytest.mark.parametrize("opener", ["ada@vendor.example", "monitoring@connect.service.invalid"])
def test_for_whom_the_desk_has_opened_a_case_is_told_in_the_openers_place(opener: str) -> None:
    ours, theirs = case_on(HELP_CENTRE, said("Done"), reporter=opener), case_on(HELP_CENTRE, said("Done"))
    assert opened_for_somebody(ours.state, HELP_CENTRE)
    assert told(ours) == {"carol", "dave"}
    assert told(theirs) == {"bob", "dave"}
    assert not opened_for_somebody(ours.state, STANDARD)


def test_who_is_newly_copied_is_told_so() -> None:
    """desk-rules H6."""
    by_edit = c.Edit(command_id="", actor=BOB, changes={"cc": ("dave@partner.example", "fay@partner.example")})
    assert told(case_on(STANDARD, by_edit)) == {"carol", "fay"}
    assert told(case_on(HELP_CENTRE, said("Fay knows", BOB, cc=("fay@acme.example",)))) == {"dave", "fay"}


def test_every_kind_of_event_has_its_line_in_the_table() -> None:
    kinds = {kind.__dataclass_fields__["kind"].default for kind in e.Event.__args__}
    assert set(TABLE) == kinds


def test_a_call_for_the_desk_reaches_the_assignee_or_while_there_is_none_all_staff() -> None:
    """desk-rules C16; whatever else the policy says about mail."""
    request, escalation = c.RequestClose(command_id="", actor=BOB), c.Escalate(command_id="", actor=BOB, comment="Now")
    nobody_else = replace(CONNECT, recipients=frozenset())
    for command in (request, escalation):
        assert told(case_on(nobody_else, command)) == {"ada", "eve"}
        assert told(case_on(nobody_else, assigned(), command)) == {"eve"}
