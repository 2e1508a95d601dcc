"""Screen recording, with the screen that chromium makes up for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, async_playwright, expect

from tests.portal.browsing import FLAGS, Portal, Size, Window, chromium
from tests.portal.casts import APPCENTRAL, BOTH, staged
from tests.stack import Stack

WEBM = b"\x1aE\xdf\xa3"
CAPTURE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--auto-accept-this-tab-capture")
MADE_UP_SCREEN = "camera is not allowed in this document"
"""The browser says so of the screen that it makes up, which is a camera to it; pages don't ask for one."""


@pytest_asyncio.fixture(loop_scope="session")
async def recording(demo_stack: Stack) -> AsyncIterator[Portal]:
    """Windows of a browser that answers by itself what it may record."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, *CAPTURE])
        opened = Portal(demo_stack, browser)
        yield opened
        for window in opened.windows:
            window.errors[:] = [error for error in window.errors if MADE_UP_SCREEN not in error]
        await opened.close()
        await browser.close()


def recorder(window: Window) -> Locator:
    return window.page.get_by_role("group", name="Screen recording")


async def shows_at_least(window: Window, seconds: int) -> None:
    script = "s => +document.querySelector('[data-recorder-time]').textContent.split(':')[1] >= s"
    await window.page.wait_for_function(script, arg=seconds)


@BOTH
@pytest.mark.rule("A4", "A5", "A6", "A7", "C9")
async def test_a_screen_is_recorded_paused_resumed_stopped_deleted_and_made_again(
    recording: Portal, size: Size
) -> None:
    async with staged(recording, APPCENTRAL, "Recorded") as case:
        window = await case.seen_by(APPCENTRAL.customer, size=size)
        await window.page.get_by_role("button", name="Record screen").click()
        await expect(recorder(window)).to_contain_text("Recording")
        await shows_at_least(window, 1)
        await recorder(window).get_by_role("button", name="Pause").click()
        await expect(recorder(window)).to_contain_text("Paused")
        shown = await recorder(window).locator("[data-recorder-time]").text_content()
        await recorder(window).get_by_role("button", name="Go on").click()
        await expect(recorder(window)).to_contain_text("Recording")
        assert shown
        await shows_at_least(window, int(shown[-2:]) + 1)
        await recorder(window).get_by_role("button", name="Stop and attach").click()
        uploaded = window.page.locator(".upload.done")
        await expect(uploaded).to_contain_text("Recording ")
        await expect(recorder(window)).to_be_hidden()
        width = "video => new Promise(done => { video.onloadedmetadata = () => done(video.videoWidth); video.load(); })"
        assert await uploaded.locator("video").evaluate(width) > 0

        await uploaded.get_by_role("button", name="Record again").click()
        await expect(uploaded).to_have_count(0)
        await shows_at_least(window, 1)
        await recorder(window).get_by_role("button", name="Stop and attach").click()
        await expect(uploaded).to_have_count(1)
        await window.page.locator("[data-composer='0'] textarea[name=body]").fill("Look at this")
        await window.page.get_by_role("button", name="Send", exact=True).click()
        await expect(window.page.locator("#event-2 video")).to_be_visible()
        [file] = await case.customer.attachments(case.number)
        assert (file["kind"], file["content_type"]) == ("recording", "video/webm")
        content = await case.agent.download(f"/cases/{case.number}/attachments/{file['id']}")
        assert content.content.startswith(WEBM)


async def test_a_discarded_recording_is_not_attached(recording: Portal) -> None:
    """desk-rules A7."""
    async with staged(recording, APPCENTRAL, "Discarded") as case:
        window = await case.seen_by(APPCENTRAL.customer)
        await window.page.get_by_role("button", name="Record screen").click()
        await shows_at_least(window, 1)
        await recorder(window).get_by_role("button", name="Discard").click()
        await expect(recorder(window)).to_be_hidden()
        await expect(window.page.locator(".upload")).to_have_count(0)
        await expect(window.page.get_by_role("button", name="Record screen")).to_be_focused()
