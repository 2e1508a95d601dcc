"""Spans through Temporal: from the caller of an update or signal to its handler in the workflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.trace import SpanKind, StatusCode
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    ActivityInboundInterceptor,
    HandleSignalInput,
    HandleUpdateInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from shared.telemetry.tracing import TRACEPARENT, remote_context, tracer

_NOW: Final = "__casebound_now_ns"
_REPORT: Final = "__casebound_handled"
_HEADER: Final = "_tracer-data"


class CommandTracing(TracingInterceptor):
    """The client side of `TracingInterceptor`, and handlers that continue their caller's trace.

    `TracingInterceptor` hangs every handler and activity of a workflow into the trace that started the workflow, with
    no duration and with the workflow's own time: a month-old case would have all its life in the trace of its opening,
    and a fast-forwarded one spans in the future. Here a handler's span continues the trace of whoever called, and its
    times are real ones. Activities get no span by themselves: `record` opens one for each command it records.

    Give one to `Client.connect(interceptors=[…])` after `setup`; a worker of that client uses it too.
    """

    def __init__(self) -> None:
        super().__init__(tracer())

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return next

    def workflow_interceptor_class(  # type: ignore[override]  # ours is no subclass of the one it replaces
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions.update({_NOW: time.time_ns, _REPORT: _report})
        return _HandlerTracing


class _HandlerTracing(WorkflowInboundInterceptor):
    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        with _handling(f"workflow {input.update}", input.headers):
            return await super().handle_update_handler(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        with _handling(f"workflow {input.signal}", input.headers):
            await super().handle_signal(input)


@contextmanager
def _handling(name: str, headers: Mapping[str, Payload]) -> Iterator[None]:
    # Real time and spans stay outside the workflow: it only passes numbers from one outside function to another.
    header = headers.get(_HEADER)
    if not header or workflow.unsafe.is_replaying():
        yield
        return
    outside: Mapping[str, Callable[..., Any]] = workflow.extern_functions()
    carrier = PayloadConverter.default.from_payloads([header])[0]
    call = (name, carrier.get(TRACEPARENT), workflow.info().workflow_id, outside[_NOW]())
    try:
        yield
    except Exception as error:
        outside[_REPORT](*call, type(error).__name__)
        raise
    outside[_REPORT](*call, None)


def _report(name: str, parent: str | None, workflow_id: str, start_ns: int, error: str | None) -> None:
    span = tracer().start_span(
        name,
        remote_context(parent),
        kind=SpanKind.SERVER,
        attributes={"temporalWorkflowID": workflow_id},
        start_time=start_ns,
    )
    if error:
        span.set_status(StatusCode.ERROR, error)
    span.end()
