"""How many processors a deployment needs, by commands a second: ``python -m benchmarks.scale``.

A queueing model fed by ``results.json``: commands arrive at random (Poisson), and pass the stations below, each with a
number of processors that serve whoever came first. Service times are exponential with the measured means, which is
worse than what was measured. A station gets the fewest processors that keep it no busier than ``BUSIEST``; the
simulation then says what latency that gives, queues included. Networks, disks and locks are not in it, nor what a
command waits for besides processors.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results.json"
RATES: Final = (1, 100, 10_000)
"""Commands a second."""
BUSIEST: Final = 0.6
COMMANDS: Final = 20_000
PATH: Final = ("api", "temporal", "worker", "postgres", "worker", "temporal", "api")
"""The stations of a command until it is acknowledged; what a station costs is spread over its visits."""
AFTERWARDS: Final = ("nats", "search"), ("nats", "notifier")
"""What follows once a command is recorded: found by search, and mailed."""


@dataclass
class Station:
    """Processors that do one kind of work, first come, first served.

    Args:
        processors: how many.
        mean: seconds of a visit.
    """

    processors: int
    mean: float
    busy: int = 0
    spent: float = 0.0
    waiting: deque[Callable[[], None]] = field(default_factory=deque)


class Simulation:
    """Commands on their way through the stations.

    Args:
        rate: commands a second.
        processors: by station.
        costs: milliseconds of a command by station.
    """

    def __init__(self, rate: float, processors: Mapping[str, int], costs: Mapping[str, float]) -> None:
        self._rate = rate
        self._random = random.Random(1)
        self._count = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._now = 0.0
        visits = {name: max(1, PATH.count(name)) for name in costs}
        visits["nats"] = len(AFTERWARDS)
        self.stations = {name: Station(processors[name], cost / 1000 / visits[name]) for name, cost in costs.items()}
        self.acknowledged: list[float] = []
        """Seconds until the answer, queues included, by command."""
        self.told: list[float] = []
        """Seconds from the record to what follows."""

    def run(self, commands: int) -> None:
        """Let so many commands arrive, and work until all is done."""
        arrival = 0.0
        for _ in range(commands):
            arrival += self._random.expovariate(self._rate)
            self._at(arrival, self._arrive)
        while self._agenda:
            self._now, _, act = heapq.heappop(self._agenda)
            act()

    def busiest(self) -> float:
        """The share of its time for which the busiest station worked."""
        return max(station.spent / station.processors / self._now for station in self.stations.values())

    def _arrive(self) -> None:
        since = self._now

        def acknowledge() -> None:
            self.acknowledged.append(self._now - since)
            recorded = self._now
            for path in AFTERWARDS:
                self._visit(path, lambda: self.told.append(self._now - recorded))

        self._visit(PATH, acknowledge)

    def _visit(self, path: tuple[str, ...], done: Callable[[], None]) -> None:
        """Go through the stations of a path, one after the other."""
        if not path:
            done()
            return
        station = self.stations[path[0]]
        station.waiting.append(lambda: self._serve(station, lambda: self._visit(path[1:], done)))
        self._next(station)

    def _next(self, station: Station) -> None:
        if station.busy < station.processors and station.waiting:
            station.busy += 1
            station.waiting.popleft()()

    def _serve(self, station: Station, done: Callable[[], None]) -> None:
        seconds = self._random.expovariate(1 / station.mean)
        station.spent += seconds

        def finish() -> None:
            station.busy -= 1
            self._next(station)
            done()

        self._at(self._now + seconds, finish)

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (moment, next(self._count), act))


def measured_costs() -> dict[str, float]:
    """Milliseconds of processor time that a comment costs each part, from the latest ``make bench``."""
    figures: dict[str, float] = json.loads(RESULTS.read_text())["figures"]["commands"]
    prefix = "CPU ms a comment, ours, "
    costs = {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}
    return {name: cost for name, cost in costs.items() if name not in {"all", "caller"}}


def processors_for(rate: float, costs: Mapping[str, float]) -> dict[str, int]:
    """The fewest processors that keep each station no busier than ``BUSIEST``."""
    return {name: max(1, math.ceil(rate * cost / 1000 / BUSIEST)) for name, cost in costs.items()}


def main() -> None:
    """Print what each rate needs, and what a command then takes, as a table in Markdown."""
    costs = measured_costs()
    heads = ("commands/s", *costs, "all", "answer p50 ms", "answer p99 ms", "told p99 ms", "busiest")
    rows = [[f"{rate:,}", *_sized(rate, costs)] for rate in RATES]
    for row in (heads, ["---:"] * len(heads), *rows):
        print(f"| {' | '.join(row)} |")


def _sized(rate: float, costs: Mapping[str, float]) -> list[str]:
    processors = processors_for(rate, costs)
    simulation = Simulation(rate, processors, costs)
    simulation.run(COMMANDS)
    answers, told = (statistics.quantiles(each, n=100) for each in (simulation.acknowledged, simulation.told))
    times = [f"{each * 1000:.0f}" for each in (answers[49], answers[98], told[98])]
    return [*map(str, processors.values()), str(sum(processors.values())), *times, f"{simulation.busiest():.0%}"]


if __name__ == "__main__":
    main()
