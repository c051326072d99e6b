"""A worker in a process of its own, which says at its end when, and at what cost, each evaluation began.

`python -m benchmarks.coordination.worker ROOT TRIALS` prints one line of JSON. Called by the modules that measure
a single worker; `Worker` is their side of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["HEAVY", "MARK", "REPOSITORY", "Report", "Started", "start"]

MARK = "/neps-benchmark-mark"
"""A path that isn't there: looking for it marks the beginning and end of each evaluation in a system call trace."""
HEAVY = ("matplotlib", "pandas", "rich", "scipy", "torch")
"""What a random-search worker must not load."""
REPOSITORY = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a worker says. Times are of the monotonic clock, which all processes share; sizes in MB."""

    walls: list[float]
    cpus: list[float]
    resident: float
    peak: float
    heavy: list[str]

    def cpu_milliseconds(self, warm_up: int) -> list[float]:
        """The processor time of each trial, from one call of the objective to the next."""
        return _differences(self.cpus[warm_up:])

    def wall_milliseconds(self, warm_up: int) -> list[float]:
        """The time of each trial, from one call of the objective to the next."""
        return _differences(self.walls[warm_up:])


def _differences(seconds: Sequence[float]) -> list[float]:
    return [1e3 * (after - before) for before, after in itertools.pairwise(seconds)]


class Started:
    """A worker that was started at the monotonic time `began`."""

    def __init__(self, process: subprocess.Popen[str], began: float) -> None:
        self._process, self.began = process, began

    def report(self) -> Report:
        """Wait for its end."""
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            message = f"a worker ended with {self._process.returncode}: {self._process.args!r}"
            raise RuntimeError(message)
        return Report(**json.loads(output))


def start(root: Path, trials: int, *options: str, prefix: Sequence[str] = ()) -> Started:
    """Start a worker that evaluates so many trials; `prefix` is a command to run it under."""
    command = [*prefix, sys.executable, "-m", __name__, str(root), str(trials), *options]
    began = time.monotonic()
    return Started(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY), began)


class _Objective:
    """Does nothing but take the time. Its first call waits until `together` workers have come to theirs."""

    def __init__(self, meeting: Path | None, together: int) -> None:
        self._meeting, self._together = meeting, together
        self.walls: list[float] = []
        self.cpus: list[float] = []

    def __call__(self, a: float, b: float, c: float, d: float) -> dict[str, float]:  # noqa: ARG002
        if not self.walls and self._meeting is not None:
            (self._meeting / str(os.getpid())).touch()
            while len(list(self._meeting.iterdir())) < self._together:
                time.sleep(0.005)
        os.access(MARK, os.F_OK)
        self.walls.append(time.monotonic())
        self.cpus.append(time.process_time())
        os.access(MARK, os.F_OK)
        return {"loss": 0.0, "cost": 1.0}


def _megabytes(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    return float("nan")


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("trials", type=int)
    parser.add_argument("--ordered", action="store_true", help="with a budget of costs, which decides in turn")
    parser.add_argument("--not-durable", action="store_true", help="fsync does nothing: to make a long run quickly")
    parser.add_argument("--meeting", type=Path, help="a folder in which the workers of a crowd wait for each other")
    parser.add_argument("--together", type=int, default=1, help="how many they are")
    options = parser.parse_args()
    if options.not_durable:
        os.fsync = lambda fd: None  # noqa: ARG005

    import neps

    objective = _Objective(options.meeting, options.together)
    neps.run(
        objective,
        options.root,
        {name: neps.Float(0, 1) for name in ("a", "b", "c", "d")},
        searcher="random_search",
        max_evaluations_per_run=options.trials,
        max_cost_total=1e9 if options.ordered else None,
        progress=False,
        post_run_summary=False,
    )
    resident, peak = _megabytes("VmRSS"), _megabytes("VmHWM")
    heavy = [name for name in HEAVY if name in sys.modules]
    print(json.dumps(dataclasses.asdict(Report(objective.walls, objective.cpus, resident, peak, heavy))))


if __name__ == "__main__":
    _main()
