"""What every long-running process of ours wants of its interpreter."""

from __future__ import annotations

import asyncio
import gc
import signal

ALLOCATIONS_PER_COLLECTION = 50_000
YOUNG_PER_MIDDLE, MIDDLE_PER_FULL = 10, 1
"""What lived long and then died, as workflows that leave the worker's cache, goes with a full collection alone. Twenty
times as rare, each of these had a gigabyte to clear away after fifty thousand workflows, and stopped the worker for
seconds; this often, it has tens of megabytes."""


def spare_the_collector() -> None:
    """Call once everything is imported and connected: that much will live as long as the process.

    The garbage collector would otherwise go through all of it again and again, every 700 allocations.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION, YOUNG_PER_MIDDLE, MIDDLE_PER_FULL)


def stop_if_cancelled() -> None:
    """End this task if it was cancelled and has not noticed. For endless loops that wait for NATS or a mail server.

    Before Python 3.12 ``asyncio.wait_for``, which their clients wait with, swallows a cancellation that comes together
    with the answer.

    Raises:
        asyncio.CancelledError: it was.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def set_by_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, for a service to stop in its own order. Call inside the event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
