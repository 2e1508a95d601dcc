"""Who may ask for what, as one table: staff role or relation to the case by action. ``docs/access.md`` shows it.

Which cases they see at all is ``visibility.py``'s business, and what is possible in a case's status the lifecycle's
(``shared/domain/lifecycle.py``): an action is offered where all three agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from services.api.callers import Caller
from services.api.problems import Problem
from services.api.visibility import Relation, Seen, relations
from shared.domain.case import ActorKind
from shared.domain.lifecycle import Action


class StaffRole(StrEnum):
    """Roles of a desk's staff, as in its desk file."""

    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"


class Access(StrEnum):
    """What can be asked for besides the actions of the lifecycle."""

    OPEN = "open cases"
    LIST = "list cases"
    READ = "read cases"
    FOLLOW = "follow events"
    UPLOAD = "upload files"
    POLICY = "read the desk's policy"
    FILTERS = "keep filters"
    REPLIES = "use canned replies and keep one's own"
    DESK_REPLIES = "keep the desk's canned replies"
    WEBHOOKS = "see and try the desk's webhooks"
    DEAD_LETTERS = "see and replay the desk's dead letters"
    OVERVIEW = "see the desk in figures"
    SETUP = "see how the desk is set up"


class Door(StrEnum):
    """Who passes where no desk is asked."""

    EVERYBODY = "everybody, without proof of who they are"
    SESSION = "whoever has the session, as its cookie proves"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which of the staff may, which customers by what they are to the case, and a service account with which scope.

    Without a case at hand a customer may if there is any relation with which they may. No scope: no service may;
    an empty one: every service may. ``own``: a service only with files that it uploaded itself.
    """

    staff: frozenset[StaffRole]
    customers: frozenset[Relation]
    scope: str | None
    own: bool = False


STAFF = frozenset(StaffRole)
LEADS = frozenset({StaffRole.LEAD, StaffRole.ADMIN})
SUBMITTER = frozenset({Relation.OWN})
OWNERS = SUBMITTER | {Relation.ACCOUNT_ADMIN}
ACCOUNT = OWNERS | {Relation.COLLEAGUE}
INVOLVED = ACCOUNT | {Relation.COPIED}
COMMENT_FLAGS = (Action.NOTE, Action.ASK, Action.SOLVE, Action.CLOSE)
NO_STAFF: frozenset[StaffRole] = frozenset()
NO_CUSTOMER: frozenset[Relation] = frozenset()

# fmt: off
TABLE: dict[Access | Action, Rule] = {
    # what                         staff     customers                                a service's scope
    Access.OPEN:              Rule(STAFF,    INVOLVED,                                "case.open"),
    Access.LIST:              Rule(STAFF,    INVOLVED,                                "case.read"),
    Access.READ:              Rule(STAFF,    INVOLVED,                                "case.read"),
    Access.FOLLOW:            Rule(STAFF,    INVOLVED,                                "events.read"),
    Access.UPLOAD:            Rule(STAFF,    INVOLVED,                                "case.attach"),
    Access.POLICY:            Rule(STAFF,    INVOLVED,                                ""),
    Access.WEBHOOKS:          Rule(LEADS,    NO_CUSTOMER,                             None),
    Access.DEAD_LETTERS:      Rule(LEADS,    NO_CUSTOMER,                             None),
    Access.OVERVIEW:          Rule(LEADS,    NO_CUSTOMER,                             None),
    Access.SETUP:             Rule(LEADS,    NO_CUSTOMER,                             None),
    Access.FILTERS:           Rule(STAFF,    INVOLVED,                                None),
    Access.REPLIES:           Rule(STAFF,    NO_CUSTOMER,                             None),
    Access.DESK_REPLIES:      Rule(LEADS,    NO_CUSTOMER,                             None),
    Action.COMMENT:           Rule(STAFF,    INVOLVED,                                "case.comment"),
    Action.NOTE:              Rule(STAFF,    NO_CUSTOMER,                             "case.note"),
    Action.ASK:               Rule(STAFF,    NO_CUSTOMER,                             "case.comment"),
    Action.SOLVE:             Rule(NO_STAFF, SUBMITTER,                               None),
    Action.ASSIGN:            Rule(STAFF,    NO_CUSTOMER,                             "case.assign"),
    Action.TAKE:              Rule(STAFF,    NO_CUSTOMER,                             None),
    Action.EDIT:              Rule(STAFF,    ACCOUNT,                                 "case.edit"),
    Action.ATTACH:            Rule(STAFF,    INVOLVED,                                "case.attach"),
    Action.REMOVE_ATTACHMENT: Rule(STAFF,    OWNERS | {Relation.UPLOADER},            "case.attach", own=True),
    Action.ESCALATE:          Rule(STAFF,    ACCOUNT,                                 "case.escalate"),
    Action.REQUEST_CLOSE:     Rule(NO_STAFF, ACCOUNT,                                 None),
    Action.RESOLVE:           Rule(STAFF,    NO_CUSTOMER,                             "case.resolve"),
    Action.ACCEPT:            Rule(NO_STAFF, OWNERS,                                  None),
    Action.REJECT:            Rule(NO_STAFF, OWNERS,                                  None),
    Action.CLOSE:             Rule(STAFF,    ACCOUNT,                                 "case.close"),
    Action.REOPEN:            Rule(STAFF,    ACCOUNT,                                 "case.reopen"),
    Action.SURVEY:            Rule(NO_STAFF, OWNERS,                                  None),
    Action.FOLLOW_UP:         Rule(STAFF,    INVOLVED,                                "case.open"),
}

ROUTES: dict[str, tuple[Access | Action | Door, ...]] = {
    # a route below /api/v1/desks/{desk}              the rows above that it is; of several, one by what is asked
    "POST /cases":                                     (Access.OPEN,),
    "GET /cases":                                      (Access.LIST,),
    "GET /cases/export":                               (Access.LIST,),
    "GET /cases/{number}":                             (Access.READ,),
    "PATCH /cases/{number}":                           (Action.EDIT,),
    "POST /cases/{number}/comments":                   (Action.COMMENT, *COMMENT_FLAGS),
    "POST /cases/{number}/follow-up":                  (Action.FOLLOW_UP,),
    "POST /cases/{number}/assign":                     (Action.ASSIGN,),
    "POST /cases/{number}/take":                       (Action.TAKE,),
    "POST /cases/{number}/escalate":                   (Action.ESCALATE,),
    "POST /cases/{number}/request-close":              (Action.REQUEST_CLOSE,),
    "POST /cases/{number}/resolve":                    (Action.RESOLVE,),
    "POST /cases/{number}/accept":                     (Action.ACCEPT,),
    "POST /cases/{number}/reject":                     (Action.REJECT,),
    "POST /cases/{number}/close":                      (Action.CLOSE,),
    "POST /cases/{number}/reopen":                     (Action.REOPEN,),
    "POST /cases/{number}/survey":                     (Action.SURVEY,),
    "GET /cases/{number}/events":                      (Access.READ,),
    "POST /attachments":                               (Access.UPLOAD,),
    "POST /cases/{number}/attach":                     (Action.ATTACH,),
    "GET /cases/{number}/attachments":                 (Access.READ,),
    "GET /cases/{number}/attachments/{attachment}":    (Access.READ,),
    "DELETE /cases/{number}/attachments/{attachment}": (Action.REMOVE_ATTACHMENT,),
    "GET /events/stream":                              (Access.FOLLOW,),
    "GET /policy":                                     (Access.POLICY,),
    "GET /filters":                                    (Access.FILTERS,),
    "POST /filters":                                   (Access.FILTERS,),
    "PATCH /filters/{filter_id}":                      (Access.FILTERS,),
    "DELETE /filters/{filter_id}":                     (Access.FILTERS,),
    "GET /replies":                                    (Access.REPLIES,),
    "POST /replies":                                   (Access.REPLIES, Access.DESK_REPLIES),
    "PATCH /replies/{reply_id}":                       (Access.REPLIES, Access.DESK_REPLIES),
    "DELETE /replies/{reply_id}":                      (Access.REPLIES, Access.DESK_REPLIES),
    "GET /webhooks":                                    (Access.WEBHOOKS,),
    "GET /webhooks/{webhook}/deliveries":               (Access.WEBHOOKS,),
    "POST /webhooks/{webhook}/deliveries/{delivery}/replay": (Access.WEBHOOKS,),
    "POST /webhooks/{webhook}/test":                    (Access.WEBHOOKS,),
    "GET /dead-letters":                                (Access.DEAD_LETTERS,),
    "POST /dead-letters/{letter}/replay":               (Access.DEAD_LETTERS,),
    "GET /overview":                                    (Access.OVERVIEW,),
    "GET /people":                                      (Access.SETUP,),
    "GET /desk-file":                                   (Access.SETUP,),
    # a route at the root
    "POST /api/v1/session":                            (Door.EVERYBODY,),
    "GET /api/v1/session":                             (Door.SESSION,),
    "DELETE /api/v1/session":                          (Door.SESSION,),
    "GET /healthz":                                    (Door.EVERYBODY,),
    "GET /readyz":                                     (Door.EVERYBODY,),
    "GET /dev/mailbox":                                (Door.EVERYBODY,),
    "GET /dev/mailbox/{mail_id}":                      (Door.EVERYBODY,),
    "GET /dev/mailbox/{mail_id}/html":                 (Door.EVERYBODY,),
}
"""Every documented route; a test fails for one that is missing here."""
# fmt: on


def may(caller: Caller, action: Access | Action, case: Seen | None = None, uploaded_by: str | None = None) -> bool:
    """Whether the table lets the caller ask for it. What the table does not name, nobody may.

    Args:
        caller: who asks.
        action: what for.
        case: that it is about, one which they may see; None if it is about none, or not known yet.
        uploaded_by: of a file that it is about.
    """
    rule = TABLE.get(action)
    if rule is None:
        return False
    theirs = not rule.own or case is None or uploaded_by == caller.name
    return _lets(rule, caller.kind, caller.role, caller.scopes, _held(caller, case, uploaded_by), theirs=theirs)


def rights_on(caller: Caller, case: Seen) -> frozenset[Action]:
    """All of the lifecycle's actions on that case that the table lets the caller ask for, as ``may`` tells of each."""
    return _rights(caller.kind, caller.role, caller.scopes, _held(caller, case, None))


@lru_cache(maxsize=1024)
def _rights(kind: ActorKind, role: str, scopes: frozenset[str], held: frozenset[Relation]) -> frozenset[Action]:
    rules = ((action, TABLE.get(action)) for action in Action)
    return frozenset(
        action for action, rule in rules if rule and _lets(rule, kind, role, scopes, held, theirs=not rule.own)
    )


def _held(caller: Caller, case: Seen | None, uploaded_by: str | None) -> frozenset[Relation]:
    """What a customer is to a case; without one at hand, whatever they might be."""
    if not caller.is_customer:
        return frozenset()
    return relations(caller.viewer, caller.accounts, case, uploaded_by) if case else frozenset(Relation)


def _lets(
    rule: Rule, kind: ActorKind, role: str, scopes: frozenset[str], held: frozenset[Relation], *, theirs: bool
) -> bool:
    match kind:
        case ActorKind.SERVICE:
            return theirs and (rule.scope == "" or rule.scope in scopes)
        case ActorKind.STAFF:
            return role in rule.staff
        case ActorKind.CUSTOMER:
            return not rule.customers.isdisjoint(held)
        case _:
            return False


def require(caller: Caller, action: Access | Action, case: Seen | None = None, uploaded_by: str | None = None) -> None:
    """Let the caller ask for it.

    Args:
        caller: who asks.
        action: what for.
        case: that it is about, one which they may see.
        uploaded_by: of a file that it is about.

    Raises:
        Problem: 403 ``forbidden``.
    """
    if may(caller, action, case, uploaded_by):
        return
    wanted = action.value if isinstance(action, Access) else f"use «{action}»"
    rule = TABLE.get(action, Rule(NO_STAFF, NO_CUSTOMER, None))
    if caller.kind is ActorKind.SERVICE and rule.scope in caller.scopes:
        raise Problem(
            "forbidden",
            f"The service account «{caller.name}» may {wanted} only for files that it uploaded itself; "
            f"this one is from {uploaded_by}.",
        )
    if caller.kind is ActorKind.SERVICE and rule.scope:
        raise Problem(
            "forbidden",
            f"The service account «{caller.name}» may not {wanted}: it lacks the scope {rule.scope}. "
            "Add it to the desk file and run `casebound desk apply`.",
        )
    raise Problem("forbidden", f"As {_standing(caller, case)} you may not {wanted}: that is for {for_whom(rule)}.")


def _standing(caller: Caller, case: Seen | None) -> str:
    if caller.kind is not ActorKind.CUSTOMER or case is None:
        return {"service": "a service account"}.get(caller.role, caller.role) + " of this desk"
    held = relations(caller.viewer, caller.accounts, case)
    return " and ".join(relation.value for relation in Relation if relation in held)


def for_whom(rule: Rule) -> str:
    """The people of a rule, as in ``the reporter or contact of the case, or the desk's staff``."""
    staff = ["the desk's staff"] if rule.staff == STAFF else [f"a {role} of the desk" for role in sorted(rule.staff)]
    return ", or ".join([*(relation.value for relation in Relation if relation in rule.customers), *staff]) or "nobody"
