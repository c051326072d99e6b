"""From losses as users return them to targets that a Gaussian process can learn from.

NumPy only. Called by samplers before they fit a surrogate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["model_targets"]

_CLIP = 3.0
_ROUNDING = 1e-14


def model_targets(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses made robust and standardised: lower stays better, the order of good ones is kept.

    The better half is only scaled. A loss above median + 3 · (median - best) is clipped there: how bad a bad
    configuration is says little about where the optimum lies, and one exploded loss would flatten all others. What is
    not finite (NaN, infinities, a failed evaluation given as NaN) is as bad as the worst of the rest.

    Args:
        losses: shape (n,), in any unit; NaN where an evaluation failed.

    Returns:
        Shape (n,), with mean 0 and standard deviation 1, or all 0 where no two losses differ.

    Example:
        >>> model_targets(np.array([1.0, 2.0, 3.0, 1e30, np.nan])).round(2).tolist()
        [-1.19, -0.79, -0.4, 1.19, 1.19]
    """
    finite = losses[np.isfinite(losses)]
    if finite.size == 0:
        return np.zeros_like(losses)
    worst = _upper_limit(finite)
    targets = np.minimum(np.where(np.isfinite(losses), losses, worst), worst)
    targets = targets / (np.abs(targets).max() or 1.0)  # or squares of 1e200 would overflow
    centred = targets - targets.mean()
    deviation = float(centred.std())
    return centred / deviation if deviation > _ROUNDING else np.zeros_like(losses)


def _upper_limit(finite: NDArray[np.float64]) -> float:
    """Where losses are clipped: the worst of them, or less."""
    best, median, worst = float(finite.min()), float(np.median(finite)), float(finite.max())
    if median == best:  # more than half are equally good, so nothing measures what far away means
        return worst
    return min(worst, median + _CLIP * (median - best))
