"""A run in memory, driven from outside, and simulated workers whose evaluations take random times."""

from __future__ import annotations

import dataclasses
import heapq
from types import MappingProxyType

import numpy as np

from benchmarks.decisions.utilisation import utilisation
from neps._budget import Budget
from neps._fidelity import Brackets, FidelityStep
from neps._history import History
from neps._trial import Trial
from neps.samplers import Sampler
from neps.samplers._protocol import Suggestion
from neps.samplers._registry import resolve
from neps.space import Float, Integer, SearchSpace
from neps.testing.simulation import decided, ended, generator_for

__all__ = ["SPACE", "Pool", "simulated"]

SPACE = SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 81, is_fidelity=True)})


@dataclasses.dataclass
class Pool:
    """A run, driven from outside: `decide` the next trial, `end` one that runs."""

    sampler: Sampler
    seed: int = 0
    trials: dict[int, Trial] = dataclasses.field(default_factory=dict)
    brackets: Brackets = dataclasses.field(default_factory=Brackets)

    def history(self, *, kept_up: bool = True) -> History:
        """As a worker makes it for a decision; or without what it keeps up."""
        return History(SPACE, MappingProxyType(self.trials), self.seed, self.brackets if kept_up else None)

    def decide(self) -> Trial | None:
        """The next trial, which now runs; None where the sampler waits."""
        number = len(self.trials) + 1
        answer = self.sampler.decide(self.history(), number, Budget(), generator_for(self.seed, number))
        if not isinstance(answer, Suggestion):
            return None
        self._know(decided(SPACE, number, answer))
        return self.trials[number]

    def end(self, number: int) -> None:
        """Its loss depends on the configuration, and less on luck the higher its fidelity is."""
        trial, luck = self.trials[number], generator_for(self.seed, number).normal()
        x = trial.config["x"]
        distance = abs(x - 0.3) if isinstance(x, float) else 0.0
        self._know(ended(trial, distance + 0.1 * luck / (trial.fidelity or 1)))

    def width(self, trial: Trial) -> float:
        """The fidelity that it runs."""
        step = FidelityStep.of(trial.decision, self.trials)
        return float(step.width) if step is not None else 0.0

    def _know(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        self.brackets.seen(trial)


def simulated(searcher: str, workers: int, evaluations: int, seed: int = 0) -> tuple[float, int]:
    """The utilisation until the last trial has begun, and how often a worker found nothing to do.

    An evaluation takes as long as the fidelity that it runs, times a random number with mean 1 (exponential).
    """
    random, pool = np.random.default_rng(seed), Pool(resolve(searcher, SPACE, {}), seed)
    running: list[tuple[float, int]] = []
    spans: list[tuple[float, float]] = []
    now, idle = 0.0, 0
    while len(pool.trials) < evaluations:
        trial = pool.decide() if len(running) < workers else None
        if trial is not None:
            spans.append((now, now + random.exponential() * pool.width(trial)))
            heapq.heappush(running, (spans[-1][1], trial.number))
        else:
            idle += len(running) < workers
            now, number = heapq.heappop(running)
            pool.end(number)
    return utilisation(spans, workers, 0.0, now), idle
