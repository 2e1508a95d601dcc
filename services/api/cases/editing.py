"""Changing a case's fields."""

from __future__ import annotations

from typing import Any

from services.api.callers import Caller
from services.api.cases.choices import check_contact, check_environment, check_lists, load_accounts
from services.api.cases.records import CaseRecord
from services.api.cases.schemas import CaseChanges
from services.api.problems import FieldError, invalid
from shared.db.engine import Reader
from shared.domain.commands import Edit


async def prepare_edit(session: Reader, caller: Caller, record: CaseRecord, form: CaseChanges) -> Edit:
    """Check the changes against the desk's lists and the case's account.

    Returns:
        The command, its id left blank.

    Raises:
        Problem: 422 that names every field at fault.
    """
    given: dict[str, Any] = form.model_dump(exclude_unset=True)
    if not given:
        raise invalid(FieldError(field="body", message="Give at least one field to change."))
    key = record.state.account
    accounts = await load_accounts(session, caller.desk, [key]) if key else {}
    account = accounts.get(key or "")
    errors = [
        *check_lists(caller.desk, given),
        *check_environment(account, given.get("environment")),
        *check_contact(caller, list(accounts.values()), given.get("contact")),
    ]
    if errors:
        raise invalid(*errors)
    changes = {name: tuple(value) if name == "cc" else value or None for name, value in given.items()}
    return Edit(command_id="", actor=caller.actor, changes=changes)
