"""Every metric of every service, defined once. Labels have few values: never a desk, a case or a person."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

_FAST_TO_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

commands = Counter(
    "casebound_commands",
    "Commands that came through the door, by outcome: accepted, refused or failed.",
    ["command", "outcome"],
)
command_seconds = Histogram(
    "casebound_command_seconds",
    "Seconds from a command's arrival at the door until its outcome is known.",
    ["command"],
    buckets=_FAST_TO_SLOW,
)
door_queue_depth = Gauge(
    "casebound_door_queue_depth", "Commands in this process that wait for their case's update in flight."
)
event_streams = Gauge("casebound_event_streams", "Live event streams (SSE) that this process serves.")
relay_lag_seconds = Gauge(
    "casebound_relay_lag_seconds", "Age in seconds of the oldest committed event not yet published."
)
relay_backlog = Gauge("casebound_relay_backlog", "Committed events not yet published.")
index_lag_seconds = Gauge(
    "casebound_index_lag_seconds", "Seconds from an event's commit until the index that answers searches has it."
)
consumer_pending = Gauge(
    "casebound_consumer_pending", "Messages of the stream that a consumer has not yet handled.", ["consumer"]
)
deliveries = Counter(
    "casebound_deliveries", "Deliveries to recipients, by outcome: sent, retried or failed.", ["channel", "outcome"]
)
delivery_seconds = Histogram(
    "casebound_delivery_seconds", "Seconds that one attempt to deliver took.", ["channel"], buckets=_FAST_TO_SLOW
)
dead_letters = Counter("casebound_dead_letters", "Messages that a consumer gave up on.", ["consumer"])
spans_dropped = Counter("casebound_spans_dropped", "Spans that could not be written to the local span store.")


async def metrics_endpoint(_request: Request) -> Response:
    """Answer with this process's metrics, as a Starlette endpoint for `/metrics`."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
