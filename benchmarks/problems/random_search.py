"""What random search finds, known exactly where all that it can observe is listed. Called by tables of trainings."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from typing import Self

import numpy as np
import numpy.typing as npt

from benchmarks.problems.problem import Param, Problem, placed

__all__ = ["Draws", "sampled", "with_draws"]

Array = npt.NDArray[np.float64]

_SAMPLES = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """All that a random evaluation may come to.

    Args:
        observed: the losses that it may observe, (n,).
        values: without noise, what is then found, (n,).
        chances: of each, (n,); their sum is 1.
    """

    observed: Array
    values: Array
    chances: Array

    @classmethod
    def of(cls, problem: Problem, samples: int = _SAMPLES) -> Self:
        """So many random configurations of a problem that is too large to list, always the same."""
        generator = np.random.default_rng(zlib.crc32(problem.name.encode()))
        configs = [sampled(problem.space, generator) for _ in range(samples)]
        observed = [problem.loss(config, generator) for config in configs]
        values = [problem.value(config) for config in configs]
        return cls(np.array(observed), np.array(values), np.full(samples, 1 / samples))

    def median(self, evaluations: int) -> float:
        """Of the value of the configuration with the lowest observed loss, after so many evaluations."""
        group, masses = self._tied
        beyond = 1 - np.concatenate([[0.0], np.cumsum(masses)]).clip(0, 1)  # chances that one is not among the lowest
        lowest = beyond[:-1] ** evaluations - beyond[1:] ** evaluations
        chances = self.chances * (lowest / masses)[group]  # of ties the first is kept, which may be any of them
        order = np.argsort(self.values, kind="stable")
        middle = np.searchsorted(np.cumsum(chances[order]), 0.5)
        return float(self.values[order[min(int(middle), len(order) - 1)]])

    @functools.cached_property
    def _tied(self) -> tuple[npt.NDArray[np.intp], Array]:
        """Which of the losses, from the lowest on, each one observes, and the chance of each."""
        _, group = np.unique(self.observed, return_inverse=True)
        return group, np.asarray(np.bincount(group, weights=self.chances), dtype=np.float64)


def with_draws(problem: Problem) -> Problem:
    """The same problem, which knows what random search finds by so many random configurations."""
    draws = functools.cache(lambda: Draws.of(problem))
    return dataclasses.replace(problem, drawn=functools.cache(lambda evaluations: draws().median(evaluations)))


def sampled(space: tuple[Param, ...], generator: np.random.Generator) -> dict[str, float | str]:
    """A random configuration of a space without conditions."""
    return {param["name"]: placed(param, unit) for param, unit in zip(space, generator.random(len(space)), strict=True)}
