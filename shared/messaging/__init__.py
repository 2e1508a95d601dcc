"""NATS JetStream: connect, the streams, publish, consume, dead letters.

A message is handed on at least once: handlers are idempotent. What a handler can't use ends in the stream ``DEAD``,
with the reason and the original, and can be replayed from there to the consumer that gave up on it.
"""

from shared.messaging.bus import Bus, BusUnavailableError, connect, publish
from shared.messaging.collector import collect_dead_letters
from shared.messaging.consume import consume
from shared.messaging.dead_letters import (
    DeadLetter,
    DeadLetterNotFoundError,
    bury,
    list_dead,
    replay_dead,
)
from shared.messaging.incoming import Incoming
from shared.messaging.topology import ensure_topology

__all__ = [
    "Bus",
    "BusUnavailableError",
    "DeadLetter",
    "DeadLetterNotFoundError",
    "Incoming",
    "bury",
    "collect_dead_letters",
    "connect",
    "consume",
    "ensure_topology",
    "list_dead",
    "publish",
    "replay_dead",
]
