"""The log posterior of hyperparameters over fidelities against scipy's distributions, and its maximum."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.stats import lognorm, multivariate_normal, norm

from neps._models import fidelity_fitting
from neps._models.fidelity_fitting import (
    FidelityNegativeLogPosterior,
    fidelity_beginnings,
    fidelity_bounded,
    most_probable,
)
from neps._models.fidelity_process import FidelityHyperparameters
from neps._models.fitting import NegativeLogPrior
from neps._models.gaussian_process import Hyperparameters
from numerics.cube import points
from numerics.dense_fidelity_process import from_theta, noisy

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
SPACES = [NUMERIC[:1], NUMERIC, MIXED, np.array([4, 5])]
REST = ("walk", "slope", "trend", "early_noise")


def _data(n: int, choices: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    X, u = points(n, choices), np.resize([1.0, 0.6, 0.25, 0.0], n)
    y = np.sin(5.0 * X[:, 0]) + X.sum(axis=1) + u * (1.0 + X[:, 0])
    return X, u, np.asarray((y - y.mean()) / (y.std() or 1.0))


def _random_theta(d: int, seed: int = 5) -> Array:
    return np.random.default_rng(seed).normal([*[-0.5] * (d + 1), -4.0, *[-1.0] * 4, -2.0, -1.0, -1.0, -3.0], 0.5)


def _log_prior(h: FidelityHyperparameters) -> float:
    """Up to what no hyperparameter changes. The mode of a variance other than the top's is taken in its logarithm."""
    median, d = np.exp(2.0**0.5 - 1.0), len(h.top.lengthscales)
    total = lognorm.logpdf(h.top.lengthscales, 1.0, scale=median * d**0.5).sum()
    total += lognorm.logpdf(h.top.signal, 1.0, scale=np.exp(1.0)) + lognorm.logpdf(h.top.noise, 3.0, scale=np.exp(-8.0))
    total += norm.logpdf(np.log(h.top.effects), -4.0, 2.0).sum()
    rest = np.log([getattr(h, name) for name in REST])
    return float(total + norm.logpdf(rest, [-2.0, -1.0, -0.5, -5.0], [1.5, 1.5, 1.5, 3.0]).sum())


# -------------------------------------------------------------------------------------------------------- log posterior


@pytest.mark.parametrize("choices", SPACES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 20])
def test_the_log_posterior_is_likelihood_times_prior(choices: NDArray[np.intp], n: int) -> None:
    X, u, y = _data(n, choices)
    objective, d, differences = FidelityNegativeLogPosterior(X, u, y, choices), len(choices), []
    for seed in range(3):
        theta = _random_theta(d, seed)
        h = from_theta(theta, d)
        expected = multivariate_normal.logpdf(y, np.zeros(n), noisy(X, u, choices, h)) + _log_prior(h)
        differences.append(objective(theta)[0] + expected)
    sigmas = np.array([*[1.0] * (d + 1), 3.0, *[2.0] * 4, *[1.5] * 3, 3.0])
    constant = -np.log(sigmas * np.sqrt(2.0 * np.pi)).sum()  # left out of ours: the same at any θ
    np.testing.assert_allclose(differences, constant, atol=1e-7)


@pytest.mark.parametrize("choices", SPACES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 15])
def test_finite_differences_of_the_log_posterior(choices: NDArray[np.intp], n: int) -> None:
    objective, theta = FidelityNegativeLogPosterior(*_data(n, choices), choices), _random_theta(len(choices))
    numerical = approx_fprime(theta, lambda at: objective(at)[0], 1e-7)
    np.testing.assert_allclose(objective(theta)[1], numerical, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("lengthscale", [2.0**0.5, -1.0])
def test_finite_differences_of_the_log_prior(lengthscale: float) -> None:
    prior, theta = NegativeLogPrior(3, 3.0, lengthscale), _random_theta(3)[:-4]
    np.testing.assert_allclose(prior(theta)[1], approx_fprime(theta, lambda at: prior(at)[0], 1e-7), atol=1e-6)
    longer = theta + np.array([0.1, 0.1, 0.1, *[0.0] * 6])
    shifted = NegativeLogPrior(3, 3.0, lengthscale + 0.1)
    np.testing.assert_allclose(shifted(longer)[0] - prior(theta)[0], 0.3)  # a density in units that are longer


def test_other_targets_of_the_same_points() -> None:
    (X, u, y), theta = _data(12, MIXED), _random_theta(4)
    objective = FidelityNegativeLogPosterior(X, u, y, MIXED)
    before = objective(theta)
    value, gradient = objective.given(-3.0 * y)(theta)
    anew = FidelityNegativeLogPosterior(X, u, -3.0 * y, MIXED)(theta)
    assert value == anew[0] != before[0]
    np.testing.assert_array_equal(gradient, anew[1])
    assert objective(theta)[0] == before[0]


def test_what_is_not_definite_is_impossible() -> None:
    objective = FidelityNegativeLogPosterior(np.full((40, 3), 0.5), np.zeros(40), np.linspace(-1.0, 1.0, 40), NUMERIC)
    theta = _random_theta(3)
    theta[4] = -100.0
    value, gradient = objective(theta)
    assert 1e9 < value < np.inf
    np.testing.assert_allclose(gradient[:8], NegativeLogPrior(3, 3.0, 2.0**0.5 - 1.0)(theta[:-4])[1][:8])


# ---------------------------------------------------------------------------------------------------------- its maximum


def _theta(h: FidelityHyperparameters) -> Array:
    top = [*h.top.lengthscales, h.top.signal, h.top.noise, *h.top.effects]
    return np.log([*top, *(getattr(h, name) for name in REST)])


def _fitted(X: Array, u: Array, y: Array) -> FidelityHyperparameters:
    return most_probable(FidelityNegativeLogPosterior(X, u, y, NUMERIC), fidelity_beginnings(3), 100)[0]


@pytest.mark.parametrize("choices", SPACES, ids=str)
def test_the_most_probable_are_better_than_any_beginning_and_than_what_is_near(choices: NDArray[np.intp]) -> None:
    d, objective = len(choices), FidelityNegativeLogPosterior(*_data(30, choices), choices)
    starts = fidelity_beginnings(d)
    found, value = most_probable(objective, starts, 100)
    alone = [most_probable(objective, [start], 100)[1] for start in starts]
    assert value == min(alone)
    assert value < min(objective(_theta(start))[0] for start in starts) - 1.0
    np.testing.assert_allclose(objective(_theta(found))[0], value, rtol=1e-9)
    generator = np.random.default_rng(3)
    nearby = (fidelity_bounded(from_theta(_theta(found) + step, d)) for step in generator.normal(0, 0.3, (100, d + 10)))
    assert min(objective(_theta(other))[0] for other in nearby) > value - 1e-3


def test_it_finds_the_noise_of_low_fidelities() -> None:
    X, u = points(120, NUMERIC), np.resize([1.0, 0.0], 120)
    y = np.sin(4.0 * X[:, 0]) + 0.5 * u * np.random.default_rng(1).normal(size=120)
    found = _fitted(X, u, y / y.std())
    assert found.early_noise == pytest.approx(0.25 / y.var(), rel=0.4)
    assert found.top.noise < 0.01


def test_it_finds_whether_configurations_differ_in_how_they_rise() -> None:
    X, u = points(60, NUMERIC), np.resize([1.0, 0.5, 0.0], 60)
    same = np.sin(4.0 * X[:, 0]) + 2.0 * u
    each = np.sin(4.0 * X[:, 0]) + 4.0 * u * (X[:, 1] - 0.5)
    shared, own = (_fitted(X, u, (y - y.mean()) / y.std()) for y in (same, each))
    assert own.slope > 5.0 * shared.slope
    assert shared.trend > 2.0 * own.trend


@pytest.mark.parametrize("value", [1e-300, 1e300, np.inf])
def test_wild_hyperparameters_are_moved_into_the_bounds(value: float) -> None:
    wild = FidelityHyperparameters(Hyperparameters(np.full(3, value), value, value, np.full(4, value)), *[value] * 4)
    moved = fidelity_bounded(wild)
    limits = fidelity_fitting._BOUNDS
    for name, bound in zip(REST, np.exp(limits[:, int(value > 1.0)]), strict=True):
        assert getattr(moved, name) == pytest.approx(bound)
    assert np.isfinite(_theta(moved)).all()
    objective = FidelityNegativeLogPosterior(*_data(20, NUMERIC), NUMERIC)
    assert most_probable(objective, [wild], 50)[1] <= objective(_theta(moved))[0]


def test_hyperparameters_within_the_bounds_stay() -> None:
    start = dataclasses.replace(fidelity_beginnings(3)[0], walk=0.3, early_noise=0.02)
    np.testing.assert_allclose(_theta(fidelity_bounded(start)), _theta(start), rtol=1e-12)
