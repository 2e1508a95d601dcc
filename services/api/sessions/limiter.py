"""How often a log-in may be tried."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable


class AttemptLimiter:
    """Counts failures in this process; the oldest keys are forgotten when there are too many.

    Args:
        attempts: failures allowed within the period.
        period: seconds.
        clock: seconds that only grow.
    """

    def __init__(
        self, attempts: int = 10, period: float = 300.0, clock: Callable[[], float] = time.monotonic, keys: int = 10_000
    ) -> None:
        self._attempts = attempts
        self._period = period
        self._clock = clock
        self._keys = keys
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until the next attempt is allowed; 0 if it is now."""
        failures = self._failures.get(key, deque())
        while failures and failures[0] <= self._clock() - self._period:
            failures.popleft()
        return failures[0] + self._period - self._clock() if len(failures) >= self._attempts else 0.0

    def failed(self, key: str) -> None:
        """Note a failure."""
        self._failures.setdefault(key, deque(maxlen=self._attempts)).append(self._clock())
        self._failures.move_to_end(key)
        if len(self._failures) > self._keys:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)
