"""A surrogate of the loss: which Gaussian process explains the losses, and what of it to remember for the next one.

Arrays in, arrays out. Samplers call `surrogate`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neps.models.fitting import NegativeLogPosterior, beginnings, bounded, most_probable
from neps.models.gaussian_process import GaussianProcess, Hyperparameters
from neps.models.losses import BENDS, Targets

__all__ = ["Surrogate", "explanation", "surrogate"]

_Array = NDArray[np.float64]
H = TypeVar("H")

_FEW = 20  # with so few results all bends are compared each time, and with more each eighth time
_SELDOM = 8
_FRESH = 64  # with so few, hyperparameters are searched each time, and then afresh too; with more, each eighth time
_SEARCHED = 1000  # of more results, hyperparameters are found on a part
_BEST_PART = 250
_ITERATIONS, _FEW_ITERATIONS = 50, 10


@dataclasses.dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted process, and the bend of the losses that it was fitted to."""

    process: GaussianProcess
    bend: float


def surrogate(
    X: _Array, losses: _Array, choices: NDArray[np.intp], remembered: tuple[Hyperparameters, float] | None = None
) -> Surrogate:
    """The Gaussian process and the bend of the losses that are most probable together.

    The posterior is exact for all n results. Past 64, hyperparameters are searched again with each eighth result: they
    change little. Past 1000, they are found on 1000 of them, the best and an even part of the rest: each step of the
    search costs n³.

    Args:
        X: (n, d), n at least 1.
        losses: (n,), NaN where an evaluation failed.
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        remembered: hyperparameters and bend of an earlier surrogate, to begin with.

    Returns:
        The same for the same arguments: nothing is drawn.
    """
    part = _part(losses)

    @functools.cache
    def objective() -> NegativeLogPosterior:
        return NegativeLogPosterior(X[part], np.zeros(len(part)), choices)

    def search(y: _Array, starts: Sequence[Hyperparameters], iterations: int) -> tuple[Hyperparameters, float]:
        return most_probable(objective().given(y), starts, iterations)

    found, targets = explanation(losses, part, search, beginnings(len(choices)), remembered)
    if remembered is not None and found is remembered[0]:
        found = bounded(found)
    return Surrogate(GaussianProcess(X, targets.values, choices, found), targets.bend)


def explanation(
    losses: _Array,
    part: NDArray[np.intp],
    search: Callable[[_Array, Sequence[H], int], tuple[H, float]],
    beginnings: Sequence[H],
    remembered: tuple[H, float] | None,
) -> tuple[H, Targets]:
    """The hyperparameters and the bend that are most probable together, for any kind of process.

    Args:
        losses: (n,), NaN where an evaluation failed.
        part: which of them hyperparameters are found on.
        search: from targets of the part, hyperparameters to begin with, and how many steps to take from each, to the
            most probable hyperparameters and their negative log posterior.
        beginnings: where to begin without anything better.
        remembered: earlier hyperparameters and their bend, which a long run keeps for seven results of eight.
    """

    def fitted(targets: Targets, starts: Sequence[H], iterations: int) -> tuple[float, H, Targets]:
        found, value = search(targets.values[part], starts, iterations)
        return value - float(targets.log_slopes[part].sum()), found, targets

    def bent(best: tuple[float, H, Targets]) -> tuple[H, Targets]:
        """The most probable of this and what begins there with any other bend; losses that are equal have none."""
        _, found, targets = best
        rivals = [Targets(losses, bend) for bend in BENDS if bend != targets.bend and targets.values.any()]
        others = [fitted(rival, [found], _FEW_ITERATIONS) for rival in rivals]
        _, found, targets = min([best, *others], key=lambda fitted: fitted[0])
        return found, targets

    if remembered is None:
        return bent(fitted(Targets(losses, BENDS[0]), beginnings[:2], _ITERATIONS))
    n, (start, bend) = len(losses), remembered
    thorough = n <= _FEW or n % _SELDOM == 0
    if n > _FRESH and not thorough:
        return start, Targets(losses, bend)
    if n > _FRESH or not thorough:
        best = fitted(Targets(losses, bend), [start], _FEW_ITERATIONS)
    else:
        best = fitted(Targets(losses, bend), [start, *beginnings][:2], _ITERATIONS)
    return bent(best) if thorough else best[1:]


def _part(losses: _Array) -> NDArray[np.intp]:
    """Which results hyperparameters are found on: indices (at most 1000,)."""
    if len(losses) <= _SEARCHED:
        return np.arange(len(losses))
    order = np.argsort(np.where(np.isfinite(losses), losses, np.inf), kind="stable")
    rest = np.sort(order[_BEST_PART:])
    even = np.linspace(0, len(rest) - 1, _SEARCHED - _BEST_PART).astype(np.intp)
    return np.sort(np.concatenate([order[:_BEST_PART], rest[even]]))
