"""What the mail says: without servers, from events that the machine itself decided."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest

from services.notifier.channels.smtp import parse_smtp_url
from services.notifier.letter import Letter, write_letter
from services.notifier.story import Story
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.decision import decide
from shared.domain.evolution import evolve
from shared.domain.policy import Policy
from shared.domain.profiles import CONNECT, HELP_CENTRE, MSP_PORTAL, STANDARD, TEAM_PORTAL
from shared.domain.refusals import Refusal
from tests.contract.mail_story import ADA, BOB, CASE, NOW, SYSTEM, assigned, case_on, said


def letter(story: Story, to: str = "carol@acme.example") -> Letter:
    return write_letter(story, to, mail_from="Casebound <support@desk.example>", public_url="https://help.example/")


def parsed(written: Letter) -> EmailMessage:
    message = message_from_bytes(written.wire, policy=default)
    assert isinstance(message, EmailMessage)
    return message


# ---------------------------------------------------------------- headers


def test_a_case_is_one_conversation_for_each_recipient() -> None:
    opened, reply = case_on(STANDARD), case_on(STANDARD, said("Looking into it"))
    first, second, others = letter(opened), letter(reply), letter(reply, "bob@acme.example")
    assert first.subject == second.subject == "[CON-12] Invoices are empty"
    assert first.in_reply_to == second.in_reply_to != others.in_reply_to
    assert len({first.message_id, second.message_id, others.message_id}) == 3
    assert second.message_id == letter(reply).message_id
    assert second.message_id.startswith(f"<{CASE}.2.")
    assert second.message_id.endswith("@desk.example>")


def test_headers_say_who_sends_what_to_whom() -> None:
    written = letter(case_on(STANDARD, said("Looking into it")))
    message = parsed(written)
    assert f"\r\nMessage-ID: {written.message_id}\r\n".encode() in written.wire
    assert message["From"] == "Connect Support <support@desk.example>"
    assert message["To"] == "carol@acme.example"
    assert message["Cc"] is None
    assert message["References"] == message["In-Reply-To"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Casebound-Case"] == "connect/12"


SMUGGLED = "=?utf-8?q?hi=0aBcc:thief@evil.example?="


@pytest.mark.parametrize(
    "subject",
    [
        SMUGGLED,
        "hi\r\nBcc: thief@evil.example",
        "hi\nBcc: thief@evil.example",
        "hi\x85Bcc: thief@evil.example",
        "hi\u2028Bcc: thief@evil.example",
        f"=\x00{SMUGGLED[1:]}",
        f"=\u200e{SMUGGLED[1:]}",
        f"={SMUGGLED}",
        "x" * 70 + " " + SMUGGLED,
        "é" * 60 + SMUGGLED,
        "=?utf-8?b?aGkKQmNjOnRoaWVmQGV2aWwuZXhhbXBsZQ==?=",
    ],
)
def test_no_subject_can_smuggle_a_header(subject: str) -> None:
    """CVE-2024-6923."""
    story = case_on(STANDARD, said("Hello"))
    story = replace(story, state=replace(story.state, subject=subject), desk=replace(story.desk, name=subject))
    wire = letter(story).wire
    headers = wire.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")
    names = [line.split(":")[0] for line in headers if not line.startswith((" ", "\t"))]
    assert names == [
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "X-Casebound-Case", "MIME-Version", "Content-Type"),
    ]
    assert message_from_bytes(wire, policy=default)["Bcc"] is None


@pytest.mark.parametrize("address", [f"{SMUGGLED}@x.example", "a@b.example\r\nBcc: c@d.example", "nobody", "a@b@c"])
def test_an_address_that_is_none_gets_no_mail(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        letter(case_on(STANDARD, said("Hello")), address)


def test_a_subject_in_any_script_arrives_as_typed() -> None:
    subject = "Rechnungen für März: 請求書は空です 👩‍💻 = ok?"
    assert parsed(letter(case_on(STANDARD, said("Hello"), subject=subject)))["Subject"] == f"[CON-12] {subject}"


# ---------------------------------------------------------------- what it says


def test_a_comment_is_quoted_in_both_forms_and_linked_to() -> None:
    """desk-rules T8: the link leads to that very reply."""
    written = letter(case_on(CONNECT, said("Try **this**:\n\n- restart\n- wait", await_reply=True)))
    assert "Ada Vendor wrote and is waiting for an answer:" in written.text
    assert "> Try **this**:\n>\n> - restart\n> - wait\n" in written.text
    assert "<strong>this</strong>" in written.html
    assert "Status: Awaiting Customer" in written.text
    link = "https://help.example/desks/connect/cases/12#event-2"
    assert link in written.text
    assert f'href="{link}"' in written.html
    assert "You get this because you are the contact of the case." in written.text


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<img src=https://evil.example/pixel>",
        "![x](https://evil.example/pixel)",
        "[x](javascript:alert(1))",
        '<a href="x" onmouseover="alert(1)">x</a>',
    ],
)
def test_what_people_type_can_do_nothing_in_html(body: str) -> None:
    story = case_on(STANDARD, said(body))
    html = letter(replace(story, state=replace(story.state, subject=body))).html
    tags = _Tags()
    tags.feed(html)
    assert not tags.names & {"script", "img", "iframe", "object", "form"}
    assert tags.attributes <= {"lang", "charset", "name", "content", "class", "style", "href", "rel"}
    assert all(link.startswith("https://help.example/") for link in tags.links)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}


def test_the_end_of_a_window_is_a_date_and_time_of_the_desk() -> None:
    """desk-rules Windows: shown as a date and time, never only as a count."""
    resolve = c.Resolve(command_id="", actor=ADA, resolution_type="provided", summary="Fixed", root_cause="A bug")
    story = case_on(STANDARD, resolve)
    assert story.state.window is not None
    window = replace(story.state.window, ends_at=datetime(2026, 11, 25, 15, 0, tzinfo=UTC))
    text = letter(replace(story, state=replace(story.state, window=window))).text
    assert "Ada Vendor resolved the case:" in text
    assert "Resolution: provided\n> Fixed" in text
    assert "Root cause\n> A bug" in text
    assert (
        "Status: Resolved. It closes by itself on Wed 25 Nov 2026, 15:00 (Europe/London) if nothing more is said."
    ) in text


def test_a_closed_case_says_until_when_it_can_be_reopened_in_summer_time_too() -> None:
    story = case_on(CONNECT, c.Close(command_id="", actor=ADA, comment="Done"))
    assert story.state.window is not None
    window = replace(story.state.window, ends_at=datetime(2027, 6, 10, 14, 0, tzinfo=UTC))
    text = letter(replace(story, state=replace(story.state, window=window))).text
    assert "Ada Vendor closed the case:\n" in text
    assert "> Done" in text
    assert "It can be reopened until Thu 10 Jun 2027, 15:00 (Europe/London)." in text


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (TEAM_PORTAL, "Status: Closed. A reply on its page reopens it."),
        (HELP_CENTRE, "Status: Closed. It is closed for good. A follow-up can be opened from its page."),
        (MSP_PORTAL, "Status: Closed. It is closed for good.\n"),
    ],
    ids=["team-portal", "help-centre", "msp-portal"],
)
def test_what_is_left_to_do_on_a_closed_case(policy: Policy, expected: str) -> None:
    assert expected in letter(case_on(policy, c.Close(command_id="", actor=ADA))).text


def test_a_solving_comment_and_an_answer_that_reopens_are_one_mail_each() -> None:
    solving = said("It works again", BOB, solve=True)
    assert "Bob Acme wrote and marked the case as solved:\n" in letter(case_on(HELP_CENTRE, solving)).text
    reopening = case_on(HELP_CENTRE, solving, said("No, it does not", BOB))
    assert "Bob Acme wrote, which reopened the case:\n" in letter(reopening).text


def test_a_case_that_silence_closed_says_so() -> None:
    story = case_on(STANDARD, c.Resolve(command_id="", actor=ADA, resolution_type="fixed", summary="Ok"))
    closed = decide(story.state, STANDARD, c.Close(command_id="9", actor=ADA), NOW)
    assert not isinstance(closed, Refusal)
    by_staff = closed[0]
    assert isinstance(by_staff, e.Closed)
    by_itself = replace(by_staff, actor=SYSTEM, reason="no_answer")
    story = replace(story, events=(by_itself,), state=evolve(story.state, by_itself))
    assert "The case closed by itself, as nothing more was said after it was resolved." in letter(story).text


def test_changes_are_shown_with_names_and_labels() -> None:
    edit = c.Edit(command_id="", actor=ADA, changes={"severity": "Low", "contact": "bob@acme.example", "cc": ()})
    text = letter(case_on(STANDARD, edit)).text
    assert "Ada Vendor changed the case." in text
    assert "- Severity: High → Low" in text
    assert "- Contact: carol@acme.example → Bob Acme" in text
    assert "- CC: dave@partner.example → none" in text


def test_files_are_named() -> None:
    file = str(uuid.uuid4())
    story = case_on(STANDARD, c.Attach(command_id="", actor=ADA, attachments=(file,)))
    text = letter(replace(story, files={file: "log <1>.txt"})).text
    assert "Ada Vendor added a file." in text
    assert "Files: log <1>.txt" in text


def test_a_note_is_not_written_to_anybody_outside_the_desk() -> None:
    """desk-rules standard 5; the second wall behind the table of recipients."""
    story = case_on(STANDARD, assigned(), said("He is angry", internal=True))
    assert "> He is angry" in letter(story, "eve@vendor.example").text
    with pytest.raises(ValueError, match="internal"):
        letter(story)


def test_a_note_beside_a_comment_is_left_out_of_a_customers_mail() -> None:
    story = case_on(STANDARD, assigned(), said("Hello"))
    note = e.Noted(seq=9, at=NOW, actor=ADA, command_id="1", command="comment", part=1, body="He is angry")
    story = replace(story, events=(*story.events, note))
    assert "angry" not in letter(story).wire.decode()
    assert "angry" in letter(story, "eve@vendor.example").text


def test_the_html_mail_stands_alone() -> None:
    html = letter(case_on(STANDARD, said("Hello"))).html
    assert 'class="card" style="max-width: 560px' in html
    assert "src=" not in html
    assert "@import" not in html


# ---------------------------------------------------------------- where it goes


def test_the_smtp_url_in_its_usual_forms() -> None:
    full = parse_smtp_url("smtp://me%40x:p%3Aw@mail.example:2525")
    assert (full.host, full.port, full.username, full.password, full.tls) == (
        "mail.example",
        2525,
        "me@x",
        "p:w",
        False,
    )
    assert parse_smtp_url("smtps://mail.example").port == 465
    assert parse_smtp_url("smtp://mail.example").port == 25
    assert parse_smtp_url("smtp://me:pw@mail.example").port == 587
    with pytest.raises(ValueError, match="CASEBOUND_SMTP_URL"):
        parse_smtp_url("mail.example:25")
