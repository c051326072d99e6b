"""Where an acquisition function is largest: candidates everywhere and around the best, gradients, and exchanges.

Needs scipy. The mathematics of acquisition functions is in `neps._models`; which configuration a point becomes is in
`neps.samplers._model_based.axes`. `proposal` calls it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from neps._models.acquisition import Acquisition
from neps._models.kernel import has_inactive
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
_BRANCHES = 6
"""Of so many branches of a conditional space the best point of the Sobol set climbs."""
_DRAWN = 8
"""So often what becomes active with a value is drawn."""


def candidates(axes: Axes, acquisition: Acquisition, incumbents: _Array, generator: np.random.Generator) -> _Array:
    """Points that promise much, the best among them probably first: (m, d).

    The best of a Sobol set and the best neighbours of incumbents climb along the axes with gradients, and of a
    conditional space the best of each branch in the set; then the best of these tries every other value of each
    category and integer, one at a time, until none is better. What becomes active by that is drawn, several times.

    Args:
        axes: of the space.
        acquisition: to be maximised.
        incumbents: points around which it is looked at more closely, (k, d).
        generator: draws the candidates.

    Returns:
        The points; the first ones are allowed, of the others nobody has asked whether they are.
    """
    sobol = SobolSequence(axes.dimensions, int(generator.integers(2**32))).points(0, _SOBOL_POINTS)
    near = _neighbours(axes, axes.filled(incumbents, generator), generator)
    sets = [axes.rounded(points) for points in (sobol, near)]
    ranked = [points[np.argsort(-acquisition(points), kind="stable")] for points in sets]
    found = np.concatenate([points[_refined(axes, points)] for points in ranked])
    if not len(found):
        return found
    if axes.continuous.any():
        climbed = _climbed(axes, found, acquisition, generator)
        climbed = climbed[[axes.is_allowed(point) for point in climbed]]
        found = climbed if len(climbed) else found
    if not axes.continuous.all():
        found = np.concatenate([_exchanged(axes, acquisition, found, generator), found])
    finalists = None if axes.space.forbid else _FINALISTS  # what is forbidden of them isn't known yet
    return np.concatenate([found, *(points[:finalists] for points in ranked)])


def _refined(axes: Axes, points: _Array) -> list[int]:
    """Which of points in their order (m, d) are refined: the first three, and the first ones of some other branches.

    All of them are allowed. No more points are asked about than need be: users' functions may be slow.
    """
    chosen: list[int] = []
    reached: set[bytes] = set()
    branches = [each.tobytes() for each in np.isnan(points)] if has_inactive(points) else [b""] * len(points)
    most = min(_BRANCHES, len(set(branches)))
    for place, branch in enumerate(branches):
        few = len(chosen) < _REFINED
        if not few and len(reached) >= most:
            break
        if (few or branch not in reached) and axes.is_allowed(points[place]):
            chosen.append(place)
            reached.add(branch)
    return chosen


def _neighbours(axes: Axes, incumbents: _Array, generator: np.random.Generator) -> _Array:
    """Random changes of incumbents in some of their coordinates, small and large: (m, d)."""
    points = np.repeat(incumbents, _NEIGHBOURS, axis=0)
    m, d = points.shape
    moved = generator.random((m, d)) < max(0.3, 1.0 / d)
    moved[np.arange(m), generator.integers(d, size=m)] = True
    scale = np.maximum(generator.choice(_NEIGHBOURHOODS, size=(m, 1)), axes.spacing)
    steps = np.where(axes.choices > 0, generator.random((m, d)) - points, scale * generator.standard_normal((m, d)))
    return points + np.where(moved, steps, 0.0)


def _climbed(axes: Axes, starts: _Array, acquisition: Acquisition, generator: np.random.Generator) -> _Array:
    """Local maxima from starts (m, d) along the active axes with gradients: (m, d).

    All climb at once, as one function of m · d numbers, the sum of what they reach (Balandat et al. 2020, "BoTorch",
    appendix F): a step costs little more than that of one. What is active doesn't change on the way. A parent among
    the numbers may get to where its condition says otherwise: what becomes active there is drawn.
    """
    points = starts.copy()
    free = axes.continuous & ~np.isnan(starts)
    if not free.any():
        return starts

    def objective(coordinates: _Array) -> tuple[float, _Array]:
        points[free] = coordinates
        values, gradients = acquisition.with_gradient(points)
        return -float(values.sum()), -gradients[free]

    bounds = np.tile([0.0, 1.0], (int(free.sum()), 1))
    options = {"maxiter": _REFINING_STEPS, "maxcor": 20, "ftol": _FTOL}
    found = minimize(objective, starts[free], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    points[free] = found.x
    changing = axes.continuous & axes.parents
    return axes.rounded(axes.filled(points, generator)) if changing.any() else points


def _exchanged(axes: Axes, acquisition: Acquisition, points: _Array, generator: np.random.Generator) -> _Array:
    """The best of `points` (m, d), with values of categories and integers exchanged while that helps: (1, d)."""
    values = acquisition(points)
    best, value = points[np.argmax(values)], float(values.max())
    for _ in range(_EXCHANGES):
        others = _exchanges(axes, best, generator)
        values = acquisition(others)
        better = (k for k in np.argsort(-values, kind="stable") if values[k] > value and axes.is_allowed(others[k]))
        if (found := next(better, None)) is None:
            break
        best, value = others[found], float(values[found])
    return np.array([best])


def _exchanges(axes: Axes, point: _Array, generator: np.random.Generator) -> _Array:
    """`point` (d,) with each value that an active axis of few values has, one axis at a time, forbidden or not: (m, d).

    Where it depends on an axis what is active, each of its values comes several times, with what becomes active drawn.
    """
    exchanged = []
    for j, positions in enumerate(axes.positions):
        if positions is not None and not np.isnan(point[j]):
            moved = np.repeat(positions, _DRAWN) if axes.parents[j] else positions
            others = np.repeat(point[None, :], len(moved), axis=0)
            others[:, j] = moved
            exchanged.append(others)
    if not exchanged:
        return point[None, :]
    found = np.concatenate(exchanged)
    return axes.rounded(axes.filled(found, generator)) if axes.parents.any() else found
