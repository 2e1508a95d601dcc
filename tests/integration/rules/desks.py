"""Desks on the running product on which the rules are proved, and the mail that they send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.client import Caller, Connections, Json
from tests.clock import Clock
from tests.desks import ADA, BOB, CAROL, DAVE, ERIN, LEO, MIA, StackDesk, make_desk
from tests.stack import RunningStack
from tests.waiting import until


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
class RuleDesk(StackDesk):
    """A desk of the module's own with its people."""

    connections: Connections
    ada: Caller
    leo: Caller
    bob: Caller
    carol: Caller
    dave: Caller
    erin: Caller
    mia: Caller

    def person(self, who: str) -> Caller:
        """Anybody, by mail address; a service account by name."""
        return self.caller(self.connections, who)

    def clock(self, number: int) -> Clock:
        """The clock of a case that nobody has moved yet."""
        return Clock(self.stack, self.slug, number)

    async def mails(self, number: int) -> list[Mail]:
        """All mail about a case up to now, the oldest first."""
        link = f"/desks/{self.slug}/cases/{number}#event-"
        async with self.connections.one() as http:
            items = (await http.get("/dev/mailbox", headers={"Accept": "application/json"})).json()["items"]
        return [_mail(item) for item in reversed(items) if link in item["text"]]

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

        await until(all_told, what=f"mail about event {seq} of case {number} to {', '.join(sorted(recipients))}")
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

        await until(mailed, what="the mail about a later event")


LATER_CASE = {"subject": "Something later", "description": "Told of last", "account": "acme"}
LATER_CASE |= {"environment": "Test", "impact": "Low", "contact": BOB}


@asynccontextmanager
async def rule_desk(stack: RunningStack, profile: str, **over: Any) -> AsyncIterator[RuleDesk]:
    """A desk with connections for its people; arguments as of `desk_file`."""
    desk = await make_desk(stack, profile, **over)
    names = {"ada": ADA, "leo": LEO, "bob": BOB, "carol": CAROL, "dave": DAVE, "erin": ERIN, "mia": MIA}
    async with Connections(stack.api, 4).kept() as connections:
        people = {name: desk.caller(connections, email) for name, email in names.items()}
        yield RuleDesk(stack, desk.content, connections, **people)


def _mail(item: Json) -> Mail:
    # Message ids are `<case.seq.recipient@domain>`.
    seq = int(item["message_id"].split(".")[1])
    [to] = item["to"]
    return Mail(to=to, seq=seq, subject=item["subject"], text=item["text"], html=item["html"])
