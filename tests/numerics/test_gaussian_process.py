"""The posterior against closed forms, finite differences, arithmetic of 40 digits and scikit-learn.

What GPyTorch says of it is in `test_reference_libraries`.
"""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from numerics.cube import points
from numerics.dense_process import covariance, posterior, tensor

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
LENGTHSCALES = np.array([0.3, 1.7, 0.05])
EFFECTS = np.array([0.5, 0.3, 0.02, 0.1])


def _values(X: Array) -> Array:
    return np.asarray(np.sin(5.0 * X[:, 0]) + X.sum(axis=1) - 1.5)


def _process(choices: NDArray[np.intp], n: int = 25, noise: float = 0.01) -> GaussianProcess:
    X = points(n, choices)
    lengthscales = np.linspace(0.4, 0.9, len(choices))
    return GaussianProcess(X, _values(X), choices, Hyperparameters(lengthscales, 1.3, noise, EFFECTS))


def _theta(hyperparameters: Hyperparameters) -> Array:
    h = hyperparameters
    return np.log([*h.lengthscales, h.signal, h.noise, *h.effects])


# ------------------------------------------------------------------------------------------------------------ posterior


def test_the_posterior_is_that_of_scikit_learn() -> None:
    X, Z = points(25, NUMERIC), points(40, NUMERIC, seed=1)
    kernel = ConstantKernel(1.3) * Matern(LENGTHSCALES, nu=2.5)
    reference = GaussianProcessRegressor(kernel, alpha=0.01, optimizer=None).fit(X, _values(X))
    mean, deviation = reference.predict(Z, return_std=True)
    ours = GaussianProcess(X, _values(X), NUMERIC, Hyperparameters(LENGTHSCALES, 1.3, 0.01)).predict(Z)
    np.testing.assert_allclose(ours[0], mean, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ours[1], deviation**2, rtol=1e-8)


@pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([4, 5])], ids=str)
def test_how_much_points_may_differ_is_of_the_prior_without_noise(choices: NDArray[np.intp]) -> None:
    process, Z = _process(choices, noise=0.5), points(40, choices, seed=1)
    both, theta = tensor(np.concatenate([process.X, Z])), tensor(_theta(process.hyperparameters))
    K = covariance(both, both, choices, theta).numpy()
    expected = K.diagonal()[:25, None] + K.diagonal()[25:] - 2.0 * K[:25, 25:]
    np.testing.assert_allclose(process.differences(Z), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(process.differences(process.X).diagonal(), 0.0, atol=1e-12)


@pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([4, 5])], ids=str)
def test_the_posterior_with_main_effects(choices: NDArray[np.intp]) -> None:
    process, Z = _process(choices), points(40, choices, seed=1)
    X, y, theta = tensor(process.X), tensor(process.y), tensor(_theta(process.hyperparameters))
    mean, variance = posterior(X, y, tensor(Z), choices, theta)
    np.testing.assert_allclose(process.predict(Z)[0], mean.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(process.predict(Z)[1], variance.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("choices", [NUMERIC, MIXED], ids=str)
def test_what_is_left_out_is_predicted_by_all_others(choices: NDArray[np.intp]) -> None:
    process = _process(choices)
    for index, density in enumerate(process.left_out()):
        others = np.arange(len(process.y)) != index
        rest = GaussianProcess(process.X[others], process.y[others], choices, process.hyperparameters)
        (mean,), (variance,) = rest.predict(process.X[index : index + 1])
        variance += process.hyperparameters.noise
        expected = -0.5 * ((process.y[index] - mean) ** 2 / variance + np.log(variance))
        assert density == pytest.approx(expected, rel=1e-8, abs=1e-9)


def test_the_posterior_of_a_single_point_in_closed_form() -> None:
    hyperparameters = Hyperparameters(np.ones(1), 1.5, 0.5, np.array([1.0, 0.0, 0.0, 0.0]))
    process = GaussianProcess(np.array([[1.0]]), np.array([2.0]), NUMERIC[:1], hyperparameters)
    prior = 1.5 + 3.0  # √3 is the value of the linear polynomial at the edge
    mean, variance = process.predict(np.array([[1.0]]))
    np.testing.assert_allclose([mean[0], variance[0]], [2.0 * prior / (prior + 0.5), prior - prior**2 / (prior + 0.5)])


def test_linear_effects_alone_are_ridge_regression() -> None:
    X = points(12, NUMERIC)
    hyperparameters = Hyperparameters(np.ones(3), 1e-9, 0.1, np.array([2.0, 1e-12, 1e-12, 1e-12]))
    process = GaussianProcess(X, _values(X), NUMERIC, hyperparameters)
    design, Z = 2.0 * X - 1.0, points(9, NUMERIC, seed=3)  # variance 2 · 3 / d = 2 for each coefficient
    coefficients = np.linalg.solve(design.T @ design + 0.1 / 2.0 * np.eye(3), design.T @ _values(X))
    np.testing.assert_allclose(process.predict(Z)[0], (2.0 * Z - 1.0) @ coefficients, rtol=1e-6, atol=1e-7)


def test_small_variances_keep_their_digits() -> None:
    X = np.linspace(0.0, 1.0, 30)[:, None]
    process = GaussianProcess(X, _values(X), NUMERIC[:1], Hyperparameters(np.ones(1), 2.0, 1e-6))
    Z = np.array([[0.3], [0.51], [0.999]])
    expected = [_exact_variance(process, float(z)) for z in Z[:, 0]]
    assert max(expected) < 1e-6
    np.testing.assert_allclose(process.predict(Z)[1], expected, rtol=1e-6)
    np.testing.assert_allclose(process.predict_with_gradient(Z)[1], expected, rtol=1e-6)


def _exact_variance(process: GaussianProcess, z: float) -> float:
    """With 40 digits, of a process in one dimension with length scale 1 and without effects."""
    signal, noise = process.hyperparameters.signal, process.hyperparameters.noise

    def kernel(x: float, other: float) -> mpmath.mpf:
        r = mpmath.sqrt(5) * abs(mpmath.mpf(x) - mpmath.mpf(other))
        return signal * (1 + r + r * r / 3) * mpmath.exp(-r)

    with mpmath.workdps(40):
        known = process.X[:, 0].tolist()
        K = mpmath.matrix([[kernel(x, other) for other in known] for x in known]) + noise * mpmath.eye(len(known))
        k = mpmath.matrix([kernel(x, z) for x in known])
        return float(signal - (k.T * mpmath.lu_solve(K, k))[0])


# ------------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([4, 5])], ids=str)
def test_gradients_of_the_posterior(choices: NDArray[np.intp]) -> None:
    process = _process(choices)
    Z = np.concatenate([points(5, choices, seed=1), process.X[:1]])
    Z = np.where(choices > 0, Z, 0.01 + 0.98 * Z)
    mean, variance, d_mean, d_variance = process.predict_with_gradient(Z)
    np.testing.assert_allclose([mean, variance], process.predict(Z), rtol=1e-9)
    for j in range(len(choices)):
        step = 1e-6 * np.eye(len(choices))[j] * (choices == 0)
        high, low = process.predict(Z + step), process.predict(Z - step)
        np.testing.assert_allclose(d_mean[:, j], (high[0] - low[0]) / 2e-6, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(d_variance[:, j], (high[1] - low[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_gradients_do_not_depend_on_the_other_points() -> None:
    process, Z = _process(MIXED), points(7, MIXED, seed=2)
    alone = [np.concatenate(parts) for parts in zip(*(process.predict_with_gradient(z[None]) for z in Z), strict=True)]
    for together, one_by_one in zip(process.predict_with_gradient(Z), alone, strict=True):
        np.testing.assert_allclose(together, one_by_one, rtol=1e-10, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ believing


@pytest.mark.parametrize("q", [1, 3, 40])
@pytest.mark.parametrize("noise", [0.01, 1e-6])
def test_believing_is_conditioning_on_the_mean(q: int, noise: float) -> None:
    process = _process(MIXED, noise=noise)
    pending, Z = points(q, MIXED, seed=9), points(20, MIXED, seed=4)
    X, y = np.concatenate([process.X, pending]), np.concatenate([process.y, process.predict(pending)[0]])
    anew = GaussianProcess(X, y, MIXED, process.hyperparameters)
    believing = process.believing(pending)
    np.testing.assert_array_equal(believing.X, X)
    np.testing.assert_array_equal(believing.y, y)
    for ours, expected in zip(believing.predict_with_gradient(Z), anew.predict_with_gradient(Z), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8)


def test_a_believed_point_keeps_the_mean_and_removes_the_doubt() -> None:
    process = _process(NUMERIC, noise=1e-4)
    pending, Z = points(3, NUMERIC, seed=9), points(20, NUMERIC, seed=4)
    believing = process.believing(pending)
    np.testing.assert_allclose(believing.predict(Z)[0], process.predict(Z)[0], atol=1e-8)
    assert np.all(believing.predict(pending)[1] < 0.1 * process.predict(pending)[1])
    assert np.all(believing.predict(Z)[1] <= process.predict(Z)[1] + 1e-12)


def test_points_may_be_believed_where_others_are_and_twice() -> None:
    process = _process(MIXED, noise=1e-6)
    pending = np.concatenate([process.X, process.X, np.repeat(points(1, MIXED, seed=9), 50, axis=0)])
    believing = process.believing(pending).believing(pending[-3:])
    mean, variance = believing.predict(pending)
    np.testing.assert_allclose(mean, process.predict(pending)[0], atol=1e-5)
    assert np.all((variance > 0.0) & (variance < 1e-5))


def test_a_process_is_not_changed_by_what_is_believed_after_it() -> None:
    process, Z = _process(MIXED), points(20, MIXED, seed=4)
    before = process.predict(Z)
    process.believing(points(5, MIXED, seed=9))
    np.testing.assert_array_equal(process.predict(Z), before)
