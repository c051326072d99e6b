"""Runs W of neps's own workers in virtual time, and counts what they do. One process, one root in memory.

Real: the worker's loop, its claims, its view, what it reads and publishes, its heartbeat's touches. Simulated: the
time, the server, the evaluations, which sleep, and the heartbeat's thread, whose touches the evaluation makes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import math
import tempfile
import time
from collections.abc import Callable
from typing import Any, TypeVar

from benchmarks.workers.scheduling import Clock
from benchmarks.workers.virtual_files import Server
from neps._api.defining import Proposal
from neps._budget import Budget
from neps._evaluation import Signals
from neps._ledger import touching
from neps._ledger.claims import Hold
from neps._ledger.definition import find_definition, publish_definition
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.opening import OpenedRun
from neps._trial import Decision
from neps._worker import claiming as claiming_module
from neps._worker.loop import Worker
from neps._worker.session import prepare
from neps._worker.settings import Settings
from neps.space import SearchSpace

__all__ = ["Outcome", "Scene", "simulate"]

_T = TypeVar("_T")
_MEMORY = "/dev/shm"  # noqa: S108 - files of the simulation, none of which must last


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """What is simulated.

    Args:
        workers: how many, each on a host of its own.
        trials: of the run.
        seconds: that an evaluation lasts; spread by a fifth.
        searcher: its name and settings.
        space: the search space.
        deciding: seconds that a decision takes.
        latency: seconds until the server has answered.
        cache: seconds for which a client believes attributes and absences.
        absences: whether it believes absences at all.
        lease: the run's lease_seconds.
        wait_for_all: whether workers stay until all trials have ended.
        apart: seconds over which the workers start.
        until: when all of it ends, whatever goes on.
    """

    workers: int
    trials: int
    seconds: float
    searcher: str
    space: SearchSpace
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    deciding: float = 0.0
    latency: float = 0.005
    cache: float = 30.0
    absences: bool = True
    lease: float = 120.0
    wait_for_all: bool = False
    apart: float = 0.0
    until: float = math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it.

    `claims`: when each trial was claimed; `decided` how many decisions were made for them. `calls` and `asked` are
    counts of system calls on the root and of those that the server answered. `peak`: the most requests in one second.
    `ended`: when the last worker left.
    """

    scene: Scene
    claims: list[float]
    decided: int
    calls: int
    asked: int
    peak: int
    ended: float
    by_call: dict[str, int]


class _Heart:
    """Stands for `Heartbeat`: what it would do in a thread of its own, the sleeping activity does when it is due."""

    def __init__(self, clock: Clock, lease: float) -> None:
        self._clock, self._period = clock, lease / 3
        self._held: tuple[touching.Lock, Callable[[], object]] | None = None
        self._due = math.inf
        self._since = 0.0

    def expect(self) -> None: ...

    def beat(self) -> None: ...

    def stop(self) -> None: ...

    def held_for(self) -> float:
        return self._clock.now - self._since

    def while_opening(self, _: Hold, begin: Callable[[], _T | None]) -> _T | None:
        return begin()

    def hold(self, hold: Hold, _: Callable[[], object], on_beat: Callable[[], object] = lambda: None) -> None:
        self._held, self._since = (hold.lock(), on_beat), self._clock.now
        self._due = self._clock.now + self._period

    def release(self) -> None:
        self._held = None

    def sleep(self, seconds: float) -> None:
        """Sleep, and beat whenever that is due."""
        until = self._clock.now + seconds
        while self._held is not None and self._due <= until:
            self._clock.sleep(self._due - self._clock.now)
            lock, on_beat = self._held
            touching.touch(lock)
            on_beat()
            self._due = self._clock.now + self._period
        self._clock.sleep(until - self._clock.now)


class _Signals(Signals):
    """None comes; waiting takes virtual time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def simulate(scene: Scene) -> Outcome:
    """Run it to its end."""
    clock, claims, decided = Clock(scene.until), [], []
    with tempfile.TemporaryDirectory(prefix="workers-", dir=_MEMORY) as folder, _quiet():
        server = Server(folder, clock, latency=scene.latency, cache=scene.cache, absences=scene.absences)
        proposal = Proposal(
            root=folder,
            space=scene.space,
            searcher=scene.searcher,
            searcher_settings=scene.settings,
            seed=1,
            lease_seconds=scene.lease,
        )
        publish_definition(folder, proposal.define(None), "definition")

        def work(index: int) -> None:
            clock.sleep(scene.apart * index / scene.workers)
            definition = find_definition(folder)
            assert definition is not None  # noqa: S101
            me = dataclasses.replace(Identity.mine(), worker=f"w-{index}-00000000", host=f"h{index}", boot=str(index))
            heart = _Heart(clock, scene.lease)
            opened = OpenedRun(Layout(folder, definition.run), me, definition, heart, new=False)  # type: ignore[arg-type]
            settings = Settings(budget=Budget(max_evaluations_total=scene.trials), wait_for_all=scene.wait_for_all)
            context = prepare(opened, scene.space, proposal.sampler_for(definition), settings)
            context = dataclasses.replace(context, signals=_Signals(clock))

            def evaluate(**config: float) -> float:
                claims.append(clock.now)
                heart.sleep(scene.seconds * (1 + 0.2 * math.sin(1e3 * claims[-1] + index)))
                return sum(float(value) for value in config.values())

            Worker(context, evaluate).work()

        def count(original: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any, **options: Any) -> Any:
                answer = original(*arguments, **options)
                if isinstance(answer, Decision):
                    decided.append(clock.now)
                    clock.sleep(scene.deciding)
                return answer

            return counted

        claiming: Any = claiming_module
        decide = claiming.decide
        claiming.decide = count(decide)
        try:
            with server.installed():
                clock.run([lambda index=index: work(index) for index in range(scene.workers)])  # type: ignore[misc]
        finally:
            claiming.decide = decide
    return Outcome(
        scene=scene,
        claims=sorted(claims),
        decided=len(decided),
        calls=sum(server.calls.values()),
        asked=sum(server.asked.values()),
        peak=_peak(server.times),
        ended=clock.now,
        by_call=dict(server.asked),
    )


def _peak(times: list[float]) -> int:
    seconds: dict[int, int] = {}
    for moment in times:
        seconds[int(moment)] = seconds.get(int(moment), 0) + 1
    return max(seconds.values(), default=0)


@contextlib.contextmanager
def _quiet() -> Any:
    """No log records, and no garbage collection of a thousand stacks in between."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.collect()
    began = time.monotonic()
    try:
        yield began
    finally:
        logging.disable(before)
