"""The model-based step of Bayesian optimization: fit a Gaussian process, and maximise log expected improvement.

Needs scipy, so samplers import it when they first need a model. The mathematics is in `neps.models`; here it meets
the search space: rounding to whole numbers and choices, and never proposing what is claimed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from neps.history import History
from neps.models.acquisition import log_expected_improvement, log_h_slope
from neps.models.fitting import fit
from neps.models.gaussian_process import GaussianProcess
from neps.models.losses import model_targets
from neps.samplers.grid_search import every_value
from neps.samplers.sequences import SobolSequence
from neps.space import Categorical, SearchSpace
from neps.trial import Value

__all__ = ["propose"]

_Array = NDArray[np.float64]

_ROUNDS = 20
_EXHAUSTIVE = 4096
_WIDEST_AXIS = 256
_SOBOL_POINTS = 512
_INCUMBENTS = 3
_NEIGHBOURS = 100
_REFINED = 2
_REFINING_STEPS = 50
_FINALISTS = 32
_NEIGHBOURHOODS = np.array([0.2, 0.05, 0.01, 0.002])


def propose(history: History, generator: np.random.Generator) -> tuple[dict[str, Value], float]:
    """The configuration that promises most, and its log expected improvement in standard deviations of the losses.

    Args:
        history: with at least one ended trial, and, in a finite space, at least one configuration unclaimed.
        generator: draws the candidates.
    """
    space, layout = history.space, _layout(history.space)
    decided = [trial for trial in history.trials if trial.decision is not None]
    points = np.array([space.encode(trial.config) for trial in decided])
    ended = np.array([trial.ended for trial in decided])
    losses = [math.nan if t.loss is None or not t.succeeded else t.loss for t in decided if t.ended]
    model = fit(points[ended], model_targets(np.array(losses, dtype=np.float64)), layout.categorical)
    if not ended.all():
        model = model.believing(points[~ended])
    acquisition = _Acquisition(model, float(model.predict(model.X)[0].min()))
    if space.size is not None and space.size <= _EXHAUSTIVE:
        everything = layout.unclaimed(points)
        return _best(acquisition, everything, lambda index: space.decode(everything[index]))
    configs = _unclaimed(space, _candidates(layout, acquisition, generator), points)
    for _ in range(_ROUNDS):  # a large finite space whose promising parts are all claimed
        configs = configs or _unclaimed(space, generator.random((_FINALISTS, space.dimensions)), points)
    configs = configs or [space.sample(generator)]  # all are claimed, of floats too: better twice than never
    return _best(acquisition, np.array([space.encode(config) for config in configs]), configs.__getitem__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Acquisition:
    """Log expected improvement upon `best`, the lowest mean of the model at any claimed point.

    The lowest mean, not the lowest loss: a lucky evaluation of a noisy objective would never be improved upon.
    """

    model: GaussianProcess
    best: float

    def __call__(self, Z: _Array) -> _Array:
        """At Z (m, d) → (m,)."""
        return log_expected_improvement(*self.model.predict(Z), self.best)

    def negative_with_gradient(self, z: _Array) -> tuple[float, _Array]:
        """Minus the value, and minus the gradient (d,), at z (d,)."""
        mean, variance, d_mean, d_variance = self.model.predict_with_gradient(z)
        deviation = math.sqrt(variance)
        u = (self.best - mean) / deviation
        slope = float(log_h_slope(np.array(u)))
        d_deviation = d_variance / (2.0 * deviation)
        gradient = (-slope * d_mean + (1.0 - u * slope) * d_deviation) / deviation
        value = log_expected_improvement(np.array([mean]), np.array([variance]), self.best)
        return -float(value[0]), -gradient


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    """The axes of the unit cube.

    `categorical` (d,) says which hold categories. `positions` holds, for each axis with few values, where these
    stand; None for the others, which have gradients to follow and are rounded by the space at the end. `spacing` (d,)
    is the least step that reaches another value, 0 where any does.
    """

    categorical: NDArray[np.bool_]
    positions: tuple[_Array | None, ...]
    spacing: _Array

    @property
    def continuous(self) -> NDArray[np.bool_]:
        """The axes with gradients to follow: (d,)."""
        return np.array([positions is None for positions in self.positions])

    def rounded(self, Z: _Array) -> _Array:
        """Z (m, d) with each coordinate that has few values moved to the nearest one."""
        Z = np.clip(Z, 0.0, 1.0)
        for j, positions in enumerate(self.positions):
            if positions is not None:
                edges = 0.5 * (positions[1:] + positions[:-1])
                Z[:, j] = positions[np.searchsorted(edges, Z[:, j])]
        return Z

    def unclaimed(self, points: _Array) -> _Array:
        """All points of a small finite space but `points` (n, d): (m, d)."""
        narrow = [positions for positions in self.positions if positions is not None]
        everything = np.stack(np.meshgrid(*narrow, indexing="ij"), axis=-1).reshape(-1, len(narrow))
        claimed = {point.tobytes() for point in points}
        return everything[[point.tobytes() not in claimed for point in everything]]


@functools.lru_cache(maxsize=16)
def _layout(space: SearchSpace) -> _Layout:
    centre = space.decode(np.full(space.dimensions, 0.5))
    exhaustive = space.size is not None and space.size <= _EXHAUSTIVE
    positions: list[_Array | None] = []
    for j, name in enumerate(space.searched):
        values = every_value(space.parameters[name], _EXHAUSTIVE if exhaustive else _WIDEST_AXIS)
        positions.append(None if values is None else np.array([space.encode(centre | {name: v})[j] for v in values]))
    categorical = np.array([isinstance(space.parameters[name], Categorical) for name in space.searched])
    spacing = np.array([0.0 if p is None else 1.0 / len(p) for p in positions])
    return _Layout(categorical, tuple(positions), spacing)


def _candidates(layout: _Layout, acquisition: _Acquisition, generator: np.random.Generator) -> _Array:
    """The best of a Sobol set and of the incumbents' neighbours, some also refined by gradients: (m, d)."""
    sobol = SobolSequence(len(layout.positions), int(generator.integers(2**32))).points(0, _SOBOL_POINTS)
    anywhere, near = layout.rounded(sobol), layout.rounded(_neighbours(layout, acquisition.model, generator))
    ranked = [points[np.argsort(-acquisition(points), kind="stable")] for points in (anywhere, near)]
    starts = np.concatenate([points[:_REFINED] for points in ranked])
    refined = [_refined(start, layout.continuous, acquisition) for start in starts] if layout.continuous.any() else []
    return np.concatenate([*refined, *(points[:_FINALISTS] for points in ranked)])


def _neighbours(layout: _Layout, model: GaussianProcess, generator: np.random.Generator) -> _Array:
    """Random changes of the points with the lowest means, in some of their coordinates, small and large: (m, d)."""
    means = model.predict(model.X)[0]
    incumbents = model.X[np.argsort(means, kind="stable")[:_INCUMBENTS]]
    points = np.repeat(incumbents, _NEIGHBOURS, axis=0)
    m, d = points.shape
    moved = generator.random((m, d)) < max(0.3, 1.0 / d)
    moved[np.arange(m), generator.integers(d, size=m)] = True
    scale = np.maximum(generator.choice(_NEIGHBOURHOODS, size=(m, 1)), layout.spacing)
    steps = np.where(layout.categorical, generator.random((m, d)) - points, scale * generator.standard_normal((m, d)))
    return points + np.where(moved, steps, 0.0)


def _refined(start: _Array, free: NDArray[np.bool_], acquisition: _Acquisition) -> _Array:
    """The local maximum from `start` (d,) along the axes that are `free` (d,): (1, d)."""
    point = start.copy()

    def objective(coordinates: _Array) -> tuple[float, _Array]:
        point[free] = coordinates
        value, gradient = acquisition.negative_with_gradient(point)
        return value, gradient[free]

    bounds = [(0.0, 1.0)] * int(free.sum())
    found = minimize(
        objective, start[free], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _REFINING_STEPS}
    )
    point[free] = found.x
    return point[None, :]


def _unclaimed(space: SearchSpace, Z: _Array, points: _Array) -> list[dict[str, Value]]:
    """The configurations at Z (m, d), each once, but for those at `points` (n, d)."""
    claimed = {point.tobytes() for point in points}
    configs = {space.encode(config).tobytes(): config for config in (space.decode(z) for z in Z)}
    return [config for key, config in configs.items() if key not in claimed]


def _best(
    acquisition: _Acquisition, Z: _Array, config: Callable[[int], dict[str, Value]]
) -> tuple[dict[str, Value], float]:
    values = acquisition(Z)
    index = int(np.argmax(values))
    return config(index), float(values[index])
