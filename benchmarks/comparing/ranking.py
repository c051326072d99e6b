"""Who is ahead of whom: ranks of methods that ran on the same problems and seeds, and how sure they are.

Numbers only. Called by `tables` and `plots`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np
from scipy.stats import rankdata

from benchmarks.comparing.methods import Method
from benchmarks.comparing.study import Array, Judged, Study

__all__ = ["Ranking"]

_SAMPLES = 2000
_CONFIDENCE = 0.95

_Problem = TypeVar("_Problem", bound=Judged)


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking(Generic[_Problem]):
    """The ranks of methods on each problem where they share seeds. 1 is best; ties share the mean of their ranks.

    `ranks` holds an array [seeds, steps, methods] for each problem.
    """

    methods: Sequence[Method]
    problems: Sequence[_Problem]
    ranks: Sequence[Array]

    @classmethod
    def of(cls, study: Study[_Problem, Any], methods: Sequence[Method], steps: int) -> Self:
        """Rank the methods that have any run of so many steps, wherever all of these have one."""
        present = [
            method for method in methods if any(study.seeds(problem, method, steps) for problem in study.problems)
        ]
        shared = {problem.name: _shared(study, problem, present, steps) for problem in study.problems}
        problems = [problem for problem in study.problems if shared[problem.name]]
        return cls(
            present,
            problems,
            [_ranks(study, problem, present, shared[problem.name], steps) for problem in problems],
        )

    def seeds(self) -> list[int]:
        """How many seeds there are for each problem."""
        return [len(ranks) for ranks in self.ranks]

    def mean(self) -> Array:
        """Over seeds, then over problems: [steps, methods]."""
        return np.asarray(np.mean([ranks.mean(axis=0) for ranks in self.ranks], axis=0))

    def interval(self) -> tuple[Array, Array]:
        """The ends of the 95 % bootstrap interval of `mean`: problems are redrawn, and for each of these its seeds."""
        generator = np.random.default_rng(0)
        means = np.stack([self._redrawn(generator) for _ in range(_SAMPLES)])
        low, high = np.quantile(means, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2], axis=0)
        return np.asarray(low), np.asarray(high)

    def _redrawn(self, generator: np.random.Generator) -> Array:
        drawn = (self.ranks[index] for index in generator.integers(len(self.ranks), size=len(self.ranks)))
        return np.asarray(np.mean([_mean_of_redrawn(ranks, generator) for ranks in drawn], axis=0))


def _shared(study: Study[_Problem, Any], problem: _Problem, methods: Sequence[Method], steps: int) -> list[int]:
    return study.shared_seeds(problem, methods, steps) if methods else []


def _ranks(
    study: Study[_Problem, Any],
    problem: _Problem,
    methods: Sequence[Method],
    seeds: Sequence[int],
    steps: int,
) -> Array:
    regrets = [study.regrets(problem, method, seeds, steps) for method in methods]
    return np.asarray(rankdata(np.stack(regrets, axis=-1), axis=-1))


def _mean_of_redrawn(ranks: Array, generator: np.random.Generator) -> Array:
    """The mean over seeds that are drawn with replacement, by the number of times that each is drawn."""
    seeds = len(ranks)
    times = np.bincount(generator.integers(seeds, size=seeds), minlength=seeds)
    return np.tensordot(times / seeds, ranks, axes=1)
