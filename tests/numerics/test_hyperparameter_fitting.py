"""The log posterior of hyperparameters against torch's distributions and automatic differentiation, and its maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from torch.distributions import LogNormal, Normal

from neps._models import fitting
from neps._models.fitting import NOISE_FLOOR, NegativeLogPosterior, beginnings, fit, most_probable
from neps._models.gaussian_process import Hyperparameters
from neps._models.main_effects import DEGREES
from numerics.cube import points
from numerics.dense_process import log_marginal_likelihood, tensor

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
SPACES = [NUMERIC[:1], NUMERIC, MIXED, np.array([4, 5]), np.array([0, 2] * 5)]


def _values(X: Array) -> Array:
    y = np.sin(5.0 * X[:, 0]) + X.sum(axis=1)
    return np.asarray((y - y.mean()) / (y.std() or 1.0))


def _theta(hyperparameters: Hyperparameters) -> Array:
    h = hyperparameters
    return np.log([*h.lengthscales, h.signal, h.noise, *h.effects])


def _random_theta(d: int, seed: int = 5) -> Array:
    return np.random.default_rng(seed).normal([*[-0.5] * (d + 1), -4.0, *[-1.0] * 4], 0.5)


def _priors(d: int) -> list[tuple[float, float]]:
    """Mean and standard deviation of the logarithm of each hyperparameter."""
    lengthscales = (math.sqrt(2.0) + 0.5 * math.log(d), fitting._LENGTHSCALE_SIGMA)
    return [lengthscales] * d + [fitting._SIGNAL_PRIOR, fitting._NOISE_PRIOR] + [fitting._EFFECTS_PRIOR] * DEGREES


def _reference(X: Array, y: Array, choices: NDArray[np.intp], theta: Array) -> tuple[float, Array]:
    """Minus the log of likelihood times prior, and its gradient; effects have their mode in the logarithm."""
    at = tensor(theta, differentiable=True)
    means, sigmas = (tensor(np.array(column)) for column in zip(*_priors(len(choices)), strict=True))
    value = log_marginal_likelihood(tensor(X), tensor(y), choices, at)
    value = value + LogNormal(means[:-DEGREES], sigmas[:-DEGREES]).log_prob(at[:-DEGREES].exp()).sum()
    value = value + Normal(means[-DEGREES:], sigmas[-DEGREES:]).log_prob(at[-DEGREES:]).sum()
    (gradient,) = torch.autograd.grad(-value, at)
    return -value.item(), np.asarray(gradient.numpy())


# -------------------------------------------------------------------------------------------------------- log posterior


@pytest.mark.parametrize("choices", SPACES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 20])
def test_the_log_posterior_and_its_gradient(choices: NDArray[np.intp], n: int) -> None:
    X, d = points(n, choices), len(choices)
    objective = NegativeLogPosterior(X, _values(X), choices)
    # The factors 1 / (σ √2π) of the priors are left out of ours: they are the same at any θ.
    constant = sum(math.log(sigma * math.sqrt(2.0 * math.pi)) for _, sigma in _priors(d))
    for seed in range(3):
        theta = _random_theta(d, seed)
        value, gradient = objective(theta)
        expected, expected_gradient = _reference(X, _values(X), choices, theta)
        np.testing.assert_allclose(value + constant, expected, rtol=1e-10)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("choices", SPACES, ids=str)
def test_finite_differences_of_the_log_posterior(choices: NDArray[np.intp]) -> None:
    X = points(12, choices)
    objective, theta = NegativeLogPosterior(X, _values(X), choices), _random_theta(len(choices))
    numerical = approx_fprime(theta, lambda at: objective(at)[0], 1e-7)
    np.testing.assert_allclose(objective(theta)[1], numerical, rtol=1e-4, atol=1e-5)


def test_other_targets_of_the_same_points() -> None:
    X, theta = points(12, MIXED), _random_theta(4)
    objective = NegativeLogPosterior(X, _values(X), MIXED)
    before = objective(theta)
    value, gradient = objective.given(-3.0 * _values(X))(theta)
    anew = NegativeLogPosterior(X, -3.0 * _values(X), MIXED)(theta)
    assert value == anew[0] != before[0]
    np.testing.assert_array_equal(gradient, anew[1])
    assert objective(theta)[0] == before[0]


# ------------------------------------------------------------------------------------------------------------------ fit


@pytest.mark.parametrize("choices", SPACES, ids=str)
def test_the_fit_is_a_maximum(choices: NDArray[np.intp]) -> None:
    X, d = points(30, choices), len(choices)
    objective = NegativeLogPosterior(X, _values(X), choices)
    theta = _theta(fit(X, _values(X), choices).hyperparameters)
    value = objective(theta)[0]
    generator = np.random.default_rng(3)
    lowest = np.log([*[0.005] * d, 0.05, NOISE_FLOOR, *[1e-6] * 4])
    nearby = [np.maximum(theta + generator.normal(0.0, 0.3, d + 6), lowest) for _ in range(200)]
    assert min(objective(other)[0] for other in nearby) > value - 1e-4


def test_the_fit_finds_which_dimensions_matter() -> None:
    X = points(60, NUMERIC)
    y = np.sin(12.0 * X[:, 0]) * np.cos(4.0 * X[:, 1])
    lengthscales = fit(X, y / y.std(), NUMERIC).hyperparameters.lengthscales
    assert lengthscales[0] < lengthscales[1] < 0.2 * lengthscales[2]


def test_the_fit_finds_the_noise() -> None:
    X = points(150, NUMERIC)
    y = _values(X) + 0.3 * np.random.default_rng(1).normal(size=150)
    assert fit(X, y, NUMERIC).hyperparameters.noise == pytest.approx(0.09, rel=0.3)
    assert fit(X, _values(X), NUMERIC).hyperparameters.noise < 1e-4


def test_the_fit_tells_sums_from_interactions() -> None:
    X = points(60, np.zeros(5, dtype=np.intp))
    choices = np.zeros(5, dtype=np.intp)
    total = (X**2).sum(axis=1)
    product = np.prod(np.sin(3.0 * X), axis=1)
    additive = fit(X, (total - total.mean()) / total.std(), choices).hyperparameters
    interacting = fit(X, (product - product.mean()) / product.std(), choices).hyperparameters
    assert additive.effects.sum() / additive.signal > 3.0 * interacting.effects.sum() / interacting.signal


def test_a_sum_in_many_dimensions_is_learnt_from_few_points() -> None:
    choices = np.zeros(30, dtype=np.intp)
    X, Z = points(80, choices), points(50, choices, seed=1)
    mean, _ = fit(X, 2.0 * (X.sum(axis=1) - 15.0) / math.sqrt(10.0), choices).predict(Z)
    truth = 2.0 * (Z.sum(axis=1) - 15.0) / math.sqrt(10.0)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.1 * truth.std()


def test_the_best_of_several_starts_is_taken() -> None:
    X = points(25, NUMERIC)
    objective = NegativeLogPosterior(X, _values(X), NUMERIC)
    found = [most_probable(objective, [start], 100)[1] for start in beginnings(3)]
    assert most_probable(objective, beginnings(3), 100)[1] == min(found)


def test_a_start_beyond_the_bounds_is_moved_into_them() -> None:
    X = points(25, NUMERIC)
    wild = Hyperparameters(np.array([1e-300, 1e300, np.inf]), 1e-300, 1e300, np.array([np.inf, 1e-300, 1.0, 1.0]))
    mean, variance = fit(X, _values(X), NUMERIC, wild).predict(points(9, NUMERIC, seed=2))
    assert np.isfinite(mean).all()
    assert np.all((variance > 0.0) & (variance < 100.0))
