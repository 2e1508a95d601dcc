"""The actions on a case, one route each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from services.api.actions import schemas
from services.api.answers import Answer
from services.api.callers import Caller
from services.api.cases.endpoints import CaseNumber, case_answer
from services.api.cases.records import CaseRecord
from services.api.cases.schemas import CaseOut
from services.api.commands import Asking, AskingHere, command_on_case
from services.api.problems import FieldError, documented, invalid
from shared.contracts.workflow import Outcome
from shared.db.engine import Reader
from shared.db.models import Person, Staff
from shared.domain import commands as c
from shared.domain.case import Survey
from shared.domain.lifecycle import Action

router = APIRouter(prefix="/cases/{number}", tags=["actions"], responses=documented(401, 403, 404, 409, 413, 422, 503))

_Check = Callable[[Reader], Awaitable[None]]


async def _act(
    asking: Asking, number: str, action: Action, command: c.Command, check: _Check | None = None
) -> JSONResponse:
    async def prepare(session: Reader, _record: CaseRecord) -> c.Command:
        if check:
            await check(session)
        return command

    async def respond(record: CaseRecord, outcome: Outcome, command_id: str) -> Answer:
        return await case_answer(asking, record, outcome, command_id)

    return (await command_on_case(asking, number, action, prepare, respond)).response()


@router.post("/assign", response_model=CaseOut)
async def assign(number: CaseNumber, form: schemas.Assign, asking: AskingHere) -> JSONResponse:
    """Give the case to a member of the desk's staff, or with null to nobody. Staff only."""

    async def check(session: Reader) -> None:
        await _must_be_staff(session, asking.caller, form.assignee)

    command = c.Assign(command_id="", actor=asking.caller.actor, assignee=form.assignee)
    return await _act(asking, number, Action.ASSIGN, command, check)


@router.post("/take", response_model=CaseOut)
async def take(number: CaseNumber, asking: AskingHere) -> JSONResponse:
    """Take on a case that nobody has; to take one over from somebody, assign it to yourself. Staff only."""
    actor = asking.caller.actor
    return await _act(
        asking, number, Action.TAKE, c.Assign(command_id="", actor=actor, assignee=actor.email, take=True)
    )


@router.post("/escalate", response_model=CaseOut)
async def escalate(number: CaseNumber, form: schemas.Escalate, asking: AskingHere) -> JSONResponse:
    """Ask for more urgent attention, once until the case is reopened."""
    command = c.Escalate(command_id="", actor=asking.caller.actor, comment=form.comment)
    return await _act(asking, number, Action.ESCALATE, command)


@router.post("/request-close", response_model=CaseOut)
async def request_close(number: CaseNumber, form: schemas.RequestClose, asking: AskingHere) -> JSONResponse:
    """Tell the desk's staff that the case may be closed; the status does not change. Customers only."""
    command = c.RequestClose(command_id="", actor=asking.caller.actor, comment=form.comment)
    return await _act(asking, number, Action.REQUEST_CLOSE, command)


@router.post("/resolve", response_model=CaseOut)
async def resolve(number: CaseNumber, form: schemas.Resolve, asking: AskingHere) -> JSONResponse:
    """Declare the case resolved. Staff only."""
    command = c.Resolve(
        command_id="",
        actor=asking.caller.actor,
        resolution_type=form.resolution_type,
        summary=form.summary,
        root_cause=form.root_cause,
    )
    return await _act(asking, number, Action.RESOLVE, command)


@router.post("/accept", response_model=CaseOut)
async def accept(number: CaseNumber, form: schemas.Accept, asking: AskingHere) -> JSONResponse:
    """Confirm the resolution; the case closes. Customers only."""
    survey = Survey(q1=form.survey.q1, q2=form.survey.q2) if form.survey else None
    command = c.Accept(command_id="", actor=asking.caller.actor, survey=survey)
    return await _act(asking, number, Action.ACCEPT, command)


@router.post("/reject", response_model=CaseOut)
async def reject(number: CaseNumber, form: schemas.Reject, asking: AskingHere) -> JSONResponse:
    """Send the resolution back with a reason; work goes on. Customers only."""
    command = c.Reject(command_id="", actor=asking.caller.actor, reason=form.reason)
    return await _act(asking, number, Action.REJECT, command)


@router.post("/close", response_model=CaseOut)
async def close(number: CaseNumber, form: schemas.Close, asking: AskingHere) -> JSONResponse:
    """End the case, where the desk lets one."""
    command = c.Close(command_id="", actor=asking.caller.actor, comment=form.comment)
    return await _act(asking, number, Action.CLOSE, command)


@router.post("/reopen", response_model=CaseOut)
async def reopen(number: CaseNumber, form: schemas.Reopen, asking: AskingHere) -> JSONResponse:
    """Take up a closed case again, with a reason, until ``reopen_until``."""
    command = c.Reopen(command_id="", actor=asking.caller.actor, reason=form.reason)
    return await _act(asking, number, Action.REOPEN, command)


@router.post("/survey", response_model=CaseOut)
async def survey(number: CaseNumber, form: schemas.AnswerSurvey, asking: AskingHere) -> JSONResponse:
    """Answer the two questions after an accept that left them out. Customers only."""
    command = c.AnswerSurvey(command_id="", actor=asking.caller.actor, q1=form.q1, q2=form.q2)
    return await _act(asking, number, Action.SURVEY, command)


async def _must_be_staff(session: Reader, caller: Caller, assignee: str | None) -> None:
    query = select(Person.email).join(Staff, Staff.person_id == Person.id).where(Staff.desk_id == caller.desk.id)
    staff = (await session.scalars(query.order_by(Person.email))).all()
    if assignee is not None and assignee not in staff:
        message = f"«{assignee}» is not on the staff of this desk."
        raise invalid(FieldError(field="assignee", message=message, allowed=list(staff)[:50]))
