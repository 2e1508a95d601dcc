"""A case's page on each of the six desks: what one sees, what one may do, and how long."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.clock import moment
from tests.portal.browsing import Portal, Size
from tests.portal.casts import (
    APPCENTRAL,
    BOTH,
    CASTS,
    CONNECT,
    HELP_CENTRE,
    MSP,
    STANDARD,
    TEAM,
    Cast,
    confirm,
    expect_actions,
    fact,
    head,
    opened,
    resolve,
    staged,
    status,
)

DATE_TIME_LEFT = r"\w{3}, \d{1,2} \w{3,4} \d{4}, \d\d:\d\d \(\d+ days left\)"


def read_as(instant: datetime) -> str:
    """A date and time as the pages show them to somebody in London."""
    return f"{instant.astimezone(ZoneInfo('Europe/London')):%-d %b %Y, %H:%M}"


@BOTH
@pytest.mark.rule("C1", "C2", "C3", "C4", "C15", "C16", "C17", "C19", "C20", "W4")
async def test_connect(portal: Portal, size: Size) -> None:
    copied = "lee@harbour.example"
    async with staged(portal, CONNECT, "Labels come out blank", cc=[copied]) as case:
        window = await case.seen_by(CONNECT.customer, "details", size=size)
        page = window.page
        await expect(page.get_by_role("heading", level=1)).to_have_text(case.subject)
        await expect(status(page)).to_have_text("Unassigned")
        await expect(head(page)).to_contain_text("High")
        # By the desk's zone: this browser has had no page yet on which to tell its own.
        await expect(head(page)).to_contain_text(f"Created {datetime.now(ZoneInfo('America/New_York')):%a}")
        await expect(page.locator(".tabs a")).to_have_text(["Details", "Attachments", "Activity"])
        await expect(page.locator(".case-main em")).to_have_text("last month")
        await expect(fact(page, "Account")).to_have_text("Harbour Foods Inc.")
        await expect(fact(page, "Contact")).to_contain_text("Mia Torres")
        await expect(fact(page, "Contact")).to_contain_text(CONNECT.customer)
        await expect(fact(page, "Contact")).to_contain_text("+1 212 555 0143")
        await expect(fact(page, "Copied")).to_contain_text("Lee Abrams")
        await expect(fact(page, "Closed")).to_have_count(0)
        await expect_actions(page, "Escalate", "Request close")

        dialog = await opened(page, "Escalate")
        await expect(confirm(dialog, "Escalate")).to_be_disabled()
        await dialog.get_by_label("Comment").fill("  ")
        await expect(confirm(dialog, "Escalate")).to_be_disabled()
        await dialog.get_by_label("Comment").fill("Trucks are waiting.")
        await confirm(dialog, "Escalate").click()
        await expect(status(page)).to_have_text("Escalated")
        await expect_actions(page, "Request close")

        await confirm(await opened(page, "Request close"), "Request close").click()
        await expect_actions(page)
        await expect(status(page)).to_have_text("Escalated")

        agent = (await case.seen_by(CONNECT.agent, size=size)).page
        await expect(head(agent)).to_contain_text("Closing was requested on")
        await resolve(agent, "referred", "Power saving.", "Told their maker.")
        await expect(status(agent)).to_have_text("Closed")

        # The customer's page follows without being loaded again.
        await expect(status(page)).to_have_text("Closed")
        await expect(page.locator(".case-main")).to_contain_text("Told their maker.")
        await expect(page.locator(".case-main")).to_contain_text("Referred")
        await expect(page.locator(".case-main")).to_contain_text("Power saving.")
        await expect(fact(page, "Closed")).to_contain_text("It was resolved")
        await expect(head(page)).to_contain_text(re.compile("Can be reopened until " + DATE_TIME_LEFT))
        await expect_actions(page, "Reopen")
        dialog = await opened(page, "Reopen")
        await expect(confirm(dialog, "Reopen")).to_be_disabled()
        await dialog.get_by_label("Explanation").fill("It came back.")
        await confirm(dialog, "Reopen").click()
        await expect(status(page)).to_have_text("In Progress")


@BOTH
@pytest.mark.rule("C18")
async def test_connect_after_the_window(portal: Portal, size: Size) -> None:
    """Refused with the date on which the window ended, also to whoever had the dialog open already."""
    async with staged(portal, CONNECT, "Scanner sleeps") as case:
        until = moment((await case.resolved())["reopen_until"])
        page = (await case.seen_by(CONNECT.customer, size=size)).page
        await expect(head(page)).to_contain_text("Can be reopened until")
        dialog = await opened(page, "Reopen")
        await dialog.get_by_label("Explanation").fill("It sleeps again.")
        await case.clock().move_to(until + timedelta(minutes=1))
        await expect(head(page)).to_contain_text(
            re.compile(rf"Closed for good: the time for reopening it ended on \w+, {re.escape(read_as(until))}")
        )
        await expect_actions(page)
        await confirm(dialog, "Reopen").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("the time for it ended on")
        await expect(dialog.get_by_label("Explanation")).to_have_value("It sleeps again.")


@BOTH
@pytest.mark.rule("A10", "A11", "A12", "A13", "A14")
async def test_appcentral(portal: Portal, size: Size) -> None:
    async with staged(portal, APPCENTRAL, "Lock does not wait") as case:
        page = (await case.seen_by(APPCENTRAL.customer, "details", size=size)).page
        await expect(status(page)).to_have_text("Unassigned")
        await expect_actions(page, "Escalate", "Request close")
        dialog = await opened(page, "Escalate")
        await dialog.get_by_label("Comment").fill("All lifts stand.")
        await confirm(dialog, "Escalate").click()
        await expect(status(page)).to_have_text("Escalated")
        await expect_actions(page, "Request close")
        dialog = await opened(page, "Request close")
        await expect(dialog).to_contain_text("The status does not change.")
        await dialog.get_by_label("Comment (optional)").fill("We found it ourselves.")
        await confirm(dialog, "Request close").click()
        await expect(head(page)).to_contain_text("Closing was requested")
        agent = (await case.seen_by(APPCENTRAL.agent, "details", size=size)).page
        await expect(head(agent)).to_contain_text("Closing was requested")
        await resolve(agent, "provided", "A timer", "It waits now.")
        for each in (page, agent):
            await expect(status(each)).to_have_text("Closed")
        dialog = await opened(page, "Reopen")
        await expect(confirm(dialog, "Reopen")).to_be_disabled()
        await dialog.get_by_label("Explanation").fill("Not this one.")
        await confirm(dialog, "Reopen").click()
        await expect(status(page)).to_have_text("In Progress")
        await expect_actions(page, "Escalate", "Request close")


@BOTH
@pytest.mark.rule("H7", "H8", "H9", "H10", "H11")
async def test_help_centre(portal: Portal, size: Size) -> None:
    async with staged(portal, HELP_CENTRE, "Notes are gone") as case:
        page = (await case.seen_by(HELP_CENTRE.customer, size=size)).page
        agent = (await case.seen_by(HELP_CENTRE.agent, size=size)).page
        await expect(status(page)).to_have_text("Open")
        await agent.get_by_role("textbox", name="Your message").fill("Are they in the archive?")
        await agent.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator("#event-2")).to_contain_text("Are they in the archive?")
        await expect_actions(page, "Mark as solved")
        dialog = await opened(page, "Mark as solved")
        await dialog.get_by_label("Comment (optional)").fill("Found them.")
        await confirm(dialog, "Mark as solved").click()
        await expect(status(page)).to_have_text("Solved")
        await expect(head(page)).to_contain_text(re.compile("Closes by itself on " + DATE_TIME_LEFT))
        await case.customer.comment(case.number, "Gone again")
        await expect(status(page)).to_have_text("Open")
        await confirm(await opened(page, "Mark as solved"), "Mark as solved").click()
        await expect(status(page)).to_have_text("Solved")
        ends = moment((await case.customer.case(case.number))["auto_close_at"])
        await case.clock().move_to(ends + timedelta(minutes=1))
        await expect(status(page)).to_have_text("Closed")
        await expect(head(page)).to_contain_text("Closed for good")
        await expect_actions(page)
        await page.reload()
        await expect(page.locator("[data-composer]")).to_have_count(0)
        await expect_actions(agent)
        await agent.locator(".tabs").get_by_role("link", name="Details").click()
        await page.locator(".case-foot").get_by_role("link", name="open a follow-up case").click()
        await expect(page.get_by_role("textbox", name="Subject")).to_have_value(case.subject)
        await page.get_by_role("textbox", name="Description").fill("Gone once more.")
        await page.get_by_role("button", name="Open case").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(case.subject)
        await page.locator(".tabs").get_by_role("link", name="Details").click()
        await expect(fact(page, "Follows")).to_have_text(f"HELP-{case.number}")
        follow_up = page.url.partition("?")[0].rsplit("/", 1)[1]
        await expect(fact(agent, "Followed by")).to_have_text(f"HELP-{follow_up}")


@BOTH
@pytest.mark.rule("M2", "M5", "M6", "M9", "M10", "M11", "M12")
async def test_msp_portal(portal: Portal, size: Size) -> None:
    async with staged(portal, MSP, "Key expires at noon") as case:
        page = (await case.seen_by(MSP.customer, "details", size=size)).page
        await expect(status(page)).to_have_text("New")
        for label, value in (("Environment", "Clinic North"), ("Impact", "High"), ("Reported by", "Zoe Martin")):
            await expect(fact(page, label)).to_contain_text(value)
        await expect_actions(page, "Close")
        agent = (await case.seen_by(MSP.agent, "details", size=size)).page
        await expect(fact(agent, "Impact")).to_contain_text("High")
        await resolve(agent, "provided", "A clock", "The key is renewed at night.")
        await expect_actions(page, "Accept", "Reject")
        dialog = await opened(page, "Reject")
        await expect(confirm(dialog, "Reject")).to_be_disabled()
        await dialog.get_by_label("Reason").fill("It expired today.")
        await confirm(dialog, "Reject").click()
        for each in (page, agent):
            await expect(status(each)).to_have_text("Open")

        await resolve(agent, "provided", "A second clock", "Both are right now.")
        dialog = await opened(page, "Accept")
        await expect(confirm(dialog, "Accept")).to_be_enabled()
        await dialog.get_by_text("Very").or_(dialog.get_by_label("5")).first.click()
        await expect(confirm(dialog, "Accept")).to_be_disabled()  # both questions or none
        await dialog.get_by_label("What went well, what could be better?").fill("Quick.")
        await confirm(dialog, "Accept").click()
        await expect(status(page)).to_have_text("Closed")
        await expect(page.locator(".case-main")).to_contain_text("5 of 5")
        await expect_actions(page)


@BOTH
@pytest.mark.rule("M12")
async def test_msp_portal_survey_is_left_out_and_answered_later(portal: Portal, size: Size) -> None:
    async with staged(portal, MSP, "Backup is late") as case:
        await case.resolved()
        page = (await case.seen_by(MSP.customer, size=size)).page
        await confirm(await opened(page, "Accept"), "Accept").click()
        await expect(status(page)).to_have_text("Closed")
        dialog = await opened(page, "Answer two questions")
        await expect(confirm(dialog, "Answer two questions")).to_be_disabled()
        await dialog.get_by_role("radio", name="4").check()
        await dialog.get_by_label("What went well, what could be better?").fill("The report.")
        await confirm(dialog, "Answer two questions").click()
        await expect_actions(page)


@BOTH
@pytest.mark.rule("M9", "M13")
async def test_msp_portal_closing_what_is_worked_on(portal: Portal, size: Size) -> None:
    """For good."""
    async with staged(portal, MSP, "No longer needed") as case:
        page = (await case.seen_by(MSP.customer, size=size)).page
        dialog = await opened(page, "Close")
        await expect(dialog).to_contain_text("It can't be reopened")
        await confirm(dialog, "Close").click()
        await expect(status(page)).to_have_text("Closed")
        await expect_actions(page)


@BOTH
@pytest.mark.rule("T5", "T9", "T11")
async def test_team_portal(portal: Portal, size: Size) -> None:
    async with staged(portal, TEAM, "Position jumps in tunnels") as case:
        page = (await case.seen_by(TEAM.customer, "details", size=size)).page
        await expect(status(page)).to_have_text("Waiting for Support")
        await page.get_by_role("link", name="Change internal reference").click()
        await page.get_by_role("textbox", name="Internal reference").fill("PF-77")
        await page.keyboard.press("Enter")
        await expect(fact(page, "Internal reference")).to_contain_text("PF-77")
        await expect(page.get_by_role("link", name="Change internal reference")).to_be_focused()
        agent = (await case.seen_by(TEAM.agent, size=size)).page
        await agent.get_by_role("textbox", name="Your message").fill("Please restart the unit.")
        await agent.get_by_role("button", name="Send", exact=True).click()
        await expect(agent.locator("#event-3")).to_contain_text("Please restart the unit.")
        dialog = await opened(page, "Close")
        await dialog.get_by_label("Comment (optional)").fill("Thank you.")
        await confirm(dialog, "Close").click()
        await expect(status(page)).to_have_text("Closed")
        await expect(head(page)).to_contain_text("A reply opens it again.")
        await case.clock().move_to(datetime.now(UTC) + timedelta(days=400))
        await case.customer.comment(case.number, "Once more")
        await expect(status(page)).to_have_text("Waiting for Support")


@BOTH
@pytest.mark.rule("T8")
async def test_team_portal_link_of_a_mail(portal: Portal, size: Size) -> None:
    """Once logged in, the link leads to that very reply."""
    async with staged(portal, TEAM, "Which port?") as case:
        for word in ("first", "second", "third"):
            reply = await case.agent.comment(case.number, f"The {word} answer")
        window = await portal.window(size=size)
        await window.page.goto(f"{portal.base}{case.path}#event-{reply['seq']}")
        await window.page.get_by_label("Mail address").fill(TEAM.customer)
        await window.page.get_by_label("Password").fill("casebound-demo")
        await window.page.keyboard.press("Enter")
        await expect(window.page).to_have_url(f"{portal.base}{case.path}#event-{reply['seq']}")
        event = window.page.locator(f"#event-{reply['seq']}")
        await expect(event).to_contain_text("The third answer")
        await expect(event).to_be_in_viewport()


@BOTH
@pytest.mark.rule("standard 2", "standard 3", "standard 4", "standard 5")
async def test_standard(portal: Portal, size: Size) -> None:
    async with staged(portal, STANDARD, "Fees are doubled") as case:
        page = (await case.seen_by(STANDARD.customer, "details", size=size)).page
        agent = (await case.seen_by(STANDARD.agent, "details", size=size)).page
        await expect_actions(page, "Escalate", "Request close")
        await expect_actions(agent, "Take", "Resolve", "Escalate", "Assign", "Close")
        await agent.get_by_role("button", name="Take", exact=True).click()
        await expect(fact(agent, "Assignee")).to_contain_text("Ada Okafor")
        await expect(status(page)).to_have_text("Open")
        dialog = await opened(agent, "Assign")
        await dialog.get_by_label("Search").fill("brandt")
        await expect(dialog.locator(".person-choice:visible")).to_have_count(1)
        await agent.keyboard.press("Enter")
        await confirm(dialog, "Assign").click()
        await expect(fact(agent, "Assignee")).to_contain_text("Tom Brandt")
        dialog = await opened(agent, "Assign")
        await dialog.get_by_role("radio", name="Nobody").check()
        await confirm(dialog, "Assign").click()
        await expect(fact(agent, "Assignee")).to_contain_text("Nobody")

        await agent.get_by_role("link", name="Change severity").click()
        await agent.get_by_role("combobox", name="Severity").select_option("Low")
        await agent.get_by_role("button", name="Save").click()
        await expect(head(page)).to_contain_text("Low")

        await agent.get_by_role("link", name="Change copied").click()
        await agent.get_by_role("textbox", name="Copied").fill("carol@acme.example")
        await agent.get_by_role("button", name="Save").click()
        await expect(fact(page, "Copied")).to_contain_text("Carol")

        ends = moment((await case.resolved())["auto_close_at"])
        await expect(head(page)).to_contain_text(re.compile("Closes by itself on " + DATE_TIME_LEFT))
        await expect(head(page)).to_contain_text("Accept or reject the resolution.")
        clock = case.clock()
        await clock.move_to(ends + timedelta(minutes=1))
        await expect(status(page)).to_have_text("Closed")
        await expect_actions(page, "Reopen")
        until = moment((await case.customer.case(case.number))["reopen_until"])
        await clock.move_to(until + timedelta(minutes=1))
        await expect(head(page)).to_contain_text(read_as(until))
        await expect(page.get_by_role("link", name="open a follow-up case")).to_be_visible()


@BOTH
@pytest.mark.rule("standard 2", "standard 3", "standard 4")
async def test_standard_to_and_fro(portal: Portal, size: Size) -> None:
    """Escalated once until it is reopened; resolved, rejected, resolved again, accepted, reopened with a reason."""
    async with staged(portal, STANDARD, "Totals differ") as case:
        page = (await case.seen_by(STANDARD.customer, "details", size=size)).page
        agent = (await case.seen_by(STANDARD.agent, "details", size=size)).page

        async def done(on: Page, action: str, answer: dict[str, str], then: str) -> None:
            dialog = await opened(on, action)
            for label, text in answer.items():
                await expect(confirm(dialog, action)).to_be_disabled()
                await dialog.get_by_label(label).fill(text)
            await confirm(dialog, action).click()
            for each in (page, agent):
                await expect(status(each)).to_have_text(then)

        await done(agent, "Escalate", {"Comment": "Payday is tomorrow."}, "Escalated")
        await expect_actions(page, "Request close")
        resolution = {"Resolution type": "provided", "Root cause": "Rounding.", "Summary": "Rounded once."}
        await done(agent, "Resolve", resolution, "Resolved")
        await done(page, "Reject", {"Reason": "They still differ."}, "Open")
        await done(page, "Escalate", {"Comment": "Payday is today."}, "Escalated")
        await done(agent, "Resolve", resolution, "Resolved")
        await done(page, "Accept", {}, "Closed")
        await done(page, "Reopen", {"Explanation": "They differ again."}, "Open")


@pytest.mark.parametrize("cast", CASTS, ids=lambda cast: str(cast.desk))
async def test_buttons_are_what_the_case_says_may_be_done(portal: Portal, cast: Cast) -> None:
    """Whoever looks finds exactly the actions that the REST route names for them."""
    elsewhere = {"comment", "note", "ask", "edit", "attach", "remove-attachment", "follow-up"}
    async with staged(portal, cast, "What may I do?") as case:
        for person, email in ((case.agent, cast.agent), (case.customer, cast.customer)):
            window = await case.seen_by(email)
            named = {action["name"] for action in (await person.case(case.number))["actions"]} - elsewhere
            shown = window.page.get_by_role("group", name="Actions").locator("form")
            addresses = [str(await form.get_attribute("action")) for form in await shown.all()]
            assert {address.rsplit("/", 1)[1] for address in addresses} == named
