"""Loopback ports for the embedded servers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"

# Below the range from which systems take ports for outgoing connections: none of those can take a port of ours while
# its server is being restarted.
_FIRST, _END = 20_000, 32_000
_BLOCK = 16


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_ports(names: Iterable[str], kept: dict[str, int]) -> dict[str, int]:
    """Give each name a free port.

    Args:
        names: what needs a port.
        kept: ports of earlier starts, used again where still free.

    Returns:
        Name to port. Two stacks that start at the same moment look in blocks of their own, by process id.
    """
    wanted = list(names)
    chosen = {name: kept[name] for name in wanted if name in kept and is_free(kept[name])}
    size = _END - _FIRST
    offset = os.getpid() * _BLOCK % size
    candidates = (_FIRST + (offset + step) % size for step in range(size))
    free = (port for port in candidates if port not in chosen.values() and is_free(port))
    return {name: chosen[name] if name in chosen else next(free) for name in wanted}
