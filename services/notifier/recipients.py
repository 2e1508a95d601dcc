"""Who is told of what: one table, read together with the policy that is pinned to the case."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from typing import Protocol

from shared.domain import events as e
from shared.domain.policy import Policy, Recipient


class Told(Enum):
    """Whether a kind of event is worth a mail to these people."""

    YES = "yes"
    ALL = "only on desks where CC gets everything: there every update goes to every follower (desk-rules A3)"
    DESK = "the assignee or, while there is none, all the desk's staff: they are to act (desk-rules C16)"
    NO = "no"


_YES, _ALL, _DESK, _NO = Told.YES, Told.ALL, Told.DESK, Told.NO

# fmt: off
TABLE: dict[str, tuple[Told, Told, Told]] = {
    #                      customers: opener,    CC     the desk's
    #                      contact, admins of           assignee
    #                      the account
    "opened":             (_YES,                 _YES,  _YES),
    "commented":          (_YES,                 _YES,  _YES),
    "awaiting_customer":  (_YES,                 _YES,  _YES),
    "resumed":            (_YES,                 _YES,  _YES),
    "escalated":          (_YES,                 _YES,  _DESK),
    "closure_requested":  (_YES,                 _YES,  _DESK),
    "resolved":           (_YES,                 _YES,  _YES),
    "accepted":           (_YES,                 _YES,  _YES),
    "rejected":           (_YES,                 _YES,  _YES),
    "closed":             (_YES,                 _YES,  _YES),
    "reopened":           (_YES,                 _YES,  _YES),
    "edited":             (_YES,                 _ALL,  _YES),
    "attached":           (_YES,                 _ALL,  _YES),
    "attachment_removed": (_YES,                 _ALL,  _YES),
    "assigned":           (_YES,                 _ALL,  _YES),
    "sealed":             (_NO,                  _NO,   _NO),
    "followed_up":        (_NO,                  _NO,   _YES),
    "surveyed":           (_NO,                  _NO,   _YES),
    "noted":              (_NO,                  _NO,   _YES),
    "note_attachment_removed": (_NO,             _NO,   _YES),
    "command_rejected":   (_NO,                  _NO,   _YES),
}
# fmt: on
_UNREACHABLE = ".invalid"


class Followers(Protocol):
    """The people around a case: its state has them, and so has what an event tells of the case."""

    @property
    def reporter(self) -> str: ...
    @property
    def contact(self) -> str | None: ...
    @property
    def cc(self) -> Sequence[str]: ...
    @property
    def assignee(self) -> str | None: ...


def recipients(
    event: e.Event,
    case: Followers,
    policy: Policy,
    account_admins: Iterable[str] = (),
    staff: Iterable[str] = (),
) -> tuple[str, ...]:
    """Decide who gets a mail about an event (desk-rules "mail on every update goes to", A3, H6, T7).

    Args:
        event: the first event of a command; the mail tells of the others too.
        case: the people around it right after the event.
        policy: pinned to the case.
        account_admins: addresses of the administrators of the case's account.
        staff: addresses of the desk's staff; needed where the event ``calls_the_desk`` or the case was perhaps
            ``opened_for_somebody``.

    Returns:
        Addresses in lower case, each once; never the actor's, and none that can't receive mail (RFC 6761), such as
        those under which service accounts report cases.
    """
    actor = _lower(event.actor.email)
    desk = set(staff)
    told = (*_by_policy(event, case, policy, account_admins, desk), *_the_desk(event, case, staff), *_personally(event))
    reachable = (address for address in map(_lower, told) if address and not address.endswith(_UNREACHABLE))
    return tuple(dict.fromkeys(address for address in reachable if address != actor))


def _by_policy(
    event: e.Event, case: Followers, policy: Policy, account_admins: Iterable[str], staff: Collection[str]
) -> Iterator[str | None]:
    customers, cc, assignee = (_applies(told, policy) for told in TABLE[event.kind])
    named = policy.recipients
    if customers and Recipient.OPENER in named:
        yield case.reporter
        if case.reporter in staff or case.reporter.endswith(_UNREACHABLE):
            yield case.contact
    if customers and Recipient.CONTACT in named:
        yield case.contact
    if customers and Recipient.ACCOUNT_ADMINS in named:
        yield from account_admins
    if cc and Recipient.CC in named:
        yield from case.cc
    if assignee and Recipient.ASSIGNEE in named:
        yield case.assignee


def opened_for_somebody(case: Followers, policy: Policy) -> bool:
    """Whether the contact is told in the opener's place if that one is of the desk: customers hear of their cases."""
    return Recipient.CONTACT not in policy.recipients and bool(case.contact) and case.contact != case.reporter


def calls_the_desk(event: e.Event, case: Followers) -> bool:
    """Whether all the desk's staff are told, because somebody is to act and nobody is assigned."""
    return TABLE[event.kind][2] is Told.DESK and not case.assignee


def _the_desk(event: e.Event, case: Followers, staff: Iterable[str]) -> Iterator[str | None]:
    if TABLE[event.kind][2] is Told.DESK:
        yield from (case.assignee,) if case.assignee else staff


def _applies(told: Told, policy: Policy) -> bool:
    return told is Told.YES or (told is Told.ALL and policy.cc_gets_everything)


def _personally(event: e.Event) -> Iterator[str | None]:
    """Those whom the event itself names: who is given a case, loses it, or is copied from now on."""
    match event:
        case e.Assigned():
            yield event.assignee
            yield event.previous
        case e.Edited():
            for change in event.changes:
                if change.field == "cc":
                    yield from set(change.after or ()) - set(change.before or ())


def _lower(address: str | None) -> str:
    return (address or "").strip().lower()
