"""How payloads of workflows are read."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.contracts.workflow import CaseRun
from shared.domain.case import CaseState, Status
from shared.domain.profiles import PROFILES
from shared.temporal.client import SharedPayloadConverter


def test_what_types_look_like_is_worked_out_once_for_all_workflows() -> None:
    """The library makes a converter for each; working out a case's types takes many times as long as reading one."""
    one, other = SharedPayloadConverter(), SharedPayloadConverter()
    assert [id(each) for each in one.converters.values()] == [id(each) for each in other.converters.values()]


def test_a_run_is_read_as_it_was_written() -> None:
    now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    state = CaseState(
        seq=1, status=Status.NEW, subject="Ledger", reporter="bob@acme.example", created_at=now, updated_at=now
    )
    run = CaseRun(case_id="c", desk="d", number=1, policy=PROFILES["standard"], policy_version=1, state=state)
    assert SharedPayloadConverter().from_payloads(SharedPayloadConverter().to_payloads([run]), [CaseRun]) == [run]
