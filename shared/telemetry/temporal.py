"""Spans through Temporal: from the caller of an update or signal to its handler in the workflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.trace import SpanKind, StatusCode
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import (
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowUpdateHandle,
)
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)
from temporalio.worker import Interceptor as WorkerInterceptor

from shared.telemetry.tracing import TRACEPARENT, inject, remote_context, tracer

_NOW: Final = "__casebound_now_ns"
_REPORT: Final = "__casebound_handled"
_HEADER: Final = "_tracer-data"


class CommandTracing(ClientInterceptor, WorkerInterceptor):
    """Calls that carry the caller's trace, and handlers that continue it.

    The SDK's `TracingInterceptor` hangs every handler and activity of a workflow into the trace that started the
    workflow, with no duration and with the workflow's own time: a month-old case would have all its life in the trace
    of its opening, and a fast-forwarded one spans in the future. Here a handler's span continues the trace of whoever
    called, and its times are real ones. Calls and activities get no span by themselves: whoever calls has one, and
    `record` opens one for each command it records.

    Give one to `Client.connect(interceptors=[…])` after `setup`; a worker of that client uses it too.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        return _CarriesTrace(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions.update({_NOW: time.time_ns, _REPORT: _report})
        return _HandlerTracing


class _CarriesTrace(OutboundInterceptor):
    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:  # noqa: A002
        input.headers = _with_trace(input.headers)
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self,
        input: StartWorkflowUpdateWithStartInput,  # noqa: A002
    ) -> WorkflowUpdateHandle[Any]:
        update = input.update_workflow_input
        update.headers = _with_trace(update.headers)
        return await super().start_update_with_start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
        input.headers = _with_trace(input.headers)
        await super().signal_workflow(input)


def _with_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    carrier = inject()
    return {**headers, _HEADER: PayloadConverter.default.to_payload(carrier)} if carrier else headers


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
