"""Processes that an earlier supervisor of the same data directory left behind."""

from __future__ import annotations

import signal
from collections.abc import Iterable

import psutil

from services.local.part import Part

_PATIENCE = 5.0


def end_leftovers(parts: Iterable[Part]) -> list[str]:
    """End what still runs with the command line of one of these parts.

    Call it only while holding the data directory's lock. Command lines hold the directory, so that a process number
    which has gone to another program, or another stack's process, is never touched.

    Returns:
        The names of the parts that were ended.
    """
    found: list[tuple[Part, psutil.Process]] = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        found += [(part, process) for part in parts if command[: len(part.identity)] == part.identity]
    for part, process in found:
        _signal(process, part.stop_signal)
    _, alive = psutil.wait_procs([process for _, process in found], timeout=_PATIENCE)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_PATIENCE)
    return [part.name for part, _ in found]


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
