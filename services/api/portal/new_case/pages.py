"""Opening a case."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from services.api.authorisation import Access, require
from services.api.cases.opening import copied_fields, may_be_followed, open_case
from services.api.cases.records import find_case
from services.api.cases.schemas import NewCase
from services.api.portal.forms import Form, FormHere, accepted, messages, read
from services.api.portal.new_case.fields import asked
from services.api.portal.new_case.similar import similar_cases
from services.api.portal.pages import DeskPage, DeskPageHere
from services.api.problems import FieldError, Problem, invalid
from shared.domain.lifecycle import Action

router = APIRouter()

_SINGLE: Final = (
    "subject", "description", "account", "contact", "environment", "product", "type", "severity", "impact",
    "internal_reference", "follow_up_of",
)  # fmt: skip
_BETWEEN: Final = re.compile(r"[,;\s]+")
"""Between addresses: commas (desk-rules A2), or whatever else a list was pasted with."""
_REUSED: Final = (
    "What you sent before may have been opened already; look at the list of cases first. "
    "Save once more to open this one as well."
)


@router.get("/desks/{desk}/cases/new")
async def get_new_case(page: DeskPageHere, follow_up_of: str = "") -> Response:
    """The form; with ``follow_up_of`` filled from the case that it follows (desk-rules H11)."""
    require(page.caller, Access.OPEN)
    return await _shown(page, await _of_parent(page, follow_up_of) if follow_up_of else Form())


@router.get("/desks/{desk}/cases/new/account")
async def get_account_fields(page: DeskPageHere) -> Response:
    """What depends on the account, once another is chosen."""
    require(page.caller, Access.OPEN)
    form = Form(page.request.query_params.multi_items())
    async with page.context.database.read_as(page.caller.eyes) as session:
        fields = await asked(session, page.caller, form)
    return page.render("new_case/account.html", fields=fields, errors={})


@router.get("/desks/{desk}/cases/new/similar")
async def get_similar(page: DeskPageHere, subject: str = "", account: str = "") -> Response:
    """Open cases like the one whose subject is being typed."""
    require(page.caller, Access.OPEN)
    return page.render("new_case/similar.html", similar=await similar_cases(page, subject, account))


@router.post("/desks/{desk}/cases/new")
async def post_new_case(page: DeskPageHere, form: FormHere) -> Response:
    """Open the case; what is refused comes back as it was typed."""
    require(page.caller, Access.OPEN)
    if "change" in form:  # without script: another account was chosen, so show what belongs to it
        return await _shown(page, form)
    try:
        case = accepted(await open_case(form.asking(page), _new_case(form)))
    except Problem as problem:
        return await _refused(page, form, problem)
    return page.go(page.path("cases", case["number"]), said=f"{case['key']} is open.")


def _new_case(form: Form) -> NewCase:
    """The form as the REST route takes it; what was left empty is left out.

    Raises:
        Problem: 422, each field at fault named.
    """
    values: dict[str, Any] = {name: form.text(name) for name in _SINGLE if form.text(name).strip()}
    values["cc"] = [address for address in _BETWEEN.split(form.text("cc")) if address]
    values["attachments"] = form.all("attachments")
    missing = [FieldError(field=name, message="Say it in a few words.") for name in ("subject",) if name not in values]
    if "description" not in values:
        missing.append(FieldError(field="description", message="Describe what it is about."))
    if missing:
        raise invalid(*missing)
    return read(NewCase, values)


async def _refused(page: DeskPage, form: Form, problem: Problem) -> Response:
    unsure = problem.status == 503  # it may still be opened: the same key makes sure that it is opened once
    errors = {"": _REUSED} if problem.code == "idempotency_key_reused" else messages(problem)
    return await _shown(page, form, errors, problem.status, form.text("idempotency_key") if unsure else "")


async def _shown(
    page: DeskPage, form: Form, errors: dict[str, str] | None = None, status: int = 200, key: str = ""
) -> Response:
    async with page.context.database.read_as(page.caller.eyes) as session:
        fields = await asked(session, page.caller, form)
    parent = form.text("follow_up_of")
    shown = {choice.name for choice in (*fields.of_account, *fields.of_case)}
    words = {"", "subject", "description", "cc", "internal_reference"}
    found = errors or {}
    elsewhere = [text for name, text in found.items() if name not in shown | words]
    return page.render(
        "new_case/form.html" if page.is_fragment else "new_case/new.html",
        status,
        form=form,
        fields=fields,
        parent=page.caller.desk.case_key(int(parent)) if parent.isdecimal() else "",
        policy=page.caller.desk.policy,
        key=key,
        errors=found | ({"": " ".join([*filter(None, [found.get("")]), *elsewhere])} if elsewhere else {}),
    )


async def _of_parent(page: DeskPage, number: str) -> Form:
    """The form as the case that it is to follow fills it.

    Raises:
        Problem: 404; 409 if that case takes no follow-up, saying why.
    """
    async with page.context.database.read_as(page.caller.eyes) as session:
        parent = await find_case(session, page.caller, number)
        require(page.caller, Action.FOLLOW_UP, parent.state)
        may_be_followed(page.caller, parent, parent.number)
        values = await copied_fields(session, page.caller, parent)
    given = {"follow_up_of": str(parent.number), "subject": parent.state.subject}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return Form([*(given | texts | {"cc": ", ".join(values.get("cc", ()))}).items()])
