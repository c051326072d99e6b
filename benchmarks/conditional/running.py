"""What is measured of a way: how well it predicts, and how low a search with it comes in so many evaluations.

All searches maximise log expected improvement over the same kind of candidates, without gradients: so they differ in
the model alone. Some of neps's own searchers run beside them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.conditional.kernels import WAYS, Array, Kind
from benchmarks.conditional.process import Process, fit
from benchmarks.problems import Problem
from benchmarks.problems.conditional import CONDITIONAL
from neps._models.acquisition import log_expected_improvement
from neps.samplers._model_based.axes import axes_of
from neps.samplers._registry import resolve
from neps.space import Categorical, Float, Integer, Parameter, SearchSpace, Value
from neps.testing.simulation import simulate

__all__ = ["EVALUATIONS", "SEARCHERS", "SIZES", "Job", "kind_of", "perform", "space_of"]

SIZES = (10, 25, 50)
"""From so many results it is predicted."""
EVALUATIONS = 40
SEARCHERS = ("bayesian_optimization", "regularized_evolution", "random_search")
_DESIGN = 8
_CANDIDATES, _NEIGHBOURS, _ROUNDS = 300, 60, 2
_POOL, _TESTED = 600, 140
_EXPLORATION = 1.0
_LEAST_LOG_DENSITY = -10.0


@dataclasses.dataclass(frozen=True)
class Job:
    """A measurement: "prediction" from so many results, or a "search" of so many evaluations."""

    what: str
    problem: str
    way: str
    size: int
    seed: int


def space_of(problem: Problem) -> SearchSpace:
    """The space that neps searches."""
    kinds: dict[str, type[Parameter]] = {"float": Float, "integer": Integer, "categorical": Categorical}
    return SearchSpace({param["name"]: kinds[param["type"]](**_arguments(param)) for param in problem.space})


def _arguments(param: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in param.items() if key not in {"name", "type"}}


def kind_of(space: SearchSpace) -> Kind:
    """The space as a kernel sees it."""
    conditions = [repr(space.parameters[name].active_if) for name in space.searched]
    known = [repr(None), *dict.fromkeys(each for each in conditions if each != repr(None))]
    axes = axes_of(space)
    return Kind(axes.choices, np.array([known.index(each) for each in conditions]), axes.parents)


def perform(job: Job) -> list[float]:
    """What comes of it: log density, RMSE; or the lowest value after each evaluation."""
    problem = CONDITIONAL[job.problem]
    generator = np.random.default_rng([job.seed, job.size, zlib.crc32(job.problem.encode())])
    if job.what == "prediction":
        return _predicted(problem, job, generator)
    if job.way in WAYS:
        return _searched(problem, job, generator)
    space = space_of(problem)
    history = simulate(resolve(job.way, space, {}), space, problem.value, job.size, seed=job.seed)
    return _lowest([trial.loss or 0.0 for trial in history.trials])


def _lowest(losses: Sequence[float]) -> list[float]:
    return [round(float(loss), 6) for loss in np.minimum.accumulate(losses)]


def _predicted(problem: Problem, job: Job, generator: np.random.Generator) -> list[float]:
    """Half of the results are of random configurations, the others of good ones, as in a search; tested is as well."""
    space = space_of(problem)
    configs = [space.sample(generator) for _ in range(_POOL)]
    values, X = np.array([problem.value(config) for config in configs]), _encoded(space, configs)
    half = _POOL // 2
    good = np.argsort(values[:half], kind="stable")[: half // 5]
    known = np.append(half + np.arange(job.size - job.size // 2), generator.choice(good, job.size // 2, replace=False))
    unknown = np.append(np.arange(400, 500), 500 + np.argsort(values[500:], kind="stable")[: _TESTED - 100])
    mean, scale = values[known].mean(), values[known].std()
    process = Process(WAYS[job.way], kind_of(space), X[known], (values[known] - mean) / scale)
    theta = fit(process)
    means, variances = process.predict(theta, X[unknown])
    variances = variances + np.exp(theta[-5])
    errors = (values[unknown] - mean) / scale - means
    log_densities = -0.5 * (np.log(2.0 * np.pi * variances) + errors**2 / variances)
    lowest = np.maximum(log_densities, _LEAST_LOG_DENSITY)
    return [round(float(lowest.mean()), 4), round(float(np.sqrt((errors**2).mean())), 4)]


def _encoded(space: SearchSpace, configs: Sequence[Mapping[str, Value]]) -> Array:
    return np.array([space.encode(config) for config in configs])


def _searched(problem: Problem, job: Job, generator: np.random.Generator) -> list[float]:
    space, axes = space_of(problem), axes_of(space_of(problem))
    configs = [space.sample(generator) for _ in range(_DESIGN)]
    losses = [problem.value(config) for config in configs]
    while len(losses) < job.size:
        X, y = _encoded(space, configs), np.array(losses)
        process = Process(WAYS[job.way], kind_of(space), X, (y - y.mean()) / (y.std() or 1.0))
        theta = fit(process)
        best = float(process.predict(theta, X)[0].min())
        points = axes.rounded(generator.random((_CANDIDATES, space.dimensions)))
        for _ in range(_ROUNDS):
            near = np.concatenate([points[:3], X[np.argsort(y, kind="stable")[:3]]])
            points = np.concatenate([points, axes.rounded(_neighbours(axes.filled(near, generator), generator))])
            means, variances = process.predict(theta, points)
            order = np.argsort(-log_expected_improvement(means, _EXPLORATION**2 * variances, best), kind="stable")
            points = points[order]
        config = axes.first_unclaimed(points, X) or space.sample(generator)
        configs.append(config)
        losses.append(problem.value(config))
    return _lowest(losses)


def _neighbours(X: Array, generator: np.random.Generator) -> Array:
    """Random changes of points in some of their coordinates, small and large."""
    points = np.repeat(X, _NEIGHBOURS, axis=0)
    steps = generator.choice([0.3, 0.1, 0.03, 0.01], size=(len(points), 1)) * generator.standard_normal(points.shape)
    anew = generator.random(points.shape) < 0.1
    moved = generator.random(points.shape) < 0.4
    return np.where(anew, generator.random(points.shape), points + np.where(moved, steps, 0.0))
