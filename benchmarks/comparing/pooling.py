"""Figures of runs, pooled over problems and seeds: a mean, and how sure it is. Numbers and their text only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.comparing.study import Array

__all__ = ["Pooled", "pooled", "worst"]

_SAMPLES = 2000
_CONFIDENCE = 0.95
_WORST = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Pooled:
    """A mean, and the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def through(self, function: Callable[[float], float]) -> Pooled:
        """The same on another scale; the function increases."""
        return Pooled(function(self.mean), function(self.low), function(self.high))

    def side(self, limit: float) -> str:
        """Where the interval lies, in words."""
        if self.high < limit:
            return f"all of it is below {limit:g}"
        return f"all of it is above {limit:g}" if self.low > limit else f"{limit:g} lies within it"

    def text(self, form: str) -> str:
        """Mean and interval, each in this format."""
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def pooled(figures: Mapping[str, npt.ArrayLike]) -> Pooled:
    """The mean over seeds, then over problems: `figures` has one of each run, by problem.

    For the interval problems are redrawn, and for each of these its seeds; with the same random numbers each time.
    """
    groups = [np.asarray(group, dtype=float) for group in figures.values()]
    generator = np.random.default_rng(0)
    means = [_redrawn(groups, generator) for _ in range(_SAMPLES)]
    low, high = np.quantile(means, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]).tolist()
    return Pooled(float(np.mean([group.mean() for group in groups])), low, high)


def _redrawn(groups: Sequence[Array], generator: np.random.Generator) -> float:
    drawn = (groups[index] for index in generator.integers(len(groups), size=len(groups)))
    return float(np.mean([group[generator.integers(len(group), size=len(group))].mean() for group in drawn]))


def worst(figures: Mapping[str, float], form: str, *, lowest: bool = False) -> str:
    """The three problems with the highest or lowest figures, and these, in this format."""
    names = sorted(figures, key=figures.__getitem__, reverse=not lowest)[:_WORST]
    return ", ".join(f"{name} ({figures[name]:{form}})" for name in names)
