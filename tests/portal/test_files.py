"""Files that go with what one writes: chosen, dropped, pasted; their progress, and what a desk does not take."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.portal.browsing import Portal, Size, Window
from tests.portal.casts import BOTH, CONNECT, STANDARD, TEAM, staged

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)
_HAND_OVER = """async (form, [kind, name, type, bytes]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([new Uint8Array(bytes)], name, {type}));
    const init = {bubbles: true, cancelable: true};
    const at = form.querySelector("textarea[name=body]");
    if (kind === "drop") {
        at.dispatchEvent(new DragEvent("dragenter", {...init, dataTransfer: carried}));
        at.dispatchEvent(new DragEvent("drop", {...init, dataTransfer: carried}));
    } else at.dispatchEvent(new ClipboardEvent("paste", {...init, clipboardData: carried}));
}"""

_DROP_LARGE = """(form, [name, size]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([new Uint8Array(size)], name));
    form.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: carried}));
}"""


def form(window: Window) -> Locator:
    return window.page.locator("[data-composer='0']")


def uploads(window: Window) -> Locator:
    return form(window).locator(".upload")


async def hand_over(window: Window, kind: str, name: str, content_type: str, content: bytes) -> None:
    await form(window).evaluate(_HAND_OVER, [kind, name, content_type, list(content)])


async def choose(window: Window, name: str, content: bytes, content_type: str = "text/plain") -> None:
    file: Any = {"name": name, "mimeType": content_type, "buffer": content}
    await form(window).locator("[data-uploads-choose]").set_input_files(file)


async def send(window: Window, text: str) -> None:
    await form(window).locator("textarea[name=body]").fill(text)
    await form(window).get_by_role("button", name="Send", exact=True).click()


@BOTH
@pytest.mark.rule("C5", "C6", "C8")
async def test_files_are_dropped_and_pictures_pasted(portal: Portal, size: Size) -> None:
    async with staged(portal, CONNECT, "Dropped and pasted") as case:
        window = await case.seen_by(CONNECT.customer, size=size)
        await hand_over(window, "drop", "figures.csv", "text/csv", b"a,b\n1,2\n")
        await hand_over(window, "paste", "image.png", "image/png", PNG)
        await expect(form(window).locator(".upload.done")).to_have_count(2)
        await window.page.reload()
        await expect(form(window).locator(".upload.done")).to_have_count(2)
        await send(window, "Both are here.")
        said = window.page.locator("#event-2")
        await expect(said.locator(".file")).to_have_count(2)
        await expect(said.get_by_role("link", name="figures.csv")).to_be_visible()
        assert await said.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
        async with window.page.expect_download() as download:
            await said.get_by_role("link", name="figures.csv").click()
        assert (await (await download.value).path()).read_bytes() == b"a,b\n1,2\n"
        assert len(await case.customer.attachments(case.number)) == 2
        await expect(uploads(window)).to_have_count(0)


@BOTH
@pytest.mark.rule("T6")
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("tool.exe", b"MZ", "Files «.exe» are not taken on this desk; allowed are: doc, docx"),
        ("large.pdf", None, "larger than this desk takes: at most 15 MB"),
        ("false.pdf", b"not a PDF", "its content is not of that type"),
    ],
)
async def test_what_a_desk_does_not_take_is_said_beside_the_file(
    portal: Portal, name: str, content: bytes | None, why: str, size: Size
) -> None:
    """Refused with the reason, and what was typed is not lost."""
    async with staged(portal, TEAM, "Refused files") as case:
        window = await case.seen_by(TEAM.customer, size=size)
        await form(window).locator("textarea[name=body]").fill("See the file")
        if content is None:
            await form(window).evaluate(_DROP_LARGE, [name, 15 * 1024 * 1024 + 1])
        else:
            await choose(window, name, content, "application/octet-stream")
        await expect(uploads(window).get_by_role("alert")).to_contain_text(why)
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(form(window).locator("[data-refusal]")).to_contain_text("Nothing was sent yet.")
        await expect(form(window).locator("textarea[name=body]")).to_have_value("See the file")
        await uploads(window).get_by_role("button", name=f"Remove {name}").click()
        await form(window).get_by_role("button", name="Send", exact=True).click()
        await expect(window.page.locator("#event-2")).to_contain_text("See the file")


async def test_a_file_on_its_way_shows_how_far_it_is_and_can_be_cancelled(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Slow line") as case:
        window = await case.seen_by(STANDARD.customer)
        line = await window.page.context.new_cdp_session(window.page)
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
        await line.send("Network.enable")
        await line.send("Network.emulateNetworkConditions", slow)
        await choose(window, "slow.txt", b"words " * 500_000)
        await expect(uploads(window).locator(".quiet-text")).to_contain_text("%")
        assert 0 < await uploads(window).locator("progress").evaluate("bar => bar.value") < 1
        await uploads(window).get_by_role("button", name="Cancel slow.txt").click()
        await expect(uploads(window)).to_have_count(0)
        await line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
        assert await case.customer.attachments(case.number) == []


async def test_a_file_is_tried_again_when_the_line_broke(portal: Portal) -> None:
    async with staged(portal, STANDARD, "Broken line") as case:
        window = await case.seen_by(STANDARD.customer)
        async with window.offline():
            await choose(window, "notes.txt", b"words")
            await expect(uploads(window).get_by_role("alert")).to_contain_text("The connection broke.")
        await uploads(window).get_by_role("button", name="Try again").click()
        await expect(form(window).locator(".upload.done")).to_have_count(1)
        await send(window, "Now it is here.")
        await expect(window.page.locator("#event-2 .file")).to_contain_text("notes.txt")


async def test_a_removed_file_is_seen_to_be_gone_where_it_was(portal: Portal) -> None:
    """desk-rules C7."""
    async with staged(portal, CONNECT, "Removed again") as case:
        file = await case.customer.upload("notes.txt", b"words")
        await case.customer.comment(case.number, "With a file", attachments=[file["id"]])
        window = await case.seen_by(CONNECT.customer)
        await expect(window.page.locator("#event-2").get_by_role("link", name="notes.txt")).to_be_visible()
        await case.customer.send("DELETE", f"/cases/{case.number}/attachments/{file['id']}")
        await expect(window.page.locator("#event-2 .file.removed")).to_contain_text("notes.txt removed")
        await expect(window.page.locator(".happened")).to_contain_text("removed a file")
