"""From losses as users return them to targets that a Gaussian process can learn from.

NumPy only. `neps._models.surrogate` calls it, and compares warps.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WARPS", "Targets"]

WARPS = (0.0, 1.0, 5.0, -0.9)
"""How losses far from the best may be bent: not at all, compressed a little or much, or expanded near the worst."""

_CLIP = 3.0
_FAILED = 0.75
"""The quantile of the losses at which a failed evaluation counts."""


@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """Losses made robust, warped and standardised: lower stays better, the order of good ones is kept.

    A loss is measured by its distance u from the best one, in units of the median's. What is beyond u = 4 is set to
    that: how bad a bad configuration is says little about where the optimum lies, and one exploded loss would flatten
    all others. An infinite loss is as bad as the worst of the rest. A failed evaluation, given as NaN, is at the upper
    quartile of those that have a loss: some fail wherever they are, and a model that takes them for the worst shuns
    what lies beside them, the optimum included. Then u becomes log(1 + k u) / k, which near the best is u itself. With
    k = warp > 0 that tells good losses apart where most are bad. With k = warp / max(u) < 0 it expands what is near a
    ceiling, such as the error of a classifier that guesses: factors that take a loss away from there become terms. The
    model chooses the warp by the likelihood of the losses (Snelson et al. 2004, "Warped Gaussian processes"), which is
    the likelihood of the targets times the slopes of the targets.

    Args:
        losses: shape (n,), in any unit; NaN where an evaluation failed.
        warp: the strength of the warp, above -1; 0 keeps the distances of losses.

    Example:
        >>> Targets(np.array([1.0, 2.0, 3.0, 1e30, np.nan])).values.round(2).tolist()
        [-1.17, -0.68, -0.19, 1.75, 0.29]
    """

    losses: NDArray[np.float64]
    warp: float = 0.0

    @property
    def values(self) -> NDArray[np.float64]:
        """Shape (n,), with mean 0 and standard deviation 1, or all 0 where no two losses differ."""
        return self._warped[0]

    @property
    def log_slopes(self) -> NDArray[np.float64]:
        """log(d value / d u): shape (n,), all 0 where no two losses differ."""
        return self._warped[1]

    @functools.cached_property
    def _warped(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        u = _distances(self.losses)
        k = self.warp if self.warp > 0.0 else self.warp / (u.max() or 1.0)
        bent = np.log1p(k * u) / k if k else u
        centred = bent - bent.mean()
        deviation = float(centred.std())
        if deviation == 0.0:
            return np.zeros_like(u), np.zeros_like(u)
        return centred / deviation, -np.log1p(k * u) - np.log(deviation)


def _distances(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far above the best each loss is, in units of the median's distance, and at most 4 where that is not 0.

    A failure is as far as the upper quartile.
    """
    finite = losses[np.isfinite(losses)]
    if finite.size == 0:
        return np.zeros_like(losses)
    scale = float(np.abs(finite).max()) or 1.0
    finite, losses = finite / scale, losses / scale  # or differences of 1e308 would overflow
    best, median, worst = float(finite.min()), float(np.median(finite)), float(finite.max())
    unit = median - best
    if unit == 0.0:  # more than half are equally good, so nothing measures what far away means
        unit = worst - best or 1.0
    else:
        worst = min(worst, median + _CLIP * unit)
    distances = (np.minimum(np.where(np.isfinite(losses), losses, worst), worst) - best) / unit
    return np.where(np.isnan(losses), np.quantile(distances[np.isfinite(losses)], _FAILED), distances)
