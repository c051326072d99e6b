"""Who is ahead of whom: ranks of methods that ran on the same problems and seeds, and how sure they are.

Numbers only. Called by `tables` and `plots`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from scipy.stats import rankdata

from benchmarks.regret.study import Array

__all__ = ["Curves", "Ranking"]

_SAMPLES = 2000
_CONFIDENCE = 0.95


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Problem = TypeVar("_Problem", bound=_Named)
_Method = TypeVar("_Method")
_Method_contra = TypeVar("_Method_contra", contravariant=True)


class Curves(Protocol[_Problem, _Method_contra]):
    """What a `Study` knows: regrets by evaluation, or by another measure of what was spent."""

    @property
    def problems(self) -> Sequence[_Problem]:
        """Those that were minimised."""

    def seeds(self, problem: _Problem, method: _Method_contra, evaluations: int, /) -> list[int]:
        """Of the runs that are so long."""

    def shared_seeds(self, problem: _Problem, methods: Sequence[_Method_contra], evaluations: int, /) -> list[int]:
        """The seeds that each of the methods has."""

    def regrets(self, problem: _Problem, method: _Method_contra, seeds: Sequence[int], evaluations: int, /) -> Array:
        """Of the incumbents, [seeds, evaluations]."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking(Generic[_Problem, _Method]):
    """The ranks of methods on each problem where they share seeds. 1 is best; ties share the mean of their ranks.

    `ranks` holds an array [seeds, evaluations, methods] for each problem.
    """

    methods: Sequence[_Method]
    problems: Sequence[_Problem]
    ranks: Sequence[Array]

    @classmethod
    def of(cls, study: Curves[_Problem, _Method], methods: Sequence[_Method], evaluations: int) -> Self:
        """Rank the methods that have any run of so many evaluations, wherever all of these have one."""
        present = [
            method for method in methods if any(study.seeds(problem, method, evaluations) for problem in study.problems)
        ]
        shared = {problem.name: _shared(study, problem, present, evaluations) for problem in study.problems}
        problems = [problem for problem in study.problems if shared[problem.name]]
        return cls(
            present,
            problems,
            [_ranks(study, problem, present, shared[problem.name], evaluations) for problem in problems],
        )

    def seeds(self) -> list[int]:
        """How many seeds there are for each problem."""
        return [len(ranks) for ranks in self.ranks]

    def mean(self) -> Array:
        """Over seeds, then over problems: [evaluations, methods]."""
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


def _shared(
    study: Curves[_Problem, _Method], problem: _Problem, methods: Sequence[_Method], evaluations: int
) -> list[int]:
    return study.shared_seeds(problem, methods, evaluations) if methods else []


def _ranks(
    study: Curves[_Problem, _Method],
    problem: _Problem,
    methods: Sequence[_Method],
    seeds: Sequence[int],
    evaluations: int,
) -> Array:
    regrets = [study.regrets(problem, method, seeds, evaluations) for method in methods]
    return np.asarray(rankdata(np.stack(regrets, axis=-1), axis=-1))


def _mean_of_redrawn(ranks: Array, generator: np.random.Generator) -> Array:
    """The mean over seeds that are drawn with replacement, by the number of times that each is drawn."""
    seeds = len(ranks)
    times = np.bincount(generator.integers(seeds, size=seeds), minlength=seeds)
    return np.tensordot(times / seeds, ranks, axes=1)
