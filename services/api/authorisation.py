"""Who may ask for what, as one table: role by action. Which cases they see at all is ``visibility.py``'s business.

What is possible in a case's status is the lifecycle's (``shared/domain/lifecycle.py``): an action is offered where
both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.api.callers import Caller
from services.api.problems import Problem
from shared.domain.case import ActorKind
from shared.domain.lifecycle import Action


class Access(StrEnum):
    """What can be asked for besides the actions of the lifecycle."""

    OPEN = "open cases"
    READ = "read cases"
    FOLLOW = "follow events"


CUSTOMER, STAFF = ActorKind.CUSTOMER, ActorKind.STAFF


@dataclass(frozen=True, slots=True)
class Rule:
    """Which people may, and which scope a service account needs."""

    people: frozenset[ActorKind]
    scope: str


EVERYBODY, STAFF_ALONE, CUSTOMERS_ALONE = frozenset({CUSTOMER, STAFF}), frozenset({STAFF}), frozenset({CUSTOMER})

# fmt: off
TABLE: dict[Access | Action, Rule] = {
    # what                       people                       a service's scope
    Access.OPEN:            Rule(EVERYBODY,             "case.open"),
    Access.READ:            Rule(EVERYBODY,             "case.read"),
    Access.FOLLOW:          Rule(EVERYBODY,             "events.read"),
    Action.COMMENT:         Rule(EVERYBODY,             "case.comment"),
    Action.NOTE:            Rule(STAFF_ALONE,           "case.note"),
    Action.ASK:             Rule(STAFF_ALONE,           "case.comment"),
    Action.SOLVE:           Rule(CUSTOMERS_ALONE,       "case.close"),
    Action.ASSIGN:          Rule(STAFF_ALONE,           "case.assign"),
    Action.EDIT:            Rule(EVERYBODY,             "case.edit"),
    Action.ESCALATE:        Rule(EVERYBODY,             "case.escalate"),
    Action.REQUEST_CLOSE:   Rule(CUSTOMERS_ALONE,       "case.close"),
    Action.RESOLVE:         Rule(STAFF_ALONE,           "case.resolve"),
    Action.ACCEPT:          Rule(CUSTOMERS_ALONE,       "case.close"),
    Action.REJECT:          Rule(CUSTOMERS_ALONE,       "case.close"),
    Action.CLOSE:           Rule(EVERYBODY,             "case.close"),
    Action.REOPEN:          Rule(EVERYBODY,             "case.reopen"),
    Action.SURVEY:          Rule(CUSTOMERS_ALONE,       "case.close"),
    Action.FOLLOW_UP:       Rule(EVERYBODY,             "case.open"),
}
# fmt: on


def may(caller: Caller, action: Access | Action) -> bool:
    """Whether the table lets the caller ask for it. What the table does not name, nobody may."""
    rule = TABLE.get(action)
    if rule is None:
        return False
    return rule.scope in caller.scopes if caller.kind is ActorKind.SERVICE else caller.kind in rule.people


def require(caller: Caller, action: Access | Action) -> None:
    """Let the caller ask for it.

    Raises:
        Problem: 403 ``forbidden``.
    """
    if may(caller, action):
        return
    wanted = action.value if isinstance(action, Access) else f"use «{action}»"
    if caller.kind is ActorKind.SERVICE:
        scope = TABLE[action].scope
        raise Problem(
            "forbidden",
            f"The service account «{caller.name}» may not {wanted}: it lacks the scope {scope}. "
            "Add it to the desk file and run `casebound desk apply`.",
        )
    raise Problem("forbidden", f"As {caller.role} of this desk you may not {wanted}.")
