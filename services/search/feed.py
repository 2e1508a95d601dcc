"""The durable consumer that feeds this node's copy of the index, and whether the copy may have missed anything."""

from __future__ import annotations

import contextlib
from typing import Final
from uuid import uuid4

from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from services.search.index_directory import IndexDirectory, Node
from shared.contracts.subjects import ALL_CASE_EVENTS, CASES_STREAM, INDEXER
from shared.messaging import Bus

DELIVER_POLICY: Final = DeliverPolicy.NEW
"""A consumer is made before the index is built from Postgres, where everything older already is."""


class Feed:
    """The consumer of one copy.

    Args:
        bus: the connection.
        directory: where it is noted which consumer that is.
    """

    def __init__(self, bus: Bus, directory: IndexDirectory) -> None:
        self._bus = bus
        self._directory = directory
        self._node = directory.node()

    @property
    def node_id(self) -> str:
        """Names this copy."""
        return self._node.id

    @property
    def durable(self) -> str:
        """The consumer's name."""
        return f"{INDEXER}-{self._node.id}"

    async def is_complete(self) -> bool:
        """Whether every event since the index was built has come or will come."""
        info = await self._info()
        if info is None or info.created != self._node.consumer_created:
            return False
        first = (await self._bus.js.stream_info(CASES_STREAM)).state.first_seq
        return bool(info.ack_floor and info.ack_floor.stream_seq + 1 >= first)

    async def was_replaced(self) -> bool:
        """Whether NATS has lost the consumer and a new one was made since this was asked last.

        Raises:
            NotFoundError: it is lost, and the new one is not made yet.
        """
        info = await self._bus.js.consumer_info(CASES_STREAM, self.durable)
        if info.created == self._node.consumer_created:
            return False
        self._note(self._node.id, info)
        return True

    async def renew(self) -> None:
        """Replace the consumer by a new one that gets every event from now on."""
        with contextlib.suppress(NotFoundError):
            await self._bus.js.delete_consumer(CASES_STREAM, self.durable)
        self._node = Node(id=uuid4().hex[:12])
        config = ConsumerConfig(
            name=self.durable,
            durable_name=self.durable,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DELIVER_POLICY,
            filter_subject=ALL_CASE_EVENTS,
        )
        self._note(self._node.id, await self._bus.js.add_consumer(CASES_STREAM, config))

    async def _info(self) -> ConsumerInfo | None:
        try:
            info: ConsumerInfo = await self._bus.js.consumer_info(CASES_STREAM, self.durable)
        except NotFoundError:
            return None
        return info

    def _note(self, node_id: str, info: ConsumerInfo) -> None:
        self._node = Node(id=node_id, consumer_created=info.created)
        self._directory.note(self._node)
