"""Which traces are kept where ``OTEL_TRACES_SAMPLER`` does not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

_READING: Final = frozenset({"GET", "HEAD"})


def commands_and_some_reads(share: float) -> Sampler:
    """Keep every command, and everything that a caller has begun to trace; of other requests that only read, a share.

    Args:
        share: of those, between 0 and 1.
    """
    return ParentBased(_Roots(share))


class _Roots(Sampler):
    def __init__(self, share: float) -> None:
        self._of_reads = TraceIdRatioBased(share)

    def should_sample(  # noqa: PLR0917 - as the SDK calls it
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        reads = kind is SpanKind.SERVER and (attributes or {}).get("http.request.method") in _READING
        decides = self._of_reads if reads else ALWAYS_ON
        return decides.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"every command, and of reads {self._of_reads.get_description()}"
