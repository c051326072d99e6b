"""A surrogate of the loss: which Gaussian process explains the losses, and what of it to remember for the next one.

Arrays in, arrays out. Samplers call `surrogate`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neps.models.fitting import NegativeLogPosterior, beginnings, bounded, most_probable
from neps.models.gaussian_process import GaussianProcess, Hyperparameters
from neps.models.losses import BENDS, Targets

__all__ = ["Surrogate", "surrogate"]

_Array = NDArray[np.float64]

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
    n, (start, bend) = len(X), remembered or (None, BENDS[0])
    thorough = start is None or n <= _FEW or n % _SELDOM == 0
    if start is not None and n > _FRESH and not thorough:
        return Surrogate(GaussianProcess(X, Targets(losses, bend).values, choices, bounded(start)), bend)
    afresh = start is None or (thorough and n <= _FRESH)
    starts = [*([] if start is None else [start]), *(beginnings(len(choices)) if afresh else [])][:2]
    part = _part(losses)
    objective = NegativeLogPosterior(X[part], np.zeros(len(part)), choices)

    def fitted(targets: Targets, starts: list[Hyperparameters], iterations: int) -> _Fitted:
        found, value = most_probable(objective.given(targets.values[part]), starts, iterations)
        return _Fitted(value - float(targets.log_slopes[part].sum()), found, targets)

    best = fitted(Targets(losses, bend), starts, _ITERATIONS if afresh else _FEW_ITERATIONS)
    if thorough and best.targets.values.any():
        rivals = (Targets(losses, other) for other in BENDS if other != bend)
        others = [fitted(rival, [best.hyperparameters], _FEW_ITERATIONS) for rival in rivals]
        best = min([best, *others], key=lambda fitted: fitted.cost)
    process = GaussianProcess(X, best.targets.values, choices, best.hyperparameters)
    return Surrogate(process, best.targets.bend)


class _Fitted(NamedTuple):
    """Hyperparameters for targets, and minus the log posterior of the losses at these."""

    cost: float
    hyperparameters: Hyperparameters
    targets: Targets


def _part(losses: _Array) -> NDArray[np.intp]:
    """Which results hyperparameters are found on: indices (at most 1000,)."""
    if len(losses) <= _SEARCHED:
        return np.arange(len(losses))
    order = np.argsort(np.where(np.isfinite(losses), losses, np.inf), kind="stable")
    rest = np.sort(order[_BEST_PART:])
    even = np.linspace(0, len(rest) - 1, _SEARCHED - _BEST_PART).astype(np.intp)
    return np.sort(np.concatenate([order[:_BEST_PART], rest[even]]))
