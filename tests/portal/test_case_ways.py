"""Ways of using a case's page: its files, the keyboard alone, no script, two people at once, a server that is away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.async_api import Route, expect

from tests.portal.browsing import Colours, Portal, Size
from tests.portal.casts import (
    APPCENTRAL,
    BOTH,
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
    payload,
    staged,
    status,
)
from tests.stack import Stack

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
FILM = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581021853806701ffffffffffffff")


@BOTH
@pytest.mark.rule("C5", "C6", "C7")
async def test_files(portal: Portal, size: Size) -> None:
    """Chosen, listed once saved, downloaded, removed after a question."""
    async with staged(portal, CONNECT, "Two files") as case:
        page = (await case.seen_by(CONNECT.customer, "attachments", size=size)).page
        chooser = page.locator("[data-uploads-choose]")
        await chooser.set_input_files(
            [payload("log.txt", b"line\n" * 900), payload("screen.png", PICTURE, "image/png")]
        )
        files = page.locator(".case-file")
        await expect(files).to_have_count(2)
        await expect(files.first).to_contain_text("Mia Torres")
        await expect(page.locator(".case-file", has_text="log.txt")).to_contain_text("4 KB")
        await expect(page.locator(".upload")).to_have_count(0)
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Download log.txt").click()
        assert (await (await started.value).path()).read_bytes() == b"line\n" * 900

        await page.get_by_role("link", name="Remove screen.png").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("«screen.png» is deleted for everybody.")
        await confirm(dialog, "Remove").click()
        await expect(files).to_have_count(1)

        agent = (await case.seen_by(CONNECT.agent, "attachments", size=size)).page
        await expect(agent.get_by_role("link", name="Remove log.txt")).to_be_visible()


async def test_a_file_is_removed_only_by_whom_the_desk_lets(portal: Portal) -> None:
    """A colleague who is copied sees the file, and no way to remove it."""
    async with staged(portal, HELP_CENTRE, "Copied", cc=["marc@montaigne.example"]) as case:
        uploaded = await case.customer.upload("mine.txt", b"mine")
        await case.customer.act(case.number, "attach", attachments=[uploaded["id"]])
        page = (await case.seen_by("marc@montaigne.example", "attachments")).page
        await expect(page.locator(".case-file")).to_contain_text("mine.txt")
        await expect(page.get_by_role("link", name="Remove mine.txt")).to_have_count(0)


async def test_a_file_of_another_type_is_refused_with_the_reason(portal: Portal) -> None:
    async with staged(portal, TEAM, "A film") as case:
        page = (await case.seen_by(TEAM.customer, "attachments")).page
        await page.locator("[data-uploads-choose]").set_input_files(payload("film.mkv", b"film", "video/x-matroska"))
        await expect(page.get_by_role("alert")).to_contain_text("allowed are: doc, docx")


async def test_recordings_play_in_place(portal: Portal) -> None:
    async with staged(portal, STANDARD, "See for yourself") as case:
        webm = bytes.fromhex(
            "1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581021853806701ffffffffffffff"
        )
        recording = await case.customer.upload("screen.webm", webm, kind="recording")
        await case.customer.act(case.number, "attach", attachments=[recording["id"]])
        page = (await case.seen_by(STANDARD.agent, "attachments")).page
        await expect(page.locator("video")).to_have_attribute("controls", "")
        await expect(page.locator("video")).to_have_attribute("aria-label", "Recording screen.webm")


async def test_by_keyboard_alone(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Keys only") as case:
        page = (await case.seen_by(STANDARD.agent)).page
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_contain_text("Escalate the case")
        await page.keyboard.press("Escape")
        await page.keyboard.press("e")
        await expect(page.get_by_role("dialog").get_by_label("Comment")).to_be_focused()
        await page.keyboard.type("It burns.")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("e")
        await expect(page.get_by_role("dialog").get_by_label("Comment")).to_have_value("It burns.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(status(page)).to_have_text("Escalated")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("assign the")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_label("Search")).to_be_focused()
        await page.keyboard.type("grace")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(fact(page, "Assignee")).to_contain_text("Grace Lindqvist")


async def test_a_key_acts_the_moment_a_dialog_is_left(portal: Portal) -> None:
    """The browser keeps the focus in what was hidden until it draws again."""
    async with staged(portal, STANDARD, "Keys in a hurry") as case:
        page = (await case.seen_by(STANDARD.agent)).page
        await page.keyboard.press("e")
        comment = page.get_by_role("dialog").get_by_label("Comment")
        await expect(comment).to_be_focused()
        await page.keyboard.type("It burns.")
        await page.evaluate(
            """() => {
                document.querySelector("dialog[open]").close();
                const pressed = new KeyboardEvent("keydown", { key: "e", bubbles: true, cancelable: true });
                document.activeElement.dispatchEvent(pressed);
            }"""
        )
        await expect(comment).to_have_value("It burns.")


async def test_without_script(portal: Portal) -> None:
    async with staged(portal, STANDARD, "No script") as case:
        page = (await case.seen_by(STANDARD.agent, "details", script=False)).page
        await page.get_by_role("button", name="Resolve").click()
        await page.get_by_label("Resolution type").fill("provided")
        await page.get_by_label("Root cause").fill("A filter")
        await page.get_by_role("button", name="Resolve").click()
        await expect(page.get_by_role("alert").first).to_be_visible()
        await expect(page.get_by_label("Root cause")).to_have_value("A filter")
        await page.get_by_label("Summary").fill("Gone")
        await page.get_by_role("button", name="Resolve").click()
        await expect(page.get_by_role("status")).to_have_text("Case resolved.")
        await expect(status(page)).to_have_text("Resolved")
        await page.get_by_role("button", name="Reopen").click()
        await page.get_by_label("Explanation").fill("Not yet")
        await page.get_by_role("button", name="Reopen").click()
        await expect(status(page)).to_have_text("Open")
        await page.goto(f"{portal.base}{case.path}?tab=details")
        await page.get_by_role("link", name="Change copied").click()
        await page.get_by_role("textbox", name="Copied").fill("carol@acme.example, nonsense")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("nonsense")
        await page.get_by_role("textbox", name="Copied").fill("carol@acme.example, priya@acme.example")
        await page.get_by_role("button", name="Save").click()
        await expect(fact(page, "Copied")).to_contain_text("Priya Nair")
        await page.goto(f"{portal.base}{case.path}?tab=attachments")
        await page.get_by_label("Attach a file").set_input_files(payload("plain.txt", b"plain"))
        await page.get_by_role("button", name="Attach", exact=True).click()
        await expect(page.locator(".case-file")).to_contain_text("plain.txt")
        await page.get_by_role("link", name="Remove plain.txt").click()
        await page.get_by_role("button", name="Remove", exact=True).click()
        await expect(page.locator(".case-file")).to_have_count(0)


@BOTH
async def test_what_others_do_disturbs_nobody(portal: Portal, size: Size) -> None:
    """The page follows; a dialog stays open, a field stays as it is, and a refusal says why and loses nothing."""
    async with staged(portal, STANDARD, "Two at once") as case:
        page = (await case.seen_by(STANDARD.customer, "details", size=size)).page
        await page.get_by_role("link", name="Change internal reference").click()
        await page.get_by_role("textbox", name="Internal reference").fill("half typ")
        await case.agent.edit(case.number, severity="Critical")
        await expect(head(page)).to_contain_text("Critical")
        await expect(page.get_by_role("textbox", name="Internal reference")).to_have_value("half typ")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("link", name="Change internal reference")).to_be_focused()

        dialog = await opened(page, "Escalate")
        await dialog.get_by_label("Comment").fill("Me first")
        await case.agent.act(case.number, "escalate", comment="No, me")
        await expect(status(page)).to_have_text("Escalated")
        await expect(dialog.get_by_label("Comment")).to_have_value("Me first")
        await confirm(dialog, "Escalate").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("escalated already")
        await expect(dialog.get_by_label("Comment")).to_have_value("Me first")
        await dialog.get_by_role("link", name="Back to the case").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect_actions(page, "Request close")


async def test_somebody_was_quicker_to_take_it(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Whose is it") as case:
        window = await case.seen_by("tom@lumen.example")
        clicked = asyncio.Event()

        async def late(route: Route) -> None:
            await clicked.wait()
            await route.continue_()

        await window.page.route("**part=case**", late)  # it hears of it, but does not know yet what has happened
        await case.agent.act(case.number, "take")
        await window.page.get_by_role("button", name="Take", exact=True).click()
        await expect(window.page.get_by_role("status")).to_contain_text("ada@lumen.example has the case already")
        clicked.set()
        await expect(window.page.get_by_role("button", name="Take", exact=True)).to_have_count(0)


@contextmanager
def no_workflows(stack: Stack) -> Iterator[None]:
    """Nobody carries anything out meanwhile."""
    worker = stack.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


async def test_a_server_that_is_away_costs_no_word(portal: Portal) -> None:
    """503: the reason is said, the text stays, and sending it again carries it out once."""
    async with staged(portal, STANDARD, "Away") as case:
        window = await case.seen_by(STANDARD.customer)
        dialog = await opened(window.page, "Escalate")
        await dialog.get_by_label("Comment").fill("Still here")
        with no_workflows(portal.stack):
            await confirm(dialog, "Escalate").click()
            await expect(dialog.get_by_role("alert")).to_contain_text("did not answer in time", timeout=30_000)
            await expect(dialog.get_by_label("Comment")).to_have_value("Still here")
        await confirm(dialog, "Escalate").click()
        await expect(status(window.page)).to_have_text("Escalated", timeout=20_000)
        events = await case.customer.events(case.number)
        assert [event["kind"] for event in events].count("escalated") == 1
        window.errors.clear()  # the 503 was asked for


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("cast", [STANDARD, MSP], ids=lambda cast: str(cast.desk))
async def test_pages_are_accessible(portal: Portal, cast: Cast, size: Size, colours: Colours) -> None:
    async with staged(portal, cast, "A subject so long that it fills more than a line of a narrow window") as case:
        await case.resolved()
        uploaded = await case.customer.upload("notes.txt", b"notes")
        await case.customer.act(case.number, "attach", attachments=[uploaded["id"]])
        window = await case.seen_by(cast.customer, "details", size=size, colours=colours)
        await window.check_access()
        await opened(window.page, "Accept")
        await window.check_access()
        await window.go(f"{case.path}?tab=attachments")
        await window.check_access()
        await window.go(f"{case.path}/actions/reject")
        await window.check_access()


async def test_assigning_and_editing_are_accessible(portal: Portal) -> None:
    async with staged(portal, APPCENTRAL, "Whom") as case:
        window = await case.seen_by(APPCENTRAL.agent, "details", size="narrow")
        await window.page.get_by_role("link", name="Change contact").click()
        await expect(window.page.get_by_role("combobox", name="Contact")).to_be_focused()
        await window.check_access()
        await opened(window.page, "Assign")
        await window.check_access()
