"""Where an acquisition function is largest: candidates everywhere and around the best, gradients, and exchanges.

Needs scipy. The mathematics of acquisition functions is in `neps._models`; which configuration a point becomes is in
`neps.samplers._model_based.axes`. `proposal` calls it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from neps._models.acquisition import Acquisition
from neps.samplers._drawing.sequences import SobolSequence
from neps.samplers._model_based.axes import Axes

__all__ = ["candidates"]

_Array = NDArray[np.float64]

_SOBOL_POINTS = 512
_NEIGHBOURS = 100
_NEIGHBOURHOODS = np.array([0.2, 0.05, 0.01, 0.002])
_REFINED = 3
_REFINING_STEPS = 30
_FTOL = 1e-6
_FINALISTS = 32
_EXCHANGES = 5


def candidates(axes: Axes, acquisition: Acquisition, incumbents: _Array, generator: np.random.Generator) -> _Array:
    """Points that promise much, the best among them probably first: (m, d).

    The best of a Sobol set and the best neighbours of incumbents climb along the axes with gradients; then the
    best of these tries every other value of each category and integer, one at a time, until none is better.

    Args:
        axes: of the space.
        acquisition: to be maximised.
        incumbents: points around which it is looked at more closely, (k, d).
        generator: draws the candidates.
    """
    sobol = SobolSequence(axes.dimensions, int(generator.integers(2**32))).points(0, _SOBOL_POINTS)
    anywhere, near = axes.rounded(sobol), axes.rounded(_neighbours(axes, incumbents, generator))
    ranked = [points[np.argsort(-acquisition(points), kind="stable")] for points in (anywhere, near)]
    found = np.concatenate([points[:_REFINED] for points in ranked])
    if axes.continuous.any():
        found = _climbed(found, axes.continuous, acquisition)
    if not axes.continuous.all():
        found = np.concatenate([_exchanged(axes, acquisition, found), found])
    return np.concatenate([found, *(points[:_FINALISTS] for points in ranked)])


def _neighbours(axes: Axes, incumbents: _Array, generator: np.random.Generator) -> _Array:
    """Random changes of incumbents in some of their coordinates, small and large: (m, d)."""
    points = np.repeat(incumbents, _NEIGHBOURS, axis=0)
    m, d = points.shape
    moved = generator.random((m, d)) < max(0.3, 1.0 / d)
    moved[np.arange(m), generator.integers(d, size=m)] = True
    scale = np.maximum(generator.choice(_NEIGHBOURHOODS, size=(m, 1)), axes.spacing)
    steps = np.where(axes.choices > 0, generator.random((m, d)) - points, scale * generator.standard_normal((m, d)))
    return points + np.where(moved, steps, 0.0)


def _climbed(starts: _Array, free: NDArray[np.bool_], acquisition: Acquisition) -> _Array:
    """Local maxima from starts (m, d) along the axes that are `free` (d,): (m, d).

    All climb at once, as one function of m · d numbers, the sum of what they reach (Balandat et al. 2020, "BoTorch",
    appendix F): a step costs little more than that of one.
    """
    points = starts.copy()
    shape = (len(starts), int(free.sum()))

    def objective(coordinates: _Array) -> tuple[float, _Array]:
        points[:, free] = coordinates.reshape(shape)
        values, gradients = acquisition.with_gradient(points)
        return -float(values.sum()), -gradients[:, free].ravel()

    bounds = np.tile([0.0, 1.0], (starts[:, free].size, 1))
    options = {"maxiter": _REFINING_STEPS, "maxcor": 20, "ftol": _FTOL}
    found = minimize(objective, starts[:, free].ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    points[:, free] = found.x.reshape(shape)
    return points


def _exchanged(axes: Axes, acquisition: Acquisition, points: _Array) -> _Array:
    """The best of `points` (m, d), with values of categories and integers exchanged while that helps: (1, d)."""
    values = acquisition(points)
    best, value = points[np.argmax(values)], float(values.max())
    for _ in range(_EXCHANGES):
        others = _exchanges(axes, best)
        values = acquisition(others)
        if not values.max() > value:
            break
        best, value = others[np.argmax(values)], float(values.max())
    return np.array([best])


def _exchanges(axes: Axes, point: _Array) -> _Array:
    """`point` (d,) with each value that an axis of few values has, one axis at a time: (m, d)."""
    exchanged = []
    for j, positions in enumerate(axes.positions):
        if positions is not None:
            others = np.repeat(point[None, :], len(positions), axis=0)
            others[:, j] = positions
            exchanged.append(others)
    return np.concatenate(exchanged)
