"""How much garbage the processes of ours leave lying."""

from __future__ import annotations

import subprocess
import sys

_EVICTING = """
from collections import deque
from shared.processes import spare_the_collector

class Workflow:
    alive = most = 0

    def __init__(self):
        self.parts = [[self] for _ in range(400)]
        Workflow.alive += 1
        Workflow.most = max(Workflow.most, Workflow.alive)

    def __del__(self):
        Workflow.alive -= 1

spare_the_collector()
cached = deque(maxlen=2_000)
for _ in range(12_000):
    cached.append(Workflow())
print(Workflow.most)
"""


def test_workflows_that_left_the_cache_leave_the_memory_before_they_are_as_many_as_those_in_it() -> None:
    done = subprocess.run([sys.executable, "-c", _EVICTING], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 2_000 * 2
