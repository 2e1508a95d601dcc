"""Write ``docs/access.md`` from the table of rights in ``services/api/authorisation.py``."""

from __future__ import annotations

from pathlib import Path

from services.api.authorisation import ROUTES, TABLE, Access, Door, Rule, StaffRole
from services.api.visibility import Relation
from shared.desks import SCOPES
from shared.domain.lifecycle import Action

PAGE = Path(__file__).with_name("access.md")

_HEAD = """\
# Who may do what

Written by `python docs/generate_access.py` from `services/api/authorisation.py`; edit the table there.

Three questions are asked of every request, in this order:

1. **Does one see it?** A desk, a case or a file that one may not see is 404 `not_found`, as if it did not exist.
2. **May one ask for it?** This page. Who may not is answered 403 `forbidden`, with the people who may.
3. **Is it possible now?** The case's status and the desk's policy decide: [lifecycle](lifecycle.md). If not, 409.

A case's `actions` are those to which all three say yes.

## What a customer is to a case

| relation | who |
|---|---|
| owner | reported the case, or is its contact |
| admin | admin of the case's account, where the desk's policy shows admins the account's cases |
| colleague | member of the case's account, where the desk's policy shows them all the account's cases |
| copied | is copied on the case (CC), whatever their account |

"Their own" in the table below is a file that they uploaded themselves. Somebody may be several of these at once. The
policy `customers_see` decides whether an account counts: with `own_and_cc` it does not, with `account_for_admins` and
`by_permission` for its admins, with `account` for all its members. Who belongs to several accounts counts for each by
the role there. What one reported, or is the contact of, stays in sight as long as one belongs to any account of the
desk. Who belongs to none is nobody to the desk, within two seconds and on streams that are open too. Staff of the desk
act as staff, never as customers too.

## Rights

| what | agent | lead | admin of the desk | owner | admin | colleague | copied | a service with the scope |
|---|---|---|---|---|---|---|---|---|
"""
_ROUTES = """
## Routes

Below `/api/v1/desks/{desk}`, or at the root.

| route | right |
|---|---|
"""
_SCOPES = """
## Scopes of service accounts

A service account belongs to one desk, sees all its cases, and may what its scopes in the desk file say.

| scope | allows to |
|---|---|
"""
_FLAGS = {Action.NOTE: "`internal`", Action.ASK: "`await_reply`", Action.SOLVE: "`solve`"}
_CUSTOMERS = (Relation.OWN, Relation.ACCOUNT_ADMIN, Relation.COLLEAGUE, Relation.COPIED)


def access_page() -> str:
    """Return the whole page."""
    rights = "".join(f"| {_name(what)} | {' | '.join(_cells(rule))} |\n" for what, rule in TABLE.items())
    routes = "".join(f"| `{route}` | {', '.join(map(_name, rows))} |\n" for route, rows in ROUTES.items())
    scopes = "".join(f"| `{scope}` | {meaning} |\n" for scope, meaning in SCOPES.items())
    return _HEAD + rights + _ROUTES + routes + _SCOPES + scopes


def _name(what: Access | Action | Door) -> str:
    if not isinstance(what, Action):
        return what.value
    return f"comment with {_FLAGS[what]}" if what in _FLAGS else f"`{what}`"


def _cells(rule: Rule) -> list[str]:
    staff = [_mark(role in rule.staff) for role in StaffRole]
    otherwise = "their own" if Relation.UPLOADER in rule.customers else "no"
    customers = ["yes" if relation in rule.customers else otherwise for relation in _CUSTOMERS]
    scope = f"`{rule.scope}`{', their own' if rule.own else ''}" if rule.scope else _mark(rule.scope == "")
    return [*staff, *customers, scope]


def _mark(allowed: bool) -> str:
    return "yes" if allowed else "no"


if __name__ == "__main__":
    PAGE.write_text(access_page(), encoding="utf-8")
