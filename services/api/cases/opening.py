"""Opening a case: the form is checked and completed, then the case's workflow is started."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header

from services.api.answers import Answer
from services.api.authorisation import Access, require
from services.api.callers import Caller, DeskView
from services.api.cases.choices import (
    AccountView,
    account_keys,
    check_attachments,
    check_contact,
    check_environment,
    check_lists,
    possible_accounts,
)
from services.api.cases.records import CaseRecord, Names, find_case, names_of
from services.api.cases.representation import represent
from services.api.cases.schemas import NewCase, NewFollowUp
from services.api.commands import Asking, answered, measured
from services.api.context import Ctx
from services.api.idempotency import Once, claim_number, keep, kept_answer
from services.api.problems import FieldError, Problem, invalid
from services.api.refusals import refused
from shared.contracts.workflow import CaseRun, Outcome
from shared.db.engine import Reader
from shared.db.viewed import Sight
from shared.domain.case import CaseState
from shared.domain.commands import FollowUp, Open
from shared.domain.decision import as_opened, decide
from shared.domain.lifecycle import Action
from shared.domain.policy import IMPACTS
from shared.domain.refusals import Refusal

NOW = timedelta()
YEAR_SECONDS = 366 * 24 * 3600
_T = TypeVar("_T")
_CASES = uuid.UUID("0d7be3c1-38f4-4b0b-8a52-6b1f6a0f0c55")
_COPIED = (
    "product", "type", "severity", "impact", "account", "environment", "contact", "cc", "internal_reference"
)  # fmt: skip


async def opened_ago(
    context: Ctx,
    casebound_opened_ago: Annotated[int, Header(ge=0, le=YEAR_SECONDS, include_in_schema=False)] = 0,
) -> timedelta:
    """Seconds for which a new case has been there already, by its own clock: demo data has a past. Development only."""
    return timedelta(seconds=casebound_opened_ago) if context.settings.development else NOW


AgoHere = Annotated[timedelta, Depends(opened_ago)]


async def open_case(asking: Asking, form: NewCase, ago: timedelta = NOW) -> Answer:
    """Open a case, once for each ``Idempotency-Key``.

    Args:
        asking: who opens it.
        form: with ``follow_up_of`` for one that follows another.
        ago: by how much the case's own clock is behind; development only.

    Returns:
        201 with the case; or the refusal, where the other case takes no follow-up.

    Raises:
        Problem: 403, 404, 422, 503.
    """
    require(asking.caller, Access.OPEN)
    database = asking.context.database
    async with database.transaction_as(asking.caller.eyes) as session:
        if kept := await kept_answer(session, asking.caller, asking.once):
            return kept
        parent = await _parent(session, asking, form.follow_up_of)
        command = await prepare(session, asking.caller, asking.once, form)
        foreseen = as_opened(asking.caller.desk.policy, command, datetime.now(UTC))
        names = await names_of(session, asking.caller, [foreseen] if foreseen else [])
        ticket = await claim_number(session, asking.caller, asking.once)
    if isinstance(ticket, Answer):
        return ticket
    if ticket.number is None:
        raise RuntimeError("a claimed opening has a number")
    try:
        if parent and ticket.fresh:
            may_be_followed(asking.caller, parent, ticket.number)
        command = replace(command, command_id=ticket.command_id)
        run = _first_run(asking.caller.desk, command, ticket.number, ago)
        outcome = await _start(asking, run, command, foreseen)
        told = _as_told(run, command, outcome) if ticket.fresh else None
        record, names = (told, names) if told else await _as_recorded(asking, ticket.number)
        answer = Answer(201, represent(asking.caller, record, names).model_dump(mode="json"))
    except Problem as problem:
        if problem.status != 409:
            raise
        answer = problem.answer()
    return await keep(database, asking.caller, asking.once, answer)


async def follow_up(asking: Asking, number: str, form: NewFollowUp, ago: timedelta = NOW) -> Answer:
    """Open a case that follows another; what the form leaves out is copied from that one (desk-rules H11).

    Raises:
        Problem: as ``open_case``.
    """
    require(asking.caller, Action.FOLLOW_UP)
    async with asking.context.database.reading_as(asking.caller.eyes) as session:
        parent = await find_case(session, asking.caller, number)
        copied = await copied_fields(session, asking.caller, parent, form.account)
    given = form.model_dump(exclude_unset=True, exclude={"follow_up_of"})
    subject = form.subject or parent.state.subject
    complete = NewCase.model_validate({**copied, **given, "subject": subject, "follow_up_of": parent.number})
    return await open_case(asking, complete, ago)


async def prepare(session: Sight, caller: Caller, request: Once, form: NewCase) -> Open:
    """Check the form and fill in what has one possible value (desk-rules M2-M7).

    Returns:
        The command, its id left blank.

    Raises:
        Problem: 422 that names every field at fault.
    """
    accounts = await possible_accounts(session, caller, form.account, form.contact)
    fitting = _fitting(accounts, form)
    account = _only(fitting)
    values = form.model_dump(exclude={"attachments"}) | {
        "account": account.key if account else None,
        "contact": form.contact or _contact(caller, account),
        "environment": form.environment or _only(account.environments if account else ()),
        "internal_reference": form.internal_reference or None,
        "reporter": caller.address,
        "cc": tuple(form.cc),
        "attachments": tuple(map(str, form.attachments)),
    }
    _fill_in_lists(caller, values)
    errors = [*check_lists(caller.desk, values), *await check_attachments(session, caller, request, form.attachments)]
    if form.account and account is None:
        errors.append(await _unknown_account(session, caller, form.account))
    else:
        candidates = [account] if account else list(accounts.values())
        errors += check_contact(caller, candidates, form.contact)
        errors += check_environment(account, form.environment)
    named = {error.field for error in errors}
    required = dict.fromkeys(caller.desk.policy.required_at_opening)
    if len(fitting) > 1:
        required["account"] = None  # left open between two, a case would be found by nobody in either
    choices = sorted(accounts)
    if "account" in required and not choices:
        choices = await account_keys(session, caller.desk)
    errors += [error for error in _missing(required, values, account, choices) if error.field not in named]
    if errors:
        raise invalid(*errors)
    return Open(command_id="", actor=caller.actor, **values)


def _fitting(accounts: dict[str, AccountView], form: NewCase) -> list[AccountView]:
    """Those accounts that the case may belong to, by what the form says (desk-rules M3, M4)."""
    if form.account:
        return [accounts[form.account]] if form.account in accounts else []
    several = len(accounts) > 1 and form.contact is not None
    return [each for each in accounts.values() if not several or form.contact in each.members]


def _contact(caller: Caller, account: AccountView | None) -> str | None:
    if caller.is_customer:
        return caller.email
    return _only(sorted(account.members)) if account else None


def _only(values: Iterable[_T]) -> _T | None:
    several = list(values)
    return several[0] if len(several) == 1 else None


def _fill_in_lists(caller: Caller, values: dict[str, Any]) -> None:
    lists = {"product": caller.desk.products, "type": caller.desk.case_types, "severity": caller.desk.severities}
    for name, choices in lists.items():
        if values[name] is None and name in caller.desk.policy.required_at_opening:
            values[name] = _only(choices)


async def _unknown_account(session: Reader, caller: Caller, key: str) -> FieldError:
    if caller.is_customer:
        message, allowed = f"«{key}» is not one of your accounts.", sorted(caller.accounts)
    else:
        message, allowed = f"This desk has no account «{key}».", await account_keys(session, caller.desk)
    return FieldError(field="account", message=message, allowed=allowed)


def _missing(
    required: Iterable[str], values: dict[str, Any], account: AccountView | None, accounts: list[str]
) -> Iterable[FieldError]:
    allowed: dict[str, list[str]] = {"account": accounts, "impact": list(IMPACTS)}
    if account:
        allowed |= {"environment": list(account.environments), "contact": sorted(account.members)}
    for name in required:
        if not str(values.get(name) or "").strip():
            message = f"{name} is required to open a case on this desk."
            if allowed.get(name) == []:
                message += " There is none to choose yet: an administrator of the desk has to add one."
            yield FieldError(field=name, message=message, allowed=allowed.get(name) or None)


async def _parent(session: Sight, asking: Asking, number: int | None) -> CaseRecord | None:
    if number is None:
        return None
    require(asking.caller, Action.FOLLOW_UP)
    try:
        return await find_case(session, asking.caller, number)
    except Problem:
        message = f"There is no case {number} on this desk, or you may not see it."
        raise invalid(FieldError(field="follow_up_of", message=message)) from None


def may_be_followed(caller: Caller, parent: CaseRecord, number: int) -> None:
    """Ask before the new case exists; its record links the two, and does so only with a case that is sealed.

    Args:
        caller: who follows it up.
        parent: the old case.
        number: of the new one.

    Raises:
        Problem: 409, why not.
    """
    command = FollowUp(command_id="", actor=caller.actor, number=number)
    refusal = decide(parent.state, parent.policy, command, parent.now)
    if isinstance(refusal, Refusal):
        raise refused(caller, parent, refusal)


def _first_run(desk: DeskView, command: Open, number: int, ago: timedelta) -> CaseRun:
    return CaseRun(
        case_id=str(uuid.uuid5(_CASES, command.command_id)),
        desk=desk.slug,
        number=number,
        policy=desk.policy,
        policy_version=desk.policy_version,
        clock_offset=-ago.total_seconds(),
    )


async def _start(asking: Asking, run: CaseRun, command: Open, foreseen: CaseState | None) -> Outcome:
    async with measured(command.name):
        outcome = await answered(asking.context.door.open(run, command, foreseen))
        if not outcome.accepted:
            raise refused(asking.caller, None, outcome)
        return outcome


def _as_told(run: CaseRun, command: Open, outcome: Outcome) -> CaseRecord | None:
    """The case, known without reading it back: the machine decides the same words again."""
    state = as_opened(run.policy, command, outcome.at) if outcome.at else None
    if state is None:
        return None
    return CaseRecord(
        id=uuid.UUID(run.case_id),
        number=run.number,
        policy=run.policy,
        policy_version=run.policy_version,
        state=state,
        description=command.description,
        clock_offset=timedelta(seconds=run.clock_offset),
    )


async def _as_recorded(asking: Asking, number: int) -> tuple[CaseRecord, Names]:
    async with asking.context.database.reading_as(asking.caller.eyes) as session:
        record = await find_case(session, asking.caller, number)
        return record, await names_of(session, asking.caller, [record.state])


async def copied_fields(
    session: Reader, caller: Caller, parent: CaseRecord, account_key: str | None = None
) -> dict[str, Any]:
    """The old case's fields, but for those that the desk or the account no longer offers.

    Args:
        session: for reading.
        caller: who follows it up.
        parent: the old case.
        account_key: of the account that the new case is for; None: the old one's.
    """
    state = parent.state
    values: dict[str, Any] = {name: getattr(state, name) for name in _COPIED} | {"cc": list(state.cc)}
    accounts = await possible_accounts(session, caller, state.account, None)
    account = accounts.get(account_key or state.account or "")
    stale = {error.field for error in check_lists(caller.desk, values)}
    stale |= {error.field for error in check_environment(account, state.environment)}
    stale |= {error.field for error in check_contact(caller, [account] if account else [], state.contact)}
    stale |= {"account"} if account is None else set()
    return {name: value for name, value in values.items() if name not in stale and value is not None}
