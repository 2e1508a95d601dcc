"""Every rule that the built-in desks keep, in a few words of our own.

The number of a rule is its name: tests carry it as ``@pytest.mark.rule("C1")``, and ``docs/rules.md`` is made of both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What a desk promises.

    Args:
        text: the promise.
        without_screen: why there is nothing of it to be seen in the portal; empty if there is, and then tests in the
            browser prove it too.
    """

    text: str
    without_screen: str = ""


_MAIL = "mail"
_TIME = "a date, as W4 shows it"

_STANDARD = {
    "standard 1": Rule(
        "A case opens as new. A first staff reply or an assignment makes it open, a staff reply that asks makes it "
        "wait for the customer, and the customer's answer gives it back: open, or escalated if it was."
    ),
    "standard 2": Rule(
        "Customers and staff can escalate an active case with a comment; again only after it has been reopened."
    ),
    "standard 3": Rule(
        "Staff resolve with a type and a summary. An accept closes; a reject with its reason, or a comment of the "
        "customer's, reopens; three business days of silence close."
    ),
    "standard 4": Rule(
        "A closed case reopens with a reason for 14 business days. Then it is sealed: a follow-up, linked both ways "
        "and with the customer's fields copied, is all that is left."
    ),
    "standard 5": Rule(
        "Staff assign cases, edit fields, change CC and leave notes that no customer ever meets: not in lists, search, "
        "events, live events, exports or mail."
    ),
}

_CONNECT = {
    "C1": Rule("A customer views, comments, escalates, reopens and asks for the closing of an existing case."),
    "C2": Rule("The header shows subject, severity, status and the date of creation."),
    "C3": Rule("Details, attachments and activity are three views of a case."),
    "C4": Rule(
        "Details: the description; the closing date only of a closed case; root cause, type and summary of the "
        "resolution; account, contact with phone and mail address, and CC."
    ),
    "C5": Rule("A file that is added is listed as soon as it is saved."),
    "C6": Rule("Every listed file can be downloaded."),
    "C7": Rule("Every listed file can be removed."),
    "C8": Rule("A post starts a conversation, with words and, if wanted, a file."),
    "C9": Rule("A comment answers a conversation and may bring a file or a screen recording."),
    "C10": Rule("Typed words narrow the list letter by letter."),
    "C11": Rule("A case that was found opens by its number or its subject."),
    "C12": Rule("The list filters by product, type, status and severity, at once."),
    "C13": Rule("A page of the list has 25 cases; the total is exact."),
    "C14": Rule("An export downloads the filtered list."),
    "C15": Rule("To escalate takes a comment; the case is then escalated and the action gone."),
    "C16": Rule("A request for closing tells the desk's staff and leaves the status alone."),
    "C17": Rule("A closed case can be reopened within 14 working days, and no longer."),
    "C18": Rule("Later it is refused with the date on which the time ended."),
    "C19": Rule("To reopen takes an explanation."),
    "C20": Rule("A case that is reopened is in progress."),
}

_APPCENTRAL = {
    "A1": Rule("A case is opened with a subject and a description."),
    "A2": Rule("Further recipients may be named: one address or several."),
    "A3": Rule("They get every update: replies, changes of status and all the rest.", without_screen=_MAIL),
    "A4": Rule("A recording of the screen can be made for a case."),
    "A5": Rule("A recording that was paused is one file."),
    "A6": Rule("A recording belongs to the case once it has been stopped."),
    "A7": Rule("A recording can be deleted and made again."),
    "A8": Rule("A case is saved only with everything that must be given."),
    "A9": Rule("A case opens from its row in the list."),
    "A10": Rule("Reopening is possible for the 14 working days after the closing; weekends don't count."),
    "A11": Rule("Reopening needs an explanation."),
    "A12": Rule("A closed case that is reopened is in progress."),
    "A13": Rule("Closing can be asked for whether the desk has offered a resolution or one has found it oneself."),
    "A14": Rule("An unassigned case, or any that is active, can be escalated once."),
    "A15": Rule("The list filters by product, type, status and severity, and a product must be chosen."),
    "A16": Rule("Words and filters narrow the list together."),
    "A17": Rule("An export holds what the filters leave."),
    "A18": Rule("A page of the list has 25 cases; the total is exact."),
}

_HELP_CENTRE = {
    "H1": Rule("«My tickets» are those that one opened or is copied on."),
    "H2": Rule("They filter by open, awaiting your reply, and solved."),
    "H3": Rule("A search stays within one's own tickets."),
    "H4": Rule("A ticket opens from its title."),
    "H5": Rule("To update a ticket is to comment on it."),
    "H6": Rule("A comment can copy in further people; a colleague among them finds the ticket in their own list."),
    "H7": Rule("A closed ticket takes no update."),
    "H8": Rule("Who opened a ticket can mark it solved, with words or without."),
    "H9": Rule("A solved ticket closes by itself after three business days."),
    "H10": Rule("Until then a comment alone reopens it."),
    "H11": Rule("Afterwards it offers a follow-up ticket, linked to it."),
}

_MSP_PORTAL = {
    "M1": Rule("Only registered people with the permission open cases."),
    "M2": Rule("A case is reported by whoever opens it."),
    "M3": Rule("Only people who look after several accounts have an account to choose."),
    "M4": Rule("A case can be opened on behalf of a colleague of the same account."),
    "M5": Rule("A case names the environment that it is about."),
    "M6": Rule("Its impact, high, medium or low, is its urgency."),
    "M7": Rule(
        "Reporter, account, contact, environment, impact, subject and description are required; where only one value "
        "is possible it fills itself in."
    ),
    "M8": Rule("Images and documents can come with the opening."),
    "M9": Rule("A case is new, open, resolved until its user confirms, and closed for good."),
    "M10": Rule("An accepted resolution closes the case."),
    "M11": Rule("A rejected resolution, which takes a reason, opens it again."),
    "M12": Rule("After an accept two questions may be answered; nothing waits for them."),
    "M13": Rule("The user may close a case that is being worked on, whatever the reason."),
}

_TEAM_PORTAL = {
    "T1": Rule("Everybody of an account sees its tickets."),
    "T2": Rule("The list filters and sorts."),
    "T3": Rule("Unless asked otherwise it begins with what was updated last."),
    "T4": Rule("The list can be searched."),
    "T5": Rule("A ticket can be read, answered, closed, given a document and a reference of the customer's own."),
    "T6": Rule("Only the listed types of files up to 15 MiB are taken; others are refused with the reason."),
    "T7": Rule(
        "Who opened a ticket and every administrator of the account get a mail at every reply and update.",
        without_screen=_MAIL,
    ),
    "T8": Rule("The link in the mail leads to that very reply."),
    "T9": Rule("Every ticket takes a reply, a closed one too."),
    "T10": Rule("Send leaves a ticket open; close posts what was typed and closes it."),
    "T11": Rule("A reply to a closed ticket makes it wait for support, however long ago it was closed."),
    "T12": Rule("The list comes with shortcuts to the contacts that the desk names."),
}

_WINDOWS = {
    "W1": Rule(
        "A window of N business days ends at the same local time on the Nth business day after the day on which it "
        "began, by the desk's time zone, workdays and holidays.",
        without_screen=_TIME,
    ),
    "W2": Rule("One that begins on a day off counts from 00:00 of the next business day.", without_screen=_TIME),
    "W3": Rule("Before its end is inside; at the end and after it is outside.", without_screen=_TIME),
    "W4": Rule("Its end is shown as a date and a time."),
    "W5": Rule(
        "An end that falls into a skipped hour moves on by the gap; of an hour that comes twice, the first counts.",
        without_screen=_TIME,
    ),
    "W6": Rule(
        "The time to close by itself runs from the resolving, the time to reopen from the closing.",
        without_screen=_TIME,
    ),
}

GROUPS: dict[str, dict[str, Rule]] = {
    "Standard": _STANDARD,
    "Connect": _CONNECT,
    "Appcentral": _APPCENTRAL,
    "Help centre": _HELP_CENTRE,
    "MSP portal": _MSP_PORTAL,
    "Team portal": _TEAM_PORTAL,
    "Windows of business days": _WINDOWS,
}
RULES: dict[str, Rule] = {name: rule for group in GROUPS.values() for name, rule in group.items()}
