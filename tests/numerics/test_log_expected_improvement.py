"""Log expected improvement against arithmetic of arbitrary precision, quadrature and finite differences."""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

from neps._models.acquisition import LogExpectedImprovement, Sum, log_expected_improvement, log_h, log_h_slope
from neps._models.gaussian_process import GaussianProcess, Hyperparameters

Array = NDArray[np.float64]
FAR_BELOW = [-1e6, -12345.678, -1000.0, -100.1, -100.0, -99.9, -50.0, -10.0, -3.0]
AROUND = [-1.0 - 1e-9, -1.0, -1.0 + 1e-9, -0.5, -1e-8, 0.0, 1e-8, 0.7, 3.0, 8.0, 40.0, 1e3]
MIXED = np.array([0, 3, 0])


def _reference(z: float) -> tuple[float, float]:
    """log h and its derivative, with more digits than z² eats."""
    with mpmath.workdps(60):
        z = mpmath.mpf(z)
        density = mpmath.npdf(z)
        probability = mpmath.erfc(-z / mpmath.sqrt(2)) / 2
        h = density + z * probability
        return float(mpmath.log(h)), float(probability / h)


@pytest.mark.parametrize("z", [*FAR_BELOW, *AROUND])
def test_log_h_and_its_slope(z: float) -> None:
    value, slope = _reference(z)
    np.testing.assert_allclose(log_h(np.array(z)), value, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(log_h_slope(np.array(z)), slope, rtol=1e-11)


def test_it_is_strictly_increasing_where_expected_improvement_underflows() -> None:
    z = -np.logspace(6, -3, 1000)
    assert np.all(np.diff(log_h(z)) > 0.0)
    assert np.all(np.isfinite(log_h(z)))


def test_log_expected_improvement_is_the_mean_improvement() -> None:
    mean, deviation, best = 0.3, 0.7, 0.1
    draws = np.random.default_rng(0).normal(mean, deviation, 10**6)
    value = log_expected_improvement(np.array([mean]), np.array([deviation**2]), best)
    np.testing.assert_allclose(np.exp(value), np.maximum(best - draws, 0.0).mean(), rtol=5e-3)


@pytest.mark.parametrize("mean", [-3.0, 0.0, 0.3, 2.0, 6.0])
def test_log_expected_improvement_is_an_integral(mean: float) -> None:
    deviation, best = 0.4, 0.1
    nodes = [best - step * deviation for step in (0.0, 0.2, 1.0, 4.0, 15.0)]
    ends = zip(nodes[1:], nodes[:-1], strict=True)
    pieces = [quad(lambda f: (best - f) * norm.pdf(f, mean, deviation), *end, epsabs=0.0, epsrel=1e-11) for end in ends]
    integral = sum(value for value, _ in pieces)
    value = log_expected_improvement(np.array([mean]), np.array([deviation**2]), best)
    np.testing.assert_allclose(value, np.log(integral), rtol=1e-8)


def test_the_unit_of_the_loss_is_a_summand() -> None:
    mean, variance = np.array([-1.0, 0.2, 8.0]), np.array([0.3, 1.7, 0.04])
    one = log_expected_improvement(mean, variance, 0.1)
    other = log_expected_improvement(1e9 * mean, 1e18 * variance, 1e8)
    np.testing.assert_allclose(other, one + np.log(1e9), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------ gradients


def _process() -> tuple[GaussianProcess, Array]:
    """A process, and points with a category in the middle."""
    points = np.random.default_rng(0).random((30, 3))
    points[:, 1] = (np.floor(points[:, 1] * 3.0) + 0.5) / 3.0
    X, Z = points[:20], points[20:]
    y = np.sin(5.0 * X[:, 0]) + X[:, 1] + X[:, 2]
    hyperparameters = Hyperparameters(np.array([0.5, 1.5, 0.9]), 0.8, 1e-3, np.array([0.5, 0.3, 0.02, 0.1]))
    return GaussianProcess(X, y - y.mean(), MIXED, hyperparameters), Z


@pytest.mark.parametrize("best", [2.0, 0.0, -1.0, -30.0, -1e4])
@pytest.mark.parametrize("exploration", [1.0, 0.3, 0.01])
def test_gradients_of_log_expected_improvement(best: float, exploration: float) -> None:
    process, Z = _process()
    acquisition = LogExpectedImprovement(process, best, exploration)
    values, gradients = acquisition.with_gradient(Z)
    np.testing.assert_allclose(values, acquisition(Z), rtol=1e-8)
    np.testing.assert_array_equal(gradients[:, 1], 0.0)
    for j in (0, 2):
        step = 1e-5 * np.eye(3)[j]
        numerical = (acquisition(Z + step) - acquisition(Z - step)) / 2e-5
        np.testing.assert_allclose(gradients[:, j], numerical, rtol=1e-5, atol=1e-6 * np.abs(numerical).max())


def test_exploration_is_a_factor_of_the_standard_deviation() -> None:
    process, Z = _process()
    mean, variance = process.predict(Z)
    expected = [
        quad(lambda f, m=m, s=0.3 * s: (0.5 - f) * norm.pdf(f, m, s), min(0.5, m) - 12 * s, 0.5, points=[m])[0]
        for m, s in zip(mean, np.sqrt(variance), strict=True)
    ]
    found = np.exp(LogExpectedImprovement(process, 0.5, exploration=0.3)(Z))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_the_incumbent_has_the_lowest_mean_not_the_lowest_loss() -> None:
    """Of a noisy loss the lowest one is luck: here a single one among high ones, beside many that are low."""
    X = np.concatenate([np.linspace(0.0, 0.2, 9), np.linspace(0.8, 1.0, 9)])[:, None]
    losses = np.repeat([1.0, -1.0], 9)
    losses[4] = -1.5
    hyperparameters = Hyperparameters(np.array([1.0]), 1.0, 1.0, np.array([0.5, 0.3, 0.02, 0.1]))
    process = GaussianProcess(X, losses, np.array([0]), hyperparameters)
    assert LogExpectedImprovement(process, 0.0).incumbent[0] >= 0.8


def test_terms_are_added_with_their_gradients() -> None:
    process, Z = _process()
    one, other = LogExpectedImprovement(process, 0.0), LogExpectedImprovement(process, -3.0)
    values, gradients = Sum((one, other)).with_gradient(Z)
    np.testing.assert_allclose(Sum((one, other))(Z), one(Z) + other(Z), rtol=1e-14)
    np.testing.assert_allclose(values, one(Z) + other(Z), rtol=1e-9)
    np.testing.assert_allclose(gradients, one.with_gradient(Z)[1] + other.with_gradient(Z)[1], rtol=1e-14)
