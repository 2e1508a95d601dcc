"""Saying something on a case."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from services.api.answers import Answer
from services.api.callers import Caller
from services.api.cases.choices import check_attachments
from services.api.cases.endpoints import CaseNumber
from services.api.cases.records import CaseRecord
from services.api.commands import AskingHere, command_on_case
from services.api.comments.schemas import NewComment
from services.api.events.records import event_as_told, event_of_command, hidden_from, kind_of
from services.api.events.schemas import EventOut
from services.api.problems import FieldError, documented, invalid
from shared.contracts.workflow import Outcome
from shared.db.viewed import Sight
from shared.domain.commands import Comment
from shared.domain.decision import action_of
from shared.domain.events import CONVERSATION

router = APIRouter(tags=["comments"])


@router.post(
    "/cases/{number}/comments",
    status_code=201,
    response_model=EventOut,
    responses=documented(401, 403, 404, 409, 413, 422, 503),
)
async def post_comment(number: CaseNumber, form: NewComment, asking: AskingHere) -> JSONResponse:
    """Comment on a case; the answer is the event that it became."""
    caller = asking.caller
    command = _command(caller, form)

    async def prepare(session: Sight, record: CaseRecord) -> Comment:
        errors = await check_attachments(session, caller, asking.once, form.attachments)
        errors += await _check_reply(session, caller, record, form)
        if errors:
            raise invalid(*errors)
        return command

    async def respond(record: CaseRecord, outcome: Outcome, command_id: str) -> Answer:
        if told := event_as_told(record, replace(command, command_id=command_id), outcome):
            return Answer(201, told)
        async with asking.context.database.reading_as(caller.eyes) as session:
            event = await event_of_command(session, record.id, command_id)
        if event is None:
            raise RuntimeError(f"accepted command {command_id} left no event")
        return Answer(201, event)

    return (await command_on_case(asking, number, action_of(command), prepare, respond)).response()


def _command(caller: Caller, form: NewComment) -> Comment:
    chosen = [name for name in ("internal", "await_reply", "solve", "close") if getattr(form, name)]
    if len(chosen) > 1:
        message = f"Choose one of {' and '.join(chosen)}; they exclude each other."
        raise invalid(*(FieldError(field=name, message=message) for name in chosen))
    if form.internal and form.cc:
        raise invalid(FieldError(field="cc", message="A note is for staff alone; copy people with a comment."))
    return Comment(
        command_id="",
        actor=caller.actor,
        body=form.body,
        in_reply_to=form.in_reply_to,
        internal=form.internal,
        await_reply=form.await_reply,
        solve=form.solve,
        close=form.close,
        cc=tuple(form.cc),
        attachments=tuple(map(str, form.attachments)),
    )


async def _check_reply(session: Sight, caller: Caller, record: CaseRecord, form: NewComment) -> list[FieldError]:
    """A reply answers something that its readers can see."""
    if form.in_reply_to is None:
        return []
    kind = await kind_of(session, record.id, form.in_reply_to)
    if kind is None or kind in hidden_from(caller):
        return [FieldError(field="in_reply_to", message=f"The case has no event {form.in_reply_to}.")]
    if kind not in CONVERSATION:
        message = f"Event {form.in_reply_to} is no comment to reply to; leave this out to begin a conversation."
        return [FieldError(field="in_reply_to", message=message)]
    if kind == "noted" and not form.internal:
        return [FieldError(field="in_reply_to", message="A note can only be answered by a note: set internal.")]
    return []
