"""How much improvement a cost buys, where an evaluation may be given up after each of its stages.

NumPy and scipy.special. Samplers over fidelities call `Stages`.

Shapes: m candidates, each with k stages; g points of a grid over what may be predicted later.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from neps._models.acquisition import log_expected_improvement, log_h

__all__ = ["Stages"]

_Array = NDArray[np.float64]

_WIDTH = 0.25  # of a cell of the grid; this and the next two in standard deviations of a candidate's whole evaluation
_BELOW, _ABOVE = 8.0, 4.0  # how far the grid reaches: further down, where improvements that are unlikely come from
_FURTHEST = 8.0  # the largest change by one stage
_HALVINGS = 16
_SMALLEST_DEVIATION = 1e-9
_LARGEST_EXPONENT = 500.0  # of what is then summed


@dataclasses.dataclass(frozen=True, eq=False)
class Stages:
    """Candidates whose evaluation goes through stages, each of which tells more of the loss at the end.

    A candidate may be given up after each stage. It improves on the best loss only if it reaches the end. Its rate is
    the largest ratio of expected improvement to expected cost that any rule for giving up attains: what Gittins's index
    is for a bandit's arm (Gittins 1979, "Bandit processes and dynamic allocation indices"), here for one of Pandora's
    boxes (Weitzman 1979, "Optimal search for the best alternative") that opens in stages.

    A rate is the price of cost at which the best rule neither gains nor loses; that rule follows by induction from the
    last stage backwards, over a grid of predictions. The error is about 1 % where an improvement is at all likely, and
    some 5 % where it takes five standard deviations.

    Args:
        means: (m,), what is predicted of the loss at the end.
        deviations: (m, k), by how much each stage is expected to change that prediction; 0 for stages that are over.
            All of a candidate's together count as 1e-9 at least: losses are standardised.
        costs: (m, k), what each stage costs; 0 for those that are over, and only for those. The last is never over.
        best: the loss to be improved upon.

    Example:
        >>> once = Stages(np.zeros(1), np.array([[1.0]]), np.array([[4.0]]), best=0.0)
        >>> twice = Stages(np.zeros(1), np.array([[0.8, 0.6]]), np.array([[1.0, 3.0]]), best=0.0)
        >>> np.exp([once.log_rates[0], twice.log_rates[0]]).round(2).tolist()
        [0.1, 0.15]
    """

    means: _Array
    deviations: _Array
    costs: _Array
    best: float

    @functools.cached_property
    def straight(self) -> _Array:
        """The logarithms of the rates without giving up: (m,)."""
        whole = log_expected_improvement(self.means, self._spread**2, self.best)
        return np.asarray(whole - np.log(self.costs.sum(axis=1)))

    @functools.cached_property
    def log_rates(self) -> _Array:
        """The logarithms of the rates: (m,), no less than `straight`."""
        first = np.take_along_axis(self.costs, (self.costs > 0.0).argmax(axis=1)[:, None], axis=1)[:, 0]
        low, high = np.zeros(len(self.means)), np.log(self.costs.sum(axis=1) / first)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            pays = self._gains(np.exp(middle)) > 0.0
            low, high = np.where(pays, middle, low), np.where(pays, high, middle)
        return np.asarray(self.straight + low)

    def _gains(self, prices: _Array) -> _Array:
        """What is gained by beginning, where cost has the price (m,), in units of the rate without giving up: (m,)."""
        charges = prices[:, None] * self.costs
        gain = self._last_improvement - charges[:, -1:]
        for stage in reversed(range(self.costs.shape[1] - 1)):
            cost = charges[:, stage, None]
            gain = np.where(cost > 0.0, _expected(np.maximum(gain, 0.0), self._changes[stage]) - cost, gain)
        return np.asarray(gain[:, _MIDDLE])

    @functools.cached_property
    def _spread(self) -> _Array:
        """The standard deviation of a candidate's whole evaluation: (m,)."""
        return np.asarray(np.maximum(np.sqrt((self.deviations**2).sum(axis=1)), _SMALLEST_DEVIATION))

    @functools.cached_property
    def _last_improvement(self) -> _Array:
        """What the last stage is expected to improve, in units of the rate without giving up: (m, g)."""
        grid = self.means[:, None] + self._spread[:, None] * _GRID
        last = np.maximum(self.deviations[:, -1:], _SMALLEST_DEVIATION * self._spread[:, None])
        logarithms = log_expected_improvement(grid, np.broadcast_to(last**2, grid.shape), self.best)
        return np.exp(np.minimum(logarithms - self.straight[:, None], _LARGEST_EXPONENT))

    @functools.cached_property
    def _changes(self) -> list[_Array]:
        """The probabilities of moving by so many cells in each stage but the last: (m, shifts) each."""
        return [_shifts(deviations / self._spread / _WIDTH) for deviations in self.deviations.T[:-1]]


_GRID = np.arange(-_BELOW, _ABOVE + _WIDTH, _WIDTH)
_MIDDLE = round(_BELOW / _WIDTH)
_MOST = round(_FURTHEST / _WIDTH)


def _expected(values: _Array, probabilities: _Array) -> _Array:
    """What is expected of values (m, g) after a shift with these probabilities: (m, g). Edges go on for ever."""
    padded = np.pad(values, ((0, 0), (_MOST, _MOST)), mode="edge")
    return np.asarray(np.einsum("mgs,ms->mg", sliding_window_view(padded, 2 * _MOST + 1, axis=1), probabilities))


def _shifts(deviations: _Array) -> _Array:
    """Probabilities (m, shifts) of whole shifts whose standard deviations are these (m,).

    What is between two points counts for both, in proportion, as in linear interpolation. That adds to the variance, so
    the normal distribution that is shared out is a narrower one.
    """
    return _shared(np.interp(deviations, _rounded_deviations(), _DEVIATIONS))


_DEVIATIONS = np.concatenate([[0.0], np.geomspace(1e-6, _MOST, 400)])


@functools.cache
def _rounded_deviations() -> _Array:
    """The standard deviations of what `_shared` makes of `_DEVIATIONS`."""
    shifts = np.arange(-_MOST, _MOST + 1)
    return np.asarray(np.sqrt(_shared(_DEVIATIONS) @ shifts**2))


def _shared(deviations: _Array) -> _Array:
    """Normal distributions (m,), shared out to whole numbers: second differences of E[max(x - z, 0)], (m, shifts)."""
    scale = np.maximum(deviations, 1e-12)[:, None]
    up = -np.arange(1.0, _MOST + 1) / scale
    higher, here, lower = (scale * np.exp(log_h(up + step / scale)) for step in (1.0, 0.0, -1.0))
    tail = np.maximum(higher - 2.0 * here + lower, 0.0)
    return np.concatenate([tail[:, ::-1], 1.0 - 2.0 * tail.sum(axis=1, keepdims=True), tail], axis=1)
