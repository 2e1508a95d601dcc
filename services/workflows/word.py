"""Word to whoever waits: what is committed is told at once, ahead of the workflow's own answer."""

from __future__ import annotations

import contextlib

import nats.errors

from shared.contracts.workflow import RECORDED, Applied, Recorded, RecordRequest, workflow_id
from shared.messaging import Bus


class Word:
    """Sends word of what is recorded over NATS. Nobody relies on it: the workflow answers all the same.

    ``bus`` is the connection, once there is one.
    """

    def __init__(self) -> None:
        self.bus: Bus | None = None

    async def send(self, request: RecordRequest) -> None:
        """Tell those who wait for the request's commands that it is committed."""
        if self.bus is None or not self.bus.nc.is_connected or not request.told_on:
            return
        applied = {event.command_id: Applied(seq=event.seq, at=event.at) for event in request.events if not event.part}
        recorded = Recorded(case=workflow_id(request.desk, request.number), applied=applied)
        message = RECORDED.dump_json(recorded)
        with contextlib.suppress(nats.errors.Error):
            for subject in request.told_on:
                await self.bus.nc.publish(subject, message)
