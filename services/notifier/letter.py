"""Writing a mail: headers, plain text and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import cache, lru_cache
from pathlib import Path

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.notifier import wording
from services.notifier.headers import header_text, message_id, receiver, sender
from services.notifier.story import Story
from shared.markdown import render_markdown

_TEMPLATES = Path(__file__).parent / "templates"
_IDS = frozenset({"Message-ID", "In-Reply-To", "References"})
_LINE_MAX = 78


class _Wire(EmailPolicy):
    """Writes ids on one line: some mail programs lose the conversation when they are folded. What needs no folding is
    not taken apart for it.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        line = f"{name}: {value}"
        if name in _IDS or (len(line) <= _LINE_MAX and line.isascii() and line.isprintable()):
            return f"{line}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


class _Remembered(HeaderRegistry):
    """Most headers are those of the mail before."""

    __call__ = lru_cache(maxsize=512)(HeaderRegistry.__call__)
    __getitem__ = lru_cache(maxsize=64)(HeaderRegistry.__getitem__)


_WIRE = _Wire(linesep=SMTP.linesep, header_factory=_Remembered())


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A mail to one recipient, ready to be sent."""

    sender: str
    recipient: str
    subject: str
    message_id: str
    in_reply_to: str
    text: str
    html: str
    mime: EmailMessage

    @property
    def wire(self) -> bytes:
        """The message as SMTP transmits it."""
        return self.mime.as_bytes(policy=_WIRE)


def write_letter(story: Story, recipient: str, *, mail_from: str, public_url: str) -> Letter:
    """Write the mail that tells one person of an event.

    Args:
        story: what there is to tell.
        recipient: whom; what they may not read is left out.
        mail_from: the setting of that name.
        public_url: base of the links.

    Raises:
        ValueError: the recipient or the setting is no mail address, or the event is not for this person to read.
    """
    if story.told not in story.visible_to(recipient):
        raise ValueError(f"what is internal to the desk is not for {recipient}, who is not on its staff")
    from_, to = sender(mail_from, story.desk.name), receiver(recipient)
    conversation = message_id(story.case_id, 0, recipient, from_.domain)
    mime = EmailMessage(policy=_WIRE)
    mime["From"] = str(from_)
    mime["To"] = str(to)
    mime["Subject"] = f"[{header_text(story.key)}] {header_text(story.state.subject)}"
    mime["Date"] = format_datetime(story.told.at)
    mime["Message-ID"] = own_id = message_id(story.case_id, story.told.seq, recipient, from_.domain)
    mime["In-Reply-To"] = conversation
    mime["References"] = conversation
    mime["Auto-Submitted"] = "auto-generated"
    mime["X-Auto-Response-Suppress"] = "All"
    mime["X-Casebound-Case"] = f"{story.desk.slug}/{story.number}"
    text, html = _bodies(story, recipient, public_url)
    mime.set_content(text, cte="quoted-printable")
    mime.add_alternative(html, subtype="html", cte="quoted-printable")
    return Letter(
        sender=str(from_),
        recipient=recipient,
        subject=str(mime["Subject"]),
        message_id=own_id,
        in_reply_to=conversation,
        text=text,
        html=html,
        mime=mime,
    )


def _bodies(story: Story, recipient: str, public_url: str) -> tuple[str, str]:
    values = {
        "case": story.key,
        "subject": story.state.subject,
        "desk": story.desk.name,
        "headline": wording.headline(story, recipient),
        "at": wording.moment(story.told.at.replace(second=0, microsecond=0), story.desk.timezone),
        "passages": wording.passages(story, recipient),
        "changes": wording.changes(story, recipient),
        "files": wording.files(story, recipient),
        "status": story.policy.label(story.state.status),
        "next_step": wording.next_step(story),
        "reason": wording.reason(story, recipient),
        "link": f"{public_url.rstrip('/')}/desks/{story.desk.slug}/cases/{story.number}#event-{story.told.seq}",
    }
    text = _environment(html=False).get_template("mail.txt").render(values)
    html = _environment(html=True).get_template("mail.html").render(values)
    return text.strip() + "\n", _inliner().inline(html)


def quote(typed: str) -> str:
    """What a person typed, quoted as in any mail."""
    return "\n".join(f"> {line}".rstrip() for line in typed.strip().splitlines())


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True)


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,  # noqa: S701 - the other one writes plain text
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = render_markdown
    environment.filters["quote"] = quote
    return environment
