"""Desks on the running product on which the rules are proved, and the people on them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import yaml

from tests.client import Caller, Connections, Json, caller
from tests.clock import Clock
from tests.stack import RunningStack

ADA, LEO = "ada@vendor.example", "leo@vendor.example"
BOB, CAROL, DAVE = "bob@acme.example", "carol@acme.example", "dave@acme.example"
ERIN, MIA = "erin@other.example", "mia@partner.example"
STRANGER = "stranger@elsewhere.example"

PATIENCE = 15.0
"""Seconds for what follows a command: mail and search."""
_PAUSE = 0.05


def desk_file(profile: str, **over: Any) -> Json:
    """A desk file; slug and key are new every time.

    Args:
        profile: one of the built-in ones.
        over: keys that replace those below.
    """
    unique = uuid.uuid4().hex[:8]
    return {
        "desk": f"{profile}-{unique}",
        "name": f"{profile} support",
        "key": f"R{unique.upper()}",
        "profile": profile,
        "calendar": {"timezone": "Europe/London", "workdays": ["mon", "tue", "wed", "thu", "fri"], "holidays": []},
        "products": ["ERP", "Analytics"],
        "case_types": ["Question", "Incident"],
        "severities": ["Critical", "High", "Low"],
        "staff": [
            {"email": ADA, "name": "Ada Vendor", "role": "agent"},
            {"email": LEO, "name": "Leo Vendor", "role": "lead"},
        ],
        "accounts": [
            {
                "key": "acme",
                "name": "Acme Ltd",
                "environments": ["Production", "Test"],
                "members": [
                    {"email": BOB, "name": "Bob Acme", "role": "member", "phone": "+44 20 7946 0000"},
                    {"email": CAROL, "name": "Carol Acme", "role": "admin"},
                    {"email": DAVE, "name": "Dave Acme", "role": "member"},
                    {"email": MIA, "name": "Mia Partner", "role": "member"},
                ],
            },
            {
                "key": "other",
                "name": "Other Ltd",
                "environments": ["Live"],
                "members": [
                    {"email": ERIN, "name": "Erin Other", "role": "admin"},
                    {"email": MIA, "name": "Mia Partner", "role": "member"},
                ],
            },
        ],
        "contacts": [
            {"label": "Sales", "email": "sales@vendor.example"},
            {"label": "Billing", "email": "billing@vendor.example"},
        ],
        **over,
    }


async def apply(stack: RunningStack, content: Json) -> None:
    """Apply a desk file, as an operator would."""
    file = stack.data_dir / f"{content['desk']}.yaml"
    file.write_text(yaml.safe_dump(content))
    done = await asyncio.to_thread(stack.casebound, "desk", "apply", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Mail:
    """A mail in the local mailbox."""

    to: str
    seq: int
    """Of the event that it tells of."""
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class RuleDesk:
    """A desk of the module's own. Ada and Leo are its staff; Carol and Erin administer their accounts; Mia belongs to
    both accounts."""

    stack: RunningStack
    connections: Connections
    content: Json
    ada: Caller
    leo: Caller
    bob: Caller
    carol: Caller
    dave: Caller
    erin: Caller
    mia: Caller

    @property
    def slug(self) -> str:
        return str(self.content["desk"])

    def person(self, who: str) -> Caller:
        """Anybody, by mail address; a service account by name."""
        return caller(self.connections, self.stack.settings, self.slug, who)

    def clock(self, number: int) -> Clock:
        """The clock of a case that nobody has moved yet."""
        return Clock(self.stack, self.slug, number)

    async def mails(self, number: int) -> list[Mail]:
        """All mail about a case up to now, the oldest first."""
        subject = f"[{self.content['key']}-{number}]"
        async with self.connections.one() as http:
            items = (await http.get("/dev/mailbox", headers={"Accept": "application/json"})).json()["items"]
        return [_mail(item) for item in reversed(items) if item["subject"].startswith(subject)]

    async def mails_about(self, number: int, seq: int, recipients: Collection[str]) -> list[Mail]:
        """The mails about one event, once exactly these people have got one and nobody else will.

        Args:
            number: of the case.
            seq: of the event.
            recipients: who must be told; all others must not.
        """

        async def told() -> list[Mail]:
            return [mail for mail in await self.mails(number) if mail.seq == seq]

        async def all_told() -> bool:
            return {mail.to for mail in await told()} >= set(recipients)

        await eventually(all_told, f"mail about event {seq} of case {number} to {', '.join(sorted(recipients))}")
        await self._everything_before_now_is_mailed()
        mails = await told()
        assert sorted(mail.to for mail in mails) == sorted(recipients)
        return mails

    async def _everything_before_now_is_mailed(self) -> None:
        """Mail is sent in the order of events, so a mail about a later event says that the earlier ones are done."""
        number = (await self.bob.open(**LATER_CASE))["number"]
        seq = (await self.ada.comment(number, "Until here"))["seq"]

        async def mailed() -> bool:
            return any(mail.seq == seq for mail in await self.mails(number))

        await eventually(mailed, "the mail about a later event")


LATER_CASE = {"subject": "Something later", "description": "Told of last", "account": "acme"}
LATER_CASE |= {"environment": "Test", "impact": "Low", "contact": BOB}


@asynccontextmanager
async def rule_desk(stack: RunningStack, content: Json) -> AsyncIterator[RuleDesk]:
    """A desk made of a desk file, with connections for its people."""
    await apply(stack, content)
    names = {"ada": ADA, "leo": LEO, "bob": BOB, "carol": CAROL, "dave": DAVE, "erin": ERIN, "mia": MIA}
    async with Connections(stack.api, 4).kept() as connections:
        people = {name: caller(connections, stack.settings, content["desk"], email) for name, email in names.items()}
        yield RuleDesk(stack, connections, content, **people)


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll until the condition holds; fail after ``PATIENCE``."""
    deadline = monotonic() + PATIENCE
    while not await condition():
        assert monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        await asyncio.sleep(_PAUSE)


def _mail(item: Json) -> Mail:
    # Message ids are `<case.seq.recipient@domain>`.
    seq = int(item["message_id"].split(".")[1])
    [to] = item["to"]
    return Mail(to=to, seq=seq, subject=item["subject"], text=item["text"], html=item["html"])
