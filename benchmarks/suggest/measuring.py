"""At which places suggestions are timed, of which methods, and one such measurement: a `Sample`.

The optimizer runs in a process and an environment of its own, as in `benchmarks.regret`; `driver` is that process.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.driving.driver import Driver
from benchmarks.problems import PROBLEMS, Config, Problem
from benchmarks.problems.problem import real
from benchmarks.regret.methods import METHODS
from benchmarks.suggest.driver import SUGGESTIONS

__all__ = ["OURS", "PEERS", "PLACES", "Place", "Sample", "measure"]

_DRIVER = Path(__file__).with_name("driver.py")
_SECONDS = 7200.0

OURS = ("neps", "random")
PEERS = ("optuna-gp", "optuna-tpe", "hebo", "smac-bb", "neps-0.17")
_MOST_RESULTS = {"hebo": 200, "smac-bb": 100, "neps-0.17": 200}
"""These need seconds for a suggestion, and are left out above."""


def _ackley(config: Config) -> float:
    x = np.array(list(config.values())) - 0.3
    return float(20.0 + np.e - 20.0 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(2.0 * np.pi * x))))


_PROBLEMS = {
    6: PROBLEMS["hartmann6"],
    20: PROBLEMS["levy20"],
    50: Problem("ackley50", tuple(real(f"x{index}", -5.0, 5.0) for index in range(50)), _ackley),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Suggestions in so many dimensions, after so many results; `ours_alone`: of our model-based method, no other."""

    dimensions: int
    results: int
    ours_alone: bool = False

    def has(self, method: str) -> bool:
        """Whether the method is timed here."""
        if self.ours_alone:
            return method == OURS[0]
        return self.results <= _MOST_RESULTS.get(method, self.results)


PLACES = (
    *(Place(6, results) for results in (20, 50, 100, 200, 500)),
    Place(6, 1000, ours_alone=True),
    Place(6, 2000, ours_alone=True),
    Place(20, 50),
    Place(50, 200, ours_alone=True),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """Consecutive suggestions of one process: processor and wall seconds of each."""

    method: str
    version: str
    place: Place
    round: int
    cpu: tuple[float, ...]
    wall: tuple[float, ...]

    @property
    def median_cpu(self) -> float:
        """Processor seconds of a suggestion."""
        return statistics.median(self.cpu)

    @property
    def median_wall(self) -> float:
        """Wall seconds of a suggestion."""
        return statistics.median(self.wall)

    def line(self) -> str:
        """As JSON, with 4 significant digits."""
        fields = {
            "method": self.method,
            "version": self.version,
            "dimensions": self.place.dimensions,
            "results": self.place.results,
            "round": self.round,
            "cpu": [float(f"{seconds:.4g}") for seconds in self.cpu],
            "wall": [float(f"{seconds:.4g}") for seconds in self.wall],
        }
        return json.dumps(fields) + "\n"


def measure(method: str, version: str, place: Place, number: int) -> Sample:
    """Time the suggestions of a fresh process in round `number`, which is also the seed of points and optimizer.

    Raises:
        RunFailed: if the process fails.
    """
    problem = _PROBLEMS[place.dimensions]
    count = place.results + SUGGESTIONS
    cpu, wall = list[float](), list[float]()
    with Driver(dataclasses.replace(METHODS[method], driver=str(_DRIVER)), threading.Event(), _SECONDS) as driver:
        driver.send({"space": problem.space, "seed": number, "evaluations": count})
        for _ in range(count):
            began = time.perf_counter()
            message = driver.receive()
            wall.append(time.perf_counter() - began)
            cpu.append(float(message["cpu"]))
            driver.send({"loss": problem.value(message["evaluate"]), "cost": 1.0})
        driver.finish()
    first = place.results + 1
    return Sample(method, version, place, number, tuple(cpu[first:]), tuple(wall[first:]))
