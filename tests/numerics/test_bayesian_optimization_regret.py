"""Bayesian optimization finds better configurations than random search, on losses of any unit and with failures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from neps._trial import Value
from neps.samplers import BayesianOptimization, RandomSearch, Sampler
from neps.space import Categorical, Float, Integer, SearchSpace
from neps.testing.simulation import Objective, simulate

Config = Mapping[str, Value]
BRANIN = SearchSpace({"x": Float(-5.0, 10.0), "y": Float(0.0, 15.0)})
LOWEST = 0.397887


def branin(config: Config) -> float:
    x, y = (float(config[name] or 0.0) for name in ("x", "y"))
    bowl = y - 5.1 / (4.0 * math.pi**2) * x * x + 5.0 / math.pi * x - 6.0
    return bowl**2 + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0


def _median_best(sampler: Sampler, space: SearchSpace, objective: Objective, evaluations: int) -> float:
    best = []
    for seed in range(5):
        incumbent = simulate(sampler, space, objective, evaluations, seed=seed).best
        assert incumbent is not None
        assert incumbent.loss is not None
        best.append(incumbent.loss)
    return float(np.median(best))


def test_it_beats_random_search_on_branin() -> None:
    model = _median_best(BayesianOptimization(), BRANIN, branin, 25) - LOWEST
    random = _median_best(RandomSearch(), BRANIN, branin, 25) - LOWEST
    assert model < 0.1
    assert model < 0.1 * random


@pytest.mark.parametrize("unit", [lambda loss: 1e-12 * loss, lambda loss: 1e12 * loss - 3e12], ids=["1e-12", "1e12"])
def test_the_unit_of_the_loss_does_not_matter(unit: Callable[[float], float]) -> None:
    history = simulate(BayesianOptimization(), BRANIN, lambda config: unit(branin(config)), 25, seed=1)
    assert min(branin(trial.config) for trial in history.trials) < LOWEST + 0.2


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, 1e30], ids=str)
def test_a_region_that_fails_is_left(bad: float | None) -> None:
    history = simulate(
        BayesianOptimization(), BRANIN, lambda config: bad if float(config["x"] or 0) < 1.0 else branin(config), 30
    )
    assert min(branin(trial.config) for trial in history.trials if float(trial.config["x"] or 0) >= 1.0) < LOWEST + 0.3
    assert sum(float(trial.config["x"] or 0) < 1.0 for trial in history.trials) < 15


def test_workers_in_parallel_evaluate_different_points_and_converge() -> None:
    history = simulate(BayesianOptimization(), BRANIN, branin, 40, workers=8)
    points = np.array([BRANIN.encode(trial.config) for trial in history.trials])
    distances = np.linalg.norm(points[:, None] - points[None, :], axis=2) + np.eye(len(points))
    assert distances.min() > 1e-6
    assert history.best is not None
    assert (history.best.loss or 0.0) < LOWEST + 0.3


def test_it_beats_random_search_on_a_mixed_space() -> None:
    space = SearchSpace(
        {
            "rate": Float(1e-5, 1.0, log=True),
            "width": Integer(1, 512, log=True),
            "layers": Integer(1, 6),
            "kind": Categorical(["a", "b", "c"]),
        }
    )

    def objective(config: Config) -> float:
        rate, width, layers = (float(config[name] or 0) for name in ("rate", "width", "layers"))
        numeric = (math.log10(rate) + 2.0) ** 2 + (math.log2(width) - 5.0) ** 2 / 4.0 + 0.3 * abs(layers - 4.0)
        return numeric + {"a": 1.0, "b": 0.0, "c": 2.0}[str(config["kind"])]

    assert _median_best(BayesianOptimization(), space, objective, 30) < 0.1
    assert _median_best(RandomSearch(), space, objective, 30) > 0.3
