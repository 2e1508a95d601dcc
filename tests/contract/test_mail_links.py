"""Mail about a case names no other case to those who perhaps don't see that one."""

from __future__ import annotations

from dataclasses import replace

from services.notifier.letter import write_letter
from services.notifier.story import Story
from shared.domain import commands as c
from shared.domain.decision import decide
from shared.domain.evolution import evolve
from shared.domain.profiles import HELP_CENTRE
from shared.domain.refusals import Refusal
from tests.contract.mail_story import ADA, NOW, case_on

OTHER = 4711


def followed_up() -> Story:
    """Of a case that is closed for good, and that another follows."""
    story = case_on(HELP_CENTRE, c.Close(command_id="", actor=ADA))
    command = c.FollowUp(command_id="follow", actor=ADA, number=OTHER)
    decided = decide(story.state, story.policy, command, NOW)
    assert not isinstance(decided, Refusal)
    (event,) = decided
    return replace(story, events=(event,), state=evolve(story.state, event))


def mail(story: Story, to: str) -> str:
    letter = write_letter(story, to, mail_from="Casebound <support@desk.example>", public_url="https://help.example")
    return letter.text + letter.html


def test_a_follow_up_is_named_to_staff_alone() -> None:
    """Somebody who was staff, and is a customer now, may still be the old case's assignee."""
    assert f"Ada Vendor opened a follow-up, CON-{OTHER}" in mail(followed_up(), "eve@vendor.example")
    to_others = mail(followed_up(), "dave@partner.example")
    assert "Ada Vendor opened a follow-up" in to_others
    assert str(OTHER) not in to_others


def test_an_opening_does_not_name_the_case_that_it_follows() -> None:
    assert str(OTHER) not in mail(case_on(HELP_CENTRE, follow_up_of=OTHER), "carol@acme.example")
