"""The six demo desks as tests know them: an agent, a customer, and what opening a case there needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from tests.client import Caller, Connections, Json, ProblemError, caller
from tests.clock import Clock
from tests.portal.browsing import Colours, Portal, Size, Window

BOTH: Final = pytest.mark.parametrize("size", ["wide", "narrow"])
"""For tests that hold on a wide window and on a narrow one, as those of desk rules must."""
EXPLAINED: Final = "It is about the invoices of *last month*."


@dataclass(frozen=True)
class Cast:
    """Who acts on a demo desk, and what a case needs there besides subject and description."""

    desk: str
    agent: str
    customer: str
    needs: Json = field(default_factory=dict)


STANDARD = Cast("standard", "ada@lumen.example", "bob@acme.example", {"severity": "High", "product": "Ledger"})
CONNECT = Cast("connect", "nora@meridian.example", "mia@harbour.example", {"severity": "High", "product": "ERP"})
APPCENTRAL = Cast("appcentral", "arjun@appcentral.example", "erik@northgrid.example", {"product": "Mobile"})
HELP_CENTRE = Cast("help-centre", "luc@papyrus.example", "anais@montaigne.example")
MSP = Cast(
    "msp-portal",
    "kiri@bastion.example",
    "zoe@coral.example",
    {"account": "coral", "contact": "zoe@coral.example", "environment": "Clinic North", "impact": "High"},
)
TEAM = Cast("team-portal", "liv@fjord.example", "kari@polar.example")
CASTS: Final = (STANDARD, CONNECT, APPCENTRAL, HELP_CENTRE, MSP, TEAM)


@dataclass(frozen=True)
class Staged:
    """A case of the test's own, which the customer has opened, and its people as programs."""

    portal: Portal
    cast: Cast
    number: int
    subject: str
    agent: Caller
    customer: Caller

    @property
    def path(self) -> str:
        return f"/desks/{self.cast.desk}/cases/{self.number}"

    def clock(self) -> Clock:
        """The case's own clock, which nobody has moved yet."""
        return Clock(self.portal.stack, self.cast.desk, self.number)

    async def seen_by(
        self, email: str, tab: str = "activity", *, size: Size = "wide", colours: Colours = "light", script: bool = True
    ) -> Window:
        """Somebody's window on the case."""
        return await self.portal.window(email, f"{self.path}?tab={tab}", size=size, colours=colours, script=script)

    async def resolved(self) -> Json:
        """The agent resolves the case."""
        return await self.agent.act(
            self.number, "resolve", resolution_type="provided", root_cause="A filter", summary="The filter is gone."
        )


@asynccontextmanager
async def staged(portal: Portal, cast: Cast, subject: str, **fields: Any) -> AsyncIterator[Staged]:
    """Have the customer of a desk open a case; when the test has passed it is closed."""
    async with Connections(portal.base, 2).kept() as connections:
        agent, customer = (
            caller(connections, portal.stack.settings, cast.desk, who) for who in (cast.agent, cast.customer)
        )
        case = await customer.open(subject=subject, description=EXPLAINED, **cast.needs, **fields)
        yield Staged(portal, cast, case["number"], subject, agent, customer)
        await clear_away(agent, case["number"])


async def clear_away(agent: Caller, number: int) -> None:
    """Close a case, so that the desk's queues do not grow from test to test."""
    with suppress(ProblemError):  # it is closed already
        await agent.act(number, "close", comment="The test is over.")


def head(page: Page) -> Locator:
    """Subject, status and notes of the case."""
    return page.locator(".case-head")


def status(page: Page) -> Locator:
    """The case's status as the desk calls it."""
    return page.locator(".case-line .badge")


async def expect_actions(page: Page, *labels: str) -> None:
    """These buttons and no others, as soon as the page has heard of the latest change."""
    buttons = page.get_by_role("group", name="Actions").get_by_role("button")
    if labels:
        await expect(buttons).to_have_text(list(labels))
    else:
        await expect(buttons).to_have_count(0)


async def opened(page: Page, label: str) -> Locator:
    """Open the dialog of an action."""
    await page.get_by_role("group", name="Actions").get_by_role("button", name=label, exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    return dialog


def confirm(dialog: Locator, label: str) -> Locator:
    """The button that carries the action out."""
    return dialog.locator(".dialog-actions").get_by_role("button", name=label, exact=True)


async def resolve(page: Page, resolution_type: str, root_cause: str, summary: str) -> None:
    """Resolve the case as agents do, in its dialog, whose button waits for everything."""
    dialog = await opened(page, "Resolve")
    await dialog.get_by_label("Resolution type").fill(resolution_type)
    await expect(confirm(dialog, "Resolve")).to_be_disabled()
    await dialog.get_by_label("Root cause").fill(root_cause)
    await dialog.get_by_label("Summary").fill(summary)
    await confirm(dialog, "Resolve").click()


def payload(name: str, content: bytes, kind: str = "text/plain") -> FilePayload:
    """A file to be chosen."""
    return {"name": name, "mimeType": kind, "buffer": content}


def fact(page: Page, label: str) -> Locator:
    """A field of the case, by what it is called."""
    return page.locator(".fact").filter(has=page.get_by_text(label, exact=True)).locator("dd")
