"""Opening a case: what each desk asks of whom, and that nothing typed is lost."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.portal.browsing import Colours, Portal, Size, Window
from tests.portal.casts import APPCENTRAL, BOTH, fact
from tests.waiting import until

BOB, ADA = "bob@acme.example", "ada@lumen.example"
ZOE, NOAH = "zoe@coral.example", "noah@coral.example"
NEW = "/desks/{}/cases/new"

ASKED: dict[str, tuple[str, list[str], list[str]]] = {
    # desk: a customer of it, the fields that they must fill in, those that they may
    "standard": (BOB, ["Subject", "Description", "Contact"], ["Environment", "Product", "Type", "Severity"]),
    "connect": ("mia@harbour.example", ["Subject", "Description", "Contact"], ["Product", "Type", "Severity"]),
    "appcentral": ("erik@northgrid.example", ["Subject", "Description", "Contact"], ["Product", "Type", "Severity"]),
    "help-centre": ("anais@montaigne.example", ["Subject", "Description", "Contact"], ["Product", "Type"]),
    "msp-portal": (ZOE, ["Subject", "Description", "Account", "Impact"], ["Product", "Type"]),
    "team-portal": ("kari@polar.example", ["Subject", "Description", "Contact"], ["Product", "Type", "Your reference"]),
}


def save(page: Page) -> Any:
    return page.get_by_role("button", name="Open case")


def field(page: Page, label: str) -> Any:
    form = page.locator("#new-case")
    return form.get_by_label(label).or_(form.get_by_role("group", name=label)).first


async def write(window: Window, subject: str, description: str = "It stopped this morning.") -> None:
    await window.page.get_by_role("textbox", name="Subject").fill(subject)
    await window.page.get_by_role("textbox", name="Description").fill(description)


async def opened(window: Window) -> str:
    """The number of the case that the window shows now."""
    await window.page.wait_for_url(re.compile(r"/cases/\d+"))
    return window.page.url.rsplit("/", 1)[1]


@BOTH
@pytest.mark.parametrize("desk", ASKED)
@pytest.mark.rule("A8", "M2", "M3", "M6", "M7", "T5")
async def test_each_desk_asks_for_what_it_requires_or_allows(portal: Portal, desk: str, size: Size) -> None:
    """Save works once nothing that is required is missing, and that is named."""
    email, required, allowed = ASKED[desk]
    window = await portal.window(email, NEW.format(desk), size=size)
    for label in (*required, *allowed):
        await expect(field(window.page, label)).to_be_visible()
    missing = [label for label in required if label != "Contact"]  # the contact is oneself until one says otherwise
    said = await window.page.locator("[data-missing]").inner_text()
    assert set(said.removeprefix("Still needed: ").rstrip(".").split(", ")) == set(missing)
    await expect(save(window.page)).to_be_disabled()
    severity, impact = window.page.get_by_label("Severity"), window.page.get_by_role("group", name="Impact")
    await expect(severity).to_have_count(1 if desk in ("standard", "connect", "appcentral") else 0)
    await expect(impact).to_have_count(1 if desk == "msp-portal" else 0)
    await window.check_access()


@BOTH
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.rule("A1", "A2")
async def test_a_case_is_opened_with_subject_and_description(portal: Portal, colours: Colours, size: Size) -> None:
    subject = f"Printer {uuid.uuid4().hex[:8]}"
    window = await portal.window(APPCENTRAL.customer, NEW.format("appcentral"), colours=colours, size=size)
    await write(window, subject)
    await window.page.get_by_label("Further recipients").fill("signe@northgrid.example, eve@elsewhere.example")
    await expect(window.page.locator("[data-missing]")).to_be_empty()
    await window.check_access()
    await save(window.page).click()
    await opened(window)
    await expect(window.page.get_by_role("heading", level=1)).to_contain_text(subject)
    await expect(window.page.get_by_role("status").filter(has_text="is open.")).to_be_visible()
    await expect(fact(window.page, "Copied")).to_contain_text("eve@elsewhere.example")


async def test_each_further_address_is_checked_as_one_goes(portal: Portal) -> None:
    window = await portal.window(BOB, NEW.format("standard"))
    await write(window, "Addresses")
    await window.page.get_by_label("Further recipients").fill("carol@acme.example, nonsense,")
    await expect(window.page.get_by_role("alert")).to_have_text("«nonsense» is not a mail address.")
    await expect(save(window.page)).to_be_disabled()
    await window.page.get_by_label("Further recipients").fill("carol@acme.example")
    await expect(window.page.get_by_role("alert")).to_have_count(0)
    await expect(save(window.page)).to_be_enabled()


@BOTH
@pytest.mark.rule("M3", "M4", "M5", "M7")
async def test_who_has_several_accounts_chooses_and_the_rest_follows(portal: Portal, size: Size) -> None:
    """People and environments are those of the account; one possible value fills itself."""
    window = await portal.window(ZOE, NEW.format("msp-portal"), size=size)
    page = window.page
    await expect(page.get_by_label("Environment")).to_have_count(0)
    await page.get_by_label("Account").select_option(label="Coral Coast Clinics")
    await page.get_by_label("Environment").select_option("Clinic North")
    await expect(page.get_by_label("Contact")).to_have_value(ZOE)
    await page.get_by_label("Account").select_option(label="Outback Rail")
    await expect(page.locator("#account-fields")).to_contain_text("Depot")
    await expect(page.get_by_label("Environment")).to_have_count(0)
    await page.get_by_label("Contact").select_option("jack@outback.example")
    await page.get_by_text("High", exact=True).click()
    await write(window, f"Gates {uuid.uuid4().hex[:8]}")
    await save(page).click()
    number = await opened(window)
    case = await (await page.request.get(f"{portal.base}/api/v1/desks/msp-portal/cases/{number}")).json()
    found = {name: case[name] for name in ("reporter", "account", "contact", "environment", "impact")}
    assert found == {
        "reporter": ZOE,
        "account": "outback",
        "contact": "jack@outback.example",
        "environment": "Depot",
        "impact": "High",
    }


async def test_who_has_one_account_is_not_asked_for_it(portal: Portal) -> None:
    window = await portal.window(NOAH, NEW.format("msp-portal"))
    await expect(window.page.get_by_label("Account")).to_have_count(0)
    await expect(window.page.get_by_label("Environment")).to_be_visible()


async def test_staff_open_a_case_on_behalf_of_a_customer(portal: Portal) -> None:
    window = await portal.window(ADA, NEW.format("standard"))
    await window.page.get_by_label("Account").select_option("globex")
    await window.page.get_by_label("Contact").select_option("hanna@globex.example")
    await write(window, f"By telephone {uuid.uuid4().hex[:8]}")
    await save(window.page).click()
    number = await opened(window)
    case = await (await window.page.request.get(f"{portal.base}/api/v1/desks/standard/cases/{number}")).json()
    assert (case["reporter"], case["contact"], case["account"]) == (ADA, "hanna@globex.example", "globex")


async def test_similar_open_cases_are_shown_while_one_types(portal: Portal) -> None:
    """Only those that one may see, within the time in which one goes on typing."""
    word = f"zyx{uuid.uuid4().hex[:8]}"
    first = await portal.window(BOB, NEW.format("standard"))
    await write(first, f"Export {word} fails")
    await save(first.page).click()
    await opened(first)
    again = await portal.window(BOB, NEW.format("standard"))
    similar = again.page.locator("#similar").get_by_role("link")
    await again.page.get_by_role("textbox", name="Subject").press_sequentially(f"why does {word} fail", delay=20)
    await expect(similar.first).to_contain_text(f"Export {word} fails")
    await again.check_access()
    stranger = await portal.window("dieter@globex.example", NEW.format("standard"))
    async with stranger.page.expect_response(lambda answer: "/similar" in answer.url and word in answer.url):
        await stranger.page.get_by_role("textbox", name="Subject").fill(f"why does {word} fail")
    await expect(stranger.page.locator("#similar")).not_to_contain_text(word)


async def test_what_is_typed_is_kept_until_it_is_sent(portal: Portal) -> None:
    window = await portal.window(ZOE, NEW.format("msp-portal"))
    await write(window, "A draft")
    await window.page.get_by_label("Account").select_option("coral")
    await window.page.get_by_label("Environment").select_option("Head office")
    await window.page.get_by_text("Low", exact=True).click()
    await window.go(NEW.format("msp-portal"))
    await expect(window.page.get_by_role("textbox", name="Subject")).to_have_value("A draft")
    await expect(window.page.get_by_label("Account")).to_have_value("coral")
    await expect(window.page.get_by_label("Environment")).to_have_value("Head office")
    await expect(window.page.get_by_label("Low")).to_be_checked()
    await save(window.page).click()
    await opened(window)
    await window.go(NEW.format("msp-portal"))
    await expect(window.page.get_by_role("textbox", name="Subject")).to_have_value("")


async def test_a_refused_case_comes_back_as_it_was_typed(portal: Portal) -> None:
    window = await portal.window(BOB, NEW.format("standard"))
    await write(window, "Comes back", "Words " * 3)
    await window.page.evaluate("document.querySelector('[name=product]').add(new Option('Abacus'))")
    await window.page.get_by_label("Product").select_option("Abacus")
    await save(window.page).click()
    await expect(window.page.get_by_role("alert")).to_have_text("«Abacus» is not one of this desk's products.")
    await expect(window.page.get_by_role("textbox", name="Subject")).to_have_value("Comes back")
    await expect(window.page.get_by_role("textbox", name="Description")).to_have_value("Words " * 3)


async def test_a_connection_that_breaks_loses_nothing_and_opens_one_case(portal: Portal) -> None:
    subject = f"Once {uuid.uuid4().hex[:8]}"
    window = await portal.window(BOB, NEW.format("standard"))
    await write(window, subject)

    async def broken(route: Route) -> None:
        await route.fetch()  # it arrives; the answer does not
        await route.abort()

    await window.page.route("**/cases/new", broken)
    await save(window.page).click()
    await expect(window.page.get_by_text("The server can't be reached")).to_be_visible()
    await window.page.unroute("**/cases/new")
    await save(window.page).click()
    number = await opened(window)
    assert await _numbers(window, subject) == [int(number)]
    window.errors.clear()  # the browser's own word for the broken connection


async def test_a_double_click_opens_one_case(portal: Portal) -> None:
    subject = f"Twice {uuid.uuid4().hex[:8]}"
    window = await portal.window(BOB, NEW.format("standard"))
    await write(window, subject)
    await save(window.page).dblclick()
    number = await opened(window)
    assert await _numbers(window, subject) == [int(number)]


@BOTH
@pytest.mark.parametrize("desk", ["msp-portal", "team-portal"])
@pytest.mark.rule("M8", "T6")
async def test_pictures_and_documents_go_with_the_case(portal: Portal, desk: str, size: Size) -> None:
    """What the desk does not take is said at once, and what was typed stays."""
    window = await portal.window(NOAH if desk == "msp-portal" else "kari@polar.example", NEW.format(desk), size=size)
    await write(window, "With a file")
    if desk == "msp-portal":
        await window.page.get_by_label("Environment").select_option("Clinic North")
        await window.page.get_by_text("High", exact=True).click()
    chooser = window.page.locator("[data-uploads-choose]")
    await chooser.set_input_files({"name": "run.exe", "mimeType": "application/x-dosexec", "buffer": b"MZ"})
    await expect(window.page.get_by_text("are not taken on this desk")).to_be_visible()
    await chooser.set_input_files({"name": "log.txt", "mimeType": "text/plain", "buffer": b"It says no."})
    await expect(window.page.locator("[name=attachments]")).to_have_count(1)
    await save(window.page).click()
    number = await opened(window)
    answer = await window.page.request.get(f"{portal.base}/api/v1/desks/{desk}/cases/{number}/attachments")
    assert [file["filename"] for file in (await answer.json())["items"]] == ["log.txt"]


async def test_without_script_the_form_works_too(portal: Portal) -> None:
    window = await portal.window(ZOE, NEW.format("msp-portal"), script=False)
    page = window.page
    await page.get_by_label("Account").select_option("coral")
    await page.get_by_role("button", name="Show this account's fields").click()
    await page.get_by_label("Environment").select_option("Clinic South")
    await write(window, "Without script")
    await page.get_by_text("Medium", exact=True).click()
    await save(page).click()
    await opened(window)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Without script")


@BOTH
@pytest.mark.rule("M1")
async def test_who_may_not_open_cases_here_finds_no_page(portal: Portal, size: Size) -> None:
    """Only registered people of the desk; to others it is as if it were not there."""
    window = await portal.window(BOB, size=size)
    answer = await window.page.goto(portal.base + NEW.format("msp-portal"))
    assert answer
    assert answer.status == 404
    await expect(save(window.page)).to_have_count(0)


async def test_keys_alone_open_a_case(portal: Portal) -> None:
    window = await portal.window(BOB, "/desks/standard/cases")
    keys = window.page.keyboard
    await keys.press("c")
    await expect(window.page.get_by_role("textbox", name="Subject")).to_be_focused()
    await keys.type("By keyboard")
    await keys.press("Tab")
    await expect(window.page.get_by_role("textbox", name="Description")).to_be_focused()
    await keys.type("No mouse near.")
    await keys.press("Control+Enter")
    await opened(window)


async def _numbers(window: Window, subject: str) -> list[int]:
    """Cases of that subject, once the list knows of one."""

    async def listed() -> list[int]:
        found = await window.page.request.get(f"{window.base}/api/v1/desks/standard/cases", params={"q": subject})
        return [case["number"] for case in (await found.json())["items"]]

    return await until(listed, what="the case in the list")
