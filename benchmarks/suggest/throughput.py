"""How many suggestions a second workers make together: real processes of `neps.run` that share a directory.

The objective returns at once, so that a worker does nothing but decide, write, and read what the others have written.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import neps
from benchmarks.coordination.meeting import crowd, meet, meeting
from benchmarks.problems import PROBLEMS
from benchmarks.simulated.running import space_of
from neps.samplers import Sampler
from neps.samplers._drawing.initial_design import is_initial

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.samplers import Done, Suggestion, Wait

__all__ = ["Lap", "Turn", "measure", "take_turn"]

_PROBLEM = PROBLEMS["hartmann6"]
_WARM_UP = 3
"""Trials of each worker before the clock runs: right after they meet all decide the same, and all but one anew."""
_PRELOAD = ("benchmarks.suggest.throughput", "neps._api.run", "neps.samplers._model_based.proposal")


@dataclasses.dataclass(frozen=True, slots=True)
class Lap:
    """A worker evaluates: when, by the clock that all share, and what it has spent until then, in seconds."""

    clock: float
    processor: float
    deciding: float
    decisions: int


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What so many workers did together.

    `rate` is suggestions a second. A suggestion took `cost` processor seconds, its files included, and `effort`
    decisions: more than one where another worker decided the same first, so that it had to be decided anew. `share` is
    the part of their time that workers decided; the rest is files, and waiting for each other.
    """

    workers: int
    rate: float
    cost: float
    effort: float
    share: float

    @classmethod
    def of(cls, workers: Sequence[Sequence[Lap]], suggestions: int) -> Turn:
        """From the laps of each worker, of which the last `suggestions` count."""
        clocks = sorted(lap.clock for laps in workers for lap in laps)
        begin, end = clocks[-suggestions - 1], clocks[-1]
        counted = [[lap for lap in laps if lap.clock >= begin] for laps in workers]
        spans = [(laps[0], laps[-1], len(laps) - 1) for laps in counted if laps]
        evaluations = sum(number for *_, number in spans)
        return cls(
            len(workers),
            rate=suggestions / (end - begin),
            cost=sum(last.processor - first.processor for first, last, _ in spans) / evaluations,
            effort=sum(last.decisions - first.decisions for first, last, _ in spans) / evaluations,
            share=sum(last.deciding - first.deciding for first, last, _ in spans)
            / sum(last.clock - first.clock for first, last, _ in spans),
        )

    @property
    def cores(self) -> float:
        """How many cores the workers had, on average."""
        return self.rate * self.cost


class _Counting(Sampler):
    """Decides as Bayesian optimization does, and counts; one in a process."""

    tolerates_stale_history: ClassVar[bool] = True
    decisions: ClassVar = 0
    seconds: ClassVar = 0.0

    def __init__(self, searcher: Sampler) -> None:
        self._searcher = searcher

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return self._searcher.settings()

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Wait | Done:
        """See `Sampler.decide`."""
        began = time.perf_counter()
        answer = self._searcher.decide(history, number, budget, generator)
        _Counting.seconds += time.perf_counter() - began
        _Counting.decisions += 1
        return answer


def measure(workers: Sequence[int], rounds: int, known: int, suggestions: int) -> list[list[Turn]]:
    """By round, a turn of each number of workers; in an order that rotates."""
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        root = Path(folder) / "known"
        _run(_objective, root, known, known)
        orders = ([*workers[first:], *workers[:first]] for first in (number % len(workers) for number in range(rounds)))
        return [[take_turn(root, count, known, suggestions) for count in order] for order in orders]


def take_turn(root: Path, workers: int, known: int, suggestions: int) -> Turn:
    """Let so many workers go on with a copy of a run that has `known` results.

    Raises:
        RuntimeError: if a trial is missing, or belongs to the initial design.
    """
    expected = _WARM_UP * workers + suggestions
    copy = root.with_name(f"{root.name}-{workers}")
    shutil.copytree(root, copy)
    with crowd(workers, preload=_PRELOAD) as pool:
        laps = list(pool.map(_work, *zip(*[(copy, known, known + expected)] * workers, strict=True)))
    made = [trial for trial in neps.load(copy).trials if trial.succeeded and trial.number > known]
    shutil.rmtree(copy)
    if len(made) != expected or any(map(is_initial, made)):
        message = f"{workers} workers made {len(made)} trials, not {expected}, or not all by a model."
        raise RuntimeError(message)
    print(f"workers: {workers}, suggestions: {suggestions}", file=sys.stderr, flush=True)
    return Turn.of(laps, suggestions)


def _work(root: Path, known: int, total: int) -> list[Lap]:
    """What each worker does; all meet in their first evaluations."""
    laps = list[Lap]()

    def objective(**config: float) -> float:
        if not laps:
            meet()
        laps.append(Lap(time.monotonic(), time.process_time(), _Counting.seconds, _Counting.decisions))
        return _PROBLEM.value(config)

    with meeting():
        _run(objective, root, known, total)
    return laps


def _objective(**config: float) -> float:
    return _PROBLEM.value(config)


def _run(objective: Callable[..., float], root: Path, known: int, total: int) -> None:
    """The initial design is what is known at the beginning."""
    neps.run(
        objective,
        root,
        space_of(_PROBLEM.space),
        searcher="bayesian_optimization",
        initial_design_size=known,
        max_evaluations_total=total,
        pre_load_hooks=[_Counting],
        seed=0,
        progress=False,
        post_run_summary=False,
    )
