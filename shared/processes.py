"""What every long-running process of ours wants of its interpreter."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import NoReturn

COLLECTED_AFTER = (10_000, 1, 1)
"""Objects to a first collection, first ones to a second, second ones to a full one. What lived long and then died, as
workflows that leave the worker's cache, goes with a full one, and each object of it takes three microseconds: so many
that come seldom stop the worker for seconds."""


def spare_the_collector() -> None:
    """Call once everything is imported and connected: that much will live as long as the process.

    The garbage collector would otherwise go through all of it again and again, every 700 allocations.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


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


def leave(code: int = 0) -> NoReturn:
    """Exit, without the interpreter's own end where Temporal's client is loaded. For every process that soon ends.

    A thread of its library, on its way out of the very call that brought an answer, may still want the interpreter
    then, which aborts the process after its work is done (seen with temporalio 1.35, Python 3.11).

    Args:
        code: exit code of the process.
    """
    if "temporalio" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
