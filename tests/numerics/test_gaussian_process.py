"""The Gaussian process against closed forms, finite differences and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.stats import lognorm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from neps.models.fitting import NOISE_FLOOR, NegativeLogPosterior, fit
from neps.models.gaussian_process import GaussianProcess, Hyperparameters
from neps.models.kernel import matern52, matern52_slope, squared_distances

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=bool)
LENGTHSCALES = np.array([0.3, 1.7, 0.05])


def _data(n: int, d: int = 3, seed: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    X = generator.random((n, d))
    return X, np.sin(5.0 * X[:, 0]) + X.sum(axis=1) - 1.5


def test_the_kernel_is_that_of_scikit_learn() -> None:
    X, _ = _data(20)
    Z, _ = _data(11, seed=1)
    ours = matern52(squared_distances(X, Z, LENGTHSCALES, NUMERIC))
    np.testing.assert_allclose(ours, Matern(LENGTHSCALES, nu=2.5)(X, Z), rtol=1e-10)


def test_categories_count_as_columns_of_a_one_hot_encoding() -> None:
    X = np.array([[0.1, 0.25], [0.4, 0.75], [0.9, 0.25]])
    hot = np.array([[0.1, 1.0, 0.0], [0.4, 0.0, 1.0], [0.9, 1.0, 0.0]])
    ours = matern52(squared_distances(X, X, np.array([0.5, 0.8]), np.array([False, True])))
    scale = 0.8 * math.sqrt(2.0)
    np.testing.assert_allclose(ours, Matern(np.array([0.5, scale, scale]), nu=2.5)(hot), rtol=1e-10)


@pytest.mark.parametrize("r2", [1e-8, 0.01, 1.0, 30.0])
def test_the_slope_of_the_kernel(r2: float) -> None:
    step = 1e-5 * r2
    numerical = (matern52(np.array(r2 + step)) - matern52(np.array(r2 - step))) / (2.0 * step)
    np.testing.assert_allclose(matern52_slope(np.array(r2)), numerical, rtol=1e-3 if r2 < 1e-6 else 1e-6)
    np.testing.assert_allclose(matern52_slope(np.array(0.0)), -5.0 / 6.0)


def test_the_posterior_is_that_of_scikit_learn() -> None:
    X, y = _data(25)
    Z, _ = _data(40, seed=1)
    kernel = ConstantKernel(1.3) * Matern(LENGTHSCALES, nu=2.5)
    reference = GaussianProcessRegressor(kernel, alpha=0.01, optimizer=None).fit(X, y)
    mean, deviation = reference.predict(Z, return_std=True)
    ours = GaussianProcess(X, y, NUMERIC, Hyperparameters(LENGTHSCALES, 1.3, 0.01)).predict(Z)
    np.testing.assert_allclose(ours[0], mean, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ours[1], deviation**2, rtol=1e-8)


def test_the_posterior_of_a_single_point_in_closed_form() -> None:
    process = GaussianProcess(np.array([[0.5]]), np.array([2.0]), NUMERIC[:1], Hyperparameters(np.ones(1), 1.5, 0.5))
    mean, variance = process.predict(np.array([[0.5]]))
    np.testing.assert_allclose([mean[0], variance[0]], [2.0 * 1.5 / 2.0, 1.5 - 1.5**2 / 2.0])


def test_gradients_of_the_posterior() -> None:
    X, y = _data(15)
    categorical = np.array([False, False, True])
    X[:, 2] = np.round(X[:, 2])
    process = GaussianProcess(X, y, categorical, Hyperparameters(np.array([0.4, 0.9, 0.7]), 1.3, 0.01))
    z = np.array([0.35, 0.61, 1.0])
    mean, variance, d_mean, d_variance = process.predict_with_gradient(z)
    expected_mean, expected_variance = process.predict(z[None, :])
    np.testing.assert_allclose([mean, variance], [expected_mean[0], expected_variance[0]], rtol=1e-9)
    assert d_mean[2] == d_variance[2] == 0.0
    for j in range(2):
        step = np.eye(3)[j] * 1e-6
        high, low = process.predict((z + step)[None, :]), process.predict((z - step)[None, :])
        np.testing.assert_allclose(d_mean[j], (high[0][0] - low[0][0]) / 2e-6, rtol=1e-6)
        np.testing.assert_allclose(d_variance[j], (high[1][0] - low[1][0]) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("d", [1, 3, 10])
def test_gradients_of_the_log_posterior(d: int) -> None:
    X, y = _data(12, d)
    categorical = np.arange(d) == 2
    X[:, categorical] = np.round(X[:, categorical])
    objective = NegativeLogPosterior(X, y, categorical)
    theta = np.random.default_rng(5).normal(-0.5, 0.5, d + 2)
    numerical = approx_fprime(theta, lambda at: objective(at)[0], 1e-7)
    np.testing.assert_allclose(objective(theta)[1], numerical, rtol=1e-4, atol=1e-5)


def test_the_log_posterior_is_likelihood_times_prior() -> None:
    X, y = _data(12)
    theta = np.log([*LENGTHSCALES, 1.3, 0.02])
    kernel = ConstantKernel(1.3) * Matern(LENGTHSCALES, nu=2.5) + WhiteKernel(0.02)
    reference = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(X, y)
    prior = lognorm.logpdf(LENGTHSCALES, math.sqrt(3.0), scale=math.exp(math.sqrt(2.0) + math.log(3.0) / 2.0)).sum()
    prior += lognorm.logpdf(1.3, 1.0, scale=math.exp(1.0)) + lognorm.logpdf(0.02, 2.0, scale=math.exp(-5.0))
    expected = reference.log_marginal_likelihood_value_ + prior
    objective = NegativeLogPosterior(X, y, NUMERIC)
    # Our value leaves out the prior's constants, which are the same at any theta.
    other = np.log([0.5, 0.5, 0.5, 1.0, 1e-3])
    kernel = ConstantKernel(1.0) * Matern([0.5] * 3, nu=2.5) + WhiteKernel(1e-3)
    reference = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(X, y)
    prior = lognorm.logpdf([0.5] * 3, math.sqrt(3.0), scale=math.exp(math.sqrt(2.0) + math.log(3.0) / 2.0)).sum()
    prior += lognorm.logpdf(1.0, 1.0, scale=math.exp(1.0)) + lognorm.logpdf(1e-3, 2.0, scale=math.exp(-5.0))
    difference = expected - (reference.log_marginal_likelihood_value_ + prior)
    np.testing.assert_allclose(objective(other)[0] - objective(theta)[0], difference, rtol=1e-8)


def test_the_fit_is_a_maximum() -> None:
    X, y = _data(30)
    found = fit(X, y, NUMERIC).hyperparameters
    objective = NegativeLogPosterior(X, y, NUMERIC)
    theta = np.log([*found.lengthscales, found.signal, found.noise])
    value = objective(theta)[0]
    generator = np.random.default_rng(3)
    lowest = np.log(NOISE_FLOOR)
    nearby = [np.maximum(theta + generator.normal(0.0, 0.3, 5), [-9, -9, -9, -9, lowest]) for _ in range(200)]
    assert min(objective(other)[0] for other in nearby) > value - 1e-4


def test_a_believed_point_keeps_the_mean_and_removes_the_doubt() -> None:
    X, y = _data(12)
    process = fit(X, y, NUMERIC)
    pending, _ = _data(3, seed=9)
    Z, _ = _data(20, seed=4)
    believing = process.believing(pending)
    np.testing.assert_allclose(believing.predict(Z)[0], process.predict(Z)[0], atol=1e-6)
    assert np.all(believing.predict(pending)[1] < 0.1 * process.predict(pending)[1])


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.full((1, 3), 0.5), np.zeros(1)),
        (_data(8)[0], np.zeros(8)),
        (np.full((6, 3), 0.5), np.array([1.0, -1.0, 0.5, -0.5, 0.0, 0.0])),
        (0.5 + 1e-13 * _data(10)[0], _data(10)[1]),
        (np.repeat(_data(20)[0], 3, axis=0), np.repeat(_data(20)[1], 3)),
        (_data(10)[0] * [1.0, 0.0, 1.0], _data(10)[1]),
    ],
    ids=["n=1", "constant outputs", "one point", "near duplicates", "duplicates", "constant dimension"],
)
def test_ill_conditioned_data(X: Array, y: Array) -> None:
    Z, _ = _data(30, seed=8)
    mean, variance = fit(X, y, NUMERIC).predict(np.concatenate([X, Z]))
    assert np.all(np.isfinite(mean))
    assert np.all(np.abs(mean) < 10.0)
    assert np.all((variance > 0.0) & (variance < 25.0))
