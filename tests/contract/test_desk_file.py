"""Desk files as people write them: what is read, and what is said about every mistake, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.api.authorisation import TABLE
from services.local.demo import DEMO_DESKS
from shared.desks import SCOPES, DeskFile, DeskFileError, parse_desk_file, read_desk_file
from shared.desks.policies import POLICY_FIELDS, effective_policy
from shared.domain.case import Status
from shared.domain.profiles import PROFILES

CONTRACT_EXAMPLE = """\
desk: connect                  # slug
name: Connect Support
key: CON                       # cases are CON-1, CON-2, …
profile: connect               # standard | connect | appcentral | help-centre | msp-portal | team-portal
policy: {}                     # any field of the policy, over the profile (see desk-rules.md)
calendar: {timezone: Europe/London, workdays: [mon, tue, wed, thu, fri], holidays: []}
products: [ERP, Analytics]
case_types: [Question, Incident, Change]
severities: [Critical, High, Medium, Low]
staff:
  - {email: ada@vendor.example, name: Ada Vendor, role: agent}          # agent | lead | admin
accounts:
  - key: acme
    name: Acme Ltd
    environments: [Production, Test]
    members:
      - {email: bob@acme.example, name: Bob Acme, role: member, phone: "+44 20 7946 0000"}
contacts:
  - {label: Billing, email: billing@vendor.example}                     # shortcuts on the list page
services:
  - {name: monitoring, scopes: [case.open, case.comment]}
webhooks:
  - {url: "https://hooks.example/cases", events: ["case.*"], secret: "whsec_…"}
"""

HEAD = "desk: connect\nname: Connect Support\nkey: CON\n"
"""Three lines that are a desk file of their own; what follows them starts on line 4."""


def read(text: str) -> DeskFile:
    return parse_desk_file("desk.yaml", text.encode())


def refused(text: str) -> list[str]:
    with pytest.raises(DeskFileError) as caught:
        read(text)
    first, *problems = str(caught.value).splitlines()
    assert first.startswith("desk.yaml has ")
    assert len(problems) == len(caught.value.problems)
    return [problem.strip() for problem in problems]


def test_the_example_of_the_contract_is_read() -> None:
    desk_file = read(CONTRACT_EXAMPLE)
    assert desk_file.desk == "connect"
    assert desk_file.calendar.timezone == "Europe/London"
    assert desk_file.staff[0].role == "agent"
    assert desk_file.accounts[0].members[0].phone == "+44 20 7946 0000"
    assert desk_file.webhooks[0].events == ["case.*"]
    assert effective_policy(desk_file.profile, desk_file.policy) == PROFILES["connect"]


def test_what_is_left_out_has_a_default() -> None:
    desk_file = read(HEAD + "policy:\nproducts:\n")
    assert (desk_file.profile, desk_file.policy, desk_file.products) == ("standard", {}, [])
    assert (desk_file.calendar.timezone, desk_file.calendar.workdays[-1]) == ("UTC", "fri")
    assert desk_file.severities == ["Critical", "High", "Medium", "Low"]


def test_words_that_yaml_would_turn_into_something_else_stay_words() -> None:
    desk_file = read(
        HEAD + "calendar: {holidays: [NO, 2026-12-24]}\nproducts: [2024, 1.10, yes]\naccounts:\n"
        "  - {key: 42, name: On, members: [{email: Bob@Acme.Example, name: Bob, role: member, phone: +442079460000}]}\n"
    )
    assert desk_file.calendar.holidays == ["NO", "2026-12-24"]
    assert desk_file.products == ["2024", "1.10", "yes"]
    assert (desk_file.accounts[0].key, desk_file.accounts[0].name) == ("42", "On")
    member = desk_file.accounts[0].members[0]
    assert (member.email, member.phone) == ("bob@acme.example", "+442079460000")


def test_policy_fields_go_over_the_profile() -> None:
    desk_file = read(
        HEAD + "policy:\n  reopen_within: unlimited\n  auto_close_after: null\n  survey: false\n"
        "  attachment_types: [pdf, png]\n  labels: {new: Incoming, escalated: null}\n"
    )
    policy = effective_policy(desk_file.profile, desk_file.policy)
    assert (policy.reopen_within, policy.auto_close_after, policy.survey) == ("unlimited", None, False)
    assert policy.attachment_types == ("pdf", "png")
    assert policy.labels[Status.NEW] == "Incoming"
    assert policy.labels[Status.OPEN] == "Open"
    assert Status.ESCALATED not in policy.labels
    assert policy.escalate is PROFILES["standard"].escalate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("polcy: {}", "line 4: unknown key: «polcy» is not allowed; did you mean policy? Allowed: desk, name, key"),
        ("calendar: {zone: UTC}", "line 4: calendar: unknown key: «zone» is not allowed; did you mean timezone?"),
        ("profile: standrad", "line 4: profile: «standrad» is not allowed; did you mean standard? Allowed: standard,"),
        ("policy: {reopn: no}", "line 4: policy: unknown key: «reopn» is not allowed; did you mean reopen? Allowed:"),
        ("policy:\n  on_resolve: closed", "line 5: policy.on_resolve: «closed» is not allowed; did you mean close?"),
        ("policy:\n  reopen_within: soon", "line 5: policy.reopen_within: «soon» does not fit; give a whole number or"),
        ("policy:\n  auto_close_after: 0", "line 5: policy.auto_close_after: 0 business days; allowed are"),
        ("profile: connect\npolicy:\n  survey: true", "line 6: policy.survey: asked after an accept, so it needs"),
        ("policy: {reopen: no}", "line 4: policy: reopen and reopen_within go together"),
        ("policy: {survey: maybe}", "line 4: policy.survey: «maybe» does not fit; give true or false."),
        ("policy: {survey: }", "line 4: policy.survey: an empty value does not fit; give true or false."),
        ("policy: {recipients: opener}", "line 4: policy.recipients: «opener» does not fit; give a list"),
        ("policy: {recipients: [boss]}", "line 4: policy.recipients: «boss» is not allowed. Allowed: opener, contact"),
        ("policy: {labels: {opne: X}}", "line 4: policy.labels.opne: «opne» is not allowed; did you mean open?"),
        ("policy: {required_filters: [produkt]}", "line 4: policy.required_filters: «produkt» is not allowed; did you"),
        ("policy: {required_at_opening: [mood]}", "line 4: policy.required_at_opening: mood; allowed are subject,"),
        ("policy: {attachment_types: [.pdf]}", "line 4: policy.attachment_types: «.pdf» is not a file name ending"),
        ("policy: {attachment_max_bytes: 0}", "line 4: policy.attachment_max_bytes: give a number of bytes above 0."),
        (
            "policy:\n  status_groups:\n    - {label: All, statuses: [new], colour: red}",
            "line 6: policy.status_groups: unknown key: «colour» is not allowed. Allowed: label, statuses.",
        ),
        ("policy: yes", "line 4: policy: «yes» does not fit; give a mapping of keys to values."),
        ("calendar: {timezone: Europe/Londn}", "line 4: calendar.timezone: unknown time zone 'Europe/Londn': did you"),
        ("calendar:\n  holidays: [GB, GB-EN]", "line 5: calendar.holidays: unknown holiday list 'GB-EN': use a"),
        ("calendar:\n  workdays:\n    - mon\n    - tues", "line 7: calendar.workdays: «tues» is not allowed; did you"),
        ("calendar: {workdays: []}", "line 4: calendar.workdays: give at least one."),
        ("products: ERP", "line 4: products: «ERP» does not fit; give a list, as in [first, second]."),
        ("products: [ERP, {name: X}]", "line 4: products: a mapping does not fit; give text."),
        ("products: [ERP, Web, erp]", "line 4: products: «erp» is there already, on line 4."),
        (
            "staff:\n  - {email: a@b.example, name: A, role: boss}",
            "line 5: staff.role: «boss» is not allowed. Allowed: a",
        ),
        ("staff:\n  - {email: a@b.example, name: A}", "line 5: staff.role: is missing."),
        ("staff:\n  - email: ada@\n    name: A\n    role: agent", "line 5: staff.email: «ada@» is not a mail address."),
        ("staff:\n  - email: a@b.example\n    name: ' '\n    role: agent", "line 6: staff.name: give one line of 1 to"),
        (
            "staff:\n  - {email: a@b.example, name: A, role: agent}\n  - {email: A@B.example, name: A, role: lead}",
            "line 6: staff.email: «A@B.example» is there already, on line 5.",
        ),
        (
            "staff:\n  - {email: a@b.example, name: A, role: agent}\naccounts:\n  - key: b\n    name: B\n    members:\n"
            "      - {email: a@b.example, name: Anna, role: member}",
            "line 10: accounts.members.name: a@b.example has the name «Anna» here and «A» on line 5; give the same.",
        ),
        ("accounts:\n  - key: acme\n    name: A\n  - key: acme\n    name: B", "line 7: accounts.key: «acme» is there"),
        ("accounts:\n  - key: a b\n    name: A", "line 5: accounts.key: «a b» does not fit; an account's key has"),
        (
            "accounts:\n  - {key: a, name: A, members: [{email: a@b.example, name: A, role: agent}]}",
            "line 5: accounts.members.role: «agent» is not allowed. Allowed: member, admin.",
        ),
        ("accounts:\n  - key: a\n    name: A\n    memebers: []", "line 7: accounts: unknown key: «memebers» is not"),
        ("contacts: [{label: Sales}]", "line 4: contacts.email: is missing."),
        (
            "services: [{name: m, scopes: [case.opn]}]",
            "line 4: services.scopes: «case.opn» is not allowed; did you mean",
        ),
        ("services: [{name: a@b.c, scopes: []}]", "line 4: services.name: «a@b.c» does not fit; a service's name has"),
        (
            "webhooks:\n  - {url: 'ftp://h.example', secret: whsec_x}",
            "line 5: webhooks.url: «ftp://h.example» does not fit; an address begins with https://",
        ),
        ("webhooks: [{url: 'http://h.example', secret: whsec_x}]", "line 4: webhooks.url: «http://h.example» does not"),
        ("webhooks: [{url: 'https://', secret: whsec_x}]", "line 4: webhooks.url: «https://» does not fit"),
        ("webhooks: [{url: 'https://a:b@h.example', secret: whsec_x}]", "line 4: webhooks.url: «https://a:b@h.ex"),
        (
            "webhooks: [{url: 'https://h.example:99999', secret: whsec_x}]",
            "line 4: webhooks.url: «https://h.example:99",
        ),
        (
            "webhooks: [{url: 'https://h.example', events: [case.noted], secret: whsec_x}]",
            "line 4: webhooks.events: «case.noted» is not allowed",
        ),
        ("webhooks: [{url: 'https://h.example', secret: x}]", "line 4: webhooks.secret: «x» does not fit; a webhook's"),
        ("products: [A]\nproducts: [B]", "line 5: products: given twice; it is already on line 4."),
        ("products: [A", "line 5: not valid YAML: while parsing a flow sequence"),
    ],
)
def test_every_mistake_is_named_with_its_line(text: str, expected: str) -> None:
    problems = refused(f"{HEAD}{text}\n")
    assert len(problems) == 1
    assert problems[0].startswith(expected)


@pytest.mark.parametrize("slug", ["a", "Connect", "con_nect", "x" * 41])
def test_bad_slugs(slug: str) -> None:
    assert refused(HEAD.replace("connect", slug)) == [
        f"line 1: desk: «{slug}» does not fit; a slug has 2 to 40 of a-z, 0-9 and -."
    ]


@pytest.mark.parametrize("key", ["con", "1CON", "C-1", "ABCDEFGHIJK"])
def test_bad_keys(key: str) -> None:
    assert refused(HEAD.replace("CON", key)) == [
        f"line 3: key: «{key}» does not fit; a key begins with A-Z and has up to 10 of A-Z and 0-9."
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- desk\n", "desk"])
def test_a_file_that_is_no_mapping(text: str) -> None:
    assert refused(text) == ["line 1: a desk file is a mapping that begins with «desk: SLUG»."]


def test_a_file_that_is_no_text() -> None:
    with pytest.raises(DeskFileError, match="line 1: not valid YAML"):
        parse_desk_file("desk.yaml", b"desk: \xff\xfe\n")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeskFileError, match="line 1: can't be read: No such file or directory"):
        read_desk_file(tmp_path / "none.yaml")


def test_all_problems_are_said_at_once_and_in_order() -> None:
    problems = refused("desk: X\nname: A\nprofile: nope\npolicy: {on_resolve: shut, reopn: 1}\nstaff: [{email: x}]\n")
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["line 1", "desk"],
        ["line 1", "key"],
        ["line 3", "profile"],
        ["line 4", "policy"],
        ["line 4", "policy.on_resolve"],
        ["line 5", "staff.email"],
        ["line 5", "staff.name"],
        ["line 5", "staff.role"],
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_demo_desks_show_a_profile_as_it_is(profile: str) -> None:
    desk_file = read_desk_file(DEMO_DESKS / f"{profile}.yaml")
    assert (desk_file.desk, desk_file.profile, desk_file.policy) == (profile, profile, {})
    assert {person.role for person in desk_file.staff} == {"agent", "lead", "admin"}
    assert len(desk_file.accounts) == 2
    members = [member for account in desk_file.accounts for member in account.members]
    assert {member.role for member in members} == {"member", "admin"}
    addresses = [
        *(person.email for person in desk_file.staff),
        *(member.email for member in members),
        *(contact.email for contact in desk_file.contacts),
    ]
    assert all(address.endswith(".example") for address in addresses)
    assert [service.name for service in desk_file.services] == ["monitoring"]


def test_every_scope_that_the_api_asks_for_can_be_given() -> None:
    assert {rule.scope for rule in TABLE.values()} <= set(SCOPES)


def test_the_page_on_desk_files_names_everything() -> None:
    page = (Path(__file__).parents[2] / "docs" / "desk-file.md").read_text()
    assert [name for name in (*DeskFile.model_fields, *POLICY_FIELDS, *SCOPES, *PROFILES) if name not in page] == []
    example = page.split("```yaml\n")[1].split("```")[0]
    assert read(example).calendar.holidays == ["GB-ENG", "2026-12-24"]
