"""Many runs: which are missing, in which order they are made, several at once if asked, and a clean end at any time.

Called by the command lines of benchmarks, which say how one run goes.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import Generic, Protocol, TypeVar

from benchmarks.driving.driver import Driver, OutOfTime, Program, RunFailed, StopRequested, version_of
from benchmarks.driving.environments import Unavailable
from benchmarks.driving.results import Key, Recorded, Results

__all__ = ["Campaign", "Named", "Planned", "Request", "requests"]


class Named(Protocol):
    """A problem, whatever else it is."""

    @property
    def name(self) -> str:
        """Unique among all problems."""


class Planned(Program, Protocol):
    """A method, and how much of it is run by default."""

    @property
    def seeds(self) -> int:
        """How many runs of each problem."""

    @property
    def evaluations(self) -> int:
        """Of each run, at least."""


_Problem = TypeVar("_Problem", bound=Named)
_Method = TypeVar("_Method", bound=Planned)
_Record = TypeVar("_Record", bound=Recorded)


@dataclasses.dataclass(frozen=True, slots=True)
class Request(Generic[_Problem, _Method]):
    """A run that is wanted, of at least so many evaluations."""

    problem: _Problem
    method: _Method
    seed: int
    evaluations: int

    def __str__(self) -> str:
        return f"{self.problem.name}, seed {self.seed}, {self.method.name}"


def requests(
    methods: Sequence[_Method], problems: Sequence[_Problem], seeds: Sequence[int] | None, evaluations: int | None
) -> list[Request[_Problem, _Method]]:
    """Seeds in the outer loop, so that stopping early leaves balanced results. None: as each method has by default."""
    every = range(max(method.seeds for method in methods)) if seeds is None else seeds
    return [
        Request(problem, method, seed, evaluations or method.evaluations)
        for seed in every
        for problem in problems
        for method in methods
        if seeds is not None or seed < method.seeds
    ]


class Campaign(Generic[_Problem, _Method, _Record]):
    """Makes the requested runs that are not recorded.

    Args:
        results: where records are looked up and added.
        perform: makes a run with a driver that has been started, and returns its record.
        jobs: how many runs at once.
        run_seconds: after which a run is killed.
        seconds: after which no further run is started.
    """

    def __init__(
        self,
        results: Results[_Record],
        perform: Callable[[Request[_Problem, _Method], Driver], _Record],
        *,
        jobs: int,
        run_seconds: float,
        seconds: float,
    ) -> None:
        self._results, self._make, self._jobs, self._run_seconds = results, perform, jobs, run_seconds
        self._deadline = time.monotonic() + seconds
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._slow = set[tuple[str, str]]()
        self.made = 0
        self.failures: list[str] = []
        self.stopped = False

    def run(self, wanted: Iterable[Request[_Problem, _Method]]) -> None:
        """Make the runs; return when all are made, the time is over, or SIGINT or SIGTERM came."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            missing = self._missing(wanted)
            print(f"{len(missing)} runs are missing.", flush=True)
            source = enumerate(missing, start=1)
            threads = [threading.Thread(target=self._work, args=(source, len(missing))) for _ in range(self._jobs)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except StopRequested:
            pass
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self.stopped = True
        self._stop.set()

    def _missing(self, wanted: Iterable[Request[_Problem, _Method]]) -> list[Request[_Problem, _Method]]:
        """Those that are not recorded in the version that is installed, of the methods that can be started."""
        wanted = list(wanted)
        versions, recorded = dict[str, str](), dict[Key, int]()
        for method in {request.method.name: request.method for request in wanted}.values():
            try:
                versions[method.name] = version_of(method, self._stop)
            except (RunFailed, Unavailable) as failure:
                self._report(f"{method.name} cannot be started: {failure}")
            recorded |= {record.key: record.evaluations for record in self._results.read(method.name)}
        return [
            request
            for request in wanted
            if (version := versions.get(request.method.name)) is not None
            and recorded.get(_key(request, version), 0) < request.evaluations
        ]

    def _work(self, source: Iterator[tuple[int, Request[_Problem, _Method]]], total: int) -> None:
        while not self._stop.is_set() and time.monotonic() < self._deadline:
            with self._lock:
                number, request = next(source, (0, None))
            if request is None:
                return
            self._attempt(request, f"[{number}/{total}] {request}")

    def _attempt(self, request: Request[_Problem, _Method], title: str) -> None:
        """Make and record a run, or report why there is none."""
        place = (request.problem.name, request.method.name)
        if place in self._slow:
            self._report(f"{title}: not started, since another seed ran out of time")
            return
        try:
            record = self._perform(request)
        except StopRequested:
            return
        except OutOfTime as failure:
            self._slow.add(place)
            self._report(f"{title}: {failure}")
        except Exception as failure:  # noqa: BLE001 - one run that fails, however it does, doesn't end hours of others
            self._report(f"{title}: {failure if isinstance(failure, RunFailed) else repr(failure)}")
        else:
            self._note(record, title)

    def _perform(self, request: Request[_Problem, _Method]) -> _Record | None:
        """The record of a run; None if another process has made it in the meantime."""
        with Driver(request.method, self._stop, self._run_seconds) as driver:
            if self._results.has(_key(request, driver.version), request.evaluations):
                return None
            record = self._make(request, driver)
        self._results.add(record)
        return record

    def _note(self, record: _Record | None, title: str) -> None:
        if record is None:
            print(f"{title}: recorded by another process", flush=True)
            return
        self.made += 1
        print(f"{title}: {record.summary}, {sum(record.cpu):.1f} s of CPU", flush=True)

    def _report(self, failure: str) -> None:
        print(f"FAILED {failure}", flush=True)
        self.failures.append(failure)


def _key(request: Request[_Problem, _Method], version: str) -> Key:
    return Key(request.problem.name, request.method.name, version, request.seed)
