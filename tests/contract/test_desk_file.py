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
from tests.contract.desk_file_mistakes import MISTAKES

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
        "  attachment_types: [pdf, png]\n  escalate: false\n  labels: {new: Incoming, escalated: null}\n"
    )
    policy = effective_policy(desk_file.profile, desk_file.policy)
    assert (policy.reopen_within, policy.auto_close_after, policy.survey) == ("unlimited", None, False)
    assert policy.attachment_types == ("pdf", "png")
    assert policy.labels[Status.NEW] == "Incoming"
    assert policy.labels[Status.OPEN] == "Open"
    assert Status.ESCALATED not in policy.labels
    assert policy.once_sealed is PROFILES["standard"].once_sealed


def test_a_status_that_only_own_habits_lead_to_gets_a_label() -> None:
    desk_file = read(HEAD + "profile: connect\npolicy: {on_resolve: await_confirmation, labels: {new: Incoming}}\n")
    policy = effective_policy(desk_file.profile, desk_file.policy)
    assert Status.RESOLVED not in PROFILES["connect"].labels
    assert policy.labels == {**PROFILES["connect"].labels, Status.NEW: "Incoming", Status.RESOLVED: "Resolved"}
    assert [group.label for group in policy.groups()].count("Resolved") == 1


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_every_mistake_is_named_with_its_line(text: str, expected: str) -> None:
    problems = refused(f"{HEAD}{text}\n")
    assert len(problems) == 1
    assert problems[0].startswith(expected)


@pytest.mark.parametrize(
    ("written", "read_as"), [("no", False), ("off", False), ("False", False), ("0", False), ("yes", True), ("on", True)]
)
def test_yes_and_no_in_every_way_of_writing_them(written: str, read_as: bool) -> None:
    desk_file = read(HEAD + f"policy: {{escalate: {written}}}\n")
    assert effective_policy(desk_file.profile, desk_file.policy).escalate is read_as


def test_what_would_be_numbers_and_times_elsewhere_is_text_here() -> None:
    desk_file = read("desk: 42\nname: no\nkey: X1\nproducts: [12:30, 1e3, 0x10, 2026-01-01 10:00:00, null-point]\n")
    assert (desk_file.desk, desk_file.name) == ("42", "no")
    assert desk_file.products == ["12:30", "1e3", "0x10", "2026-01-01 10:00:00", "null-point"]


@pytest.mark.parametrize("form", ["\ufeff{}", "# comment\n{}", "---\n{}...\n", "{}"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_editors_of_all_kinds(form: str, newline: str) -> None:
    content = form.format(HEAD + "products: &list [A, B]\ncase_types: *list\n").replace("\n", newline).encode()
    desk_file = parse_desk_file("desk.yaml", content)
    assert (desk_file.desk, desk_file.case_types) == ("connect", ["A", "B"])


def test_lines_are_counted_in_files_from_elsewhere() -> None:
    content = (HEAD + "staff: [x]\n").replace("\n", "\r\n").encode()
    with pytest.raises(DeskFileError, match="line 4: staff: «x» does not fit"):
        parse_desk_file("desk.yaml", content)


def test_a_file_without_measure() -> None:
    with pytest.raises(DeskFileError, match="line 1: has 6,000,046 bytes; a desk file has 5,000,000 at most"):
        parse_desk_file("desk.yaml", HEAD.encode() + b"#" + b" " * 6_000_000)
    with pytest.raises(DeskFileError, match="line 1: not a desk file: lists within lists without end"):
        parse_desk_file("desk.yaml", HEAD.encode() + b"products: " + b"[" * 5_000)


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
    with pytest.raises(DeskFileError, match="line 2: not text in UTF-8: save the file in that encoding"):
        parse_desk_file("desk.yaml", b"desk: connect\nname: Z\xfcrich\n")


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
    assert {rule.scope for rule in TABLE.values() if rule.scope} <= set(SCOPES)


def test_the_page_on_desk_files_names_everything() -> None:
    page = (Path(__file__).parents[2] / "docs" / "desk-file.md").read_text()
    assert [name for name in (*DeskFile.model_fields, *POLICY_FIELDS, *SCOPES, *PROFILES) if name not in page] == []
    example = page.split("```yaml\n")[1].split("```")[0]
    assert read(example).calendar.holidays == ["GB-ENG", "2026-12-24"]
