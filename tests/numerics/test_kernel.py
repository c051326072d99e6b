"""The kernel and the features of main effects against scikit-learn, quadrature and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import eval_legendre
from sklearn.gaussian_process.kernels import Matern

from neps._models.kernel import category, matern52, matern52_slope, one_hot, squared_differences, squared_distances
from neps._models.main_effects import DEGREES, MainEffects
from numerics.cube import points

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 7])
LENGTHSCALES = np.array([0.3, 1.7, 0.05])


# --------------------------------------------------------------------------------------------------------------- kernel


def test_the_kernel_is_that_of_scikit_learn() -> None:
    X, Z = points(20, NUMERIC), points(11, NUMERIC, seed=1)
    ours = matern52(squared_distances(X, Z, LENGTHSCALES, NUMERIC))
    np.testing.assert_allclose(ours, Matern(LENGTHSCALES, nu=2.5)(X, Z), rtol=1e-10)


def test_categories_count_as_columns_of_a_one_hot_encoding() -> None:
    X = np.array([[0.1, 0.25], [0.4, 0.75], [0.9, 0.25]])
    hot = np.array([[0.1, 1.0, 0.0], [0.4, 0.0, 1.0], [0.9, 1.0, 0.0]])
    ours = matern52(squared_distances(X, X, np.array([0.5, 0.8]), np.array([0, 2])))
    scale = 0.8 * math.sqrt(2.0)
    np.testing.assert_allclose(ours, Matern(np.array([0.5, scale, scale]), nu=2.5)(hot), rtol=1e-10)


def test_all_categories_are_equally_far_apart() -> None:
    X = (np.arange(7.0)[:, None] + 0.5) / 7.0
    r2 = squared_distances(X, X, np.array([0.5]), np.array([7]))
    np.testing.assert_allclose(r2, 4.0 * (1.0 - np.eye(7)), rtol=1e-14)


def test_distances_are_sums_of_differences() -> None:
    X, Z, lengthscales = points(30, MIXED), points(30, MIXED, seed=1), np.array([0.3, 0.9, 2.0, 1.1])
    both, first = np.concatenate([X, Z]), np.arange(30)
    expected = (squared_differences(both, first, first + 30, MIXED).T / lengthscales**2).sum(axis=1)
    np.testing.assert_allclose(np.diagonal(squared_distances(X, Z, lengthscales, MIXED)), expected, rtol=1e-13)


@pytest.mark.parametrize("r2", [1e-8, 0.01, 1.0, 30.0])
def test_the_slope_of_the_kernel(r2: float) -> None:
    step = 1e-5 * r2
    numerical = (matern52(np.array(r2 + step)) - matern52(np.array(r2 - step))) / (2.0 * step)
    np.testing.assert_allclose(matern52_slope(np.array(r2)), numerical, rtol=1e-3 if r2 < 1e-6 else 1e-6)
    np.testing.assert_allclose(matern52_slope(np.array(0.0)), -5.0 / 6.0)


@pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([4, 9])], ids=str)
def test_the_kernel_is_positive_definite(choices: NDArray[np.intp]) -> None:
    X = np.concatenate([points(60, choices), points(60, choices) + 1e-13 * (choices == 0)])
    for scale in (0.05, 0.5, 20.0):
        K = matern52(squared_distances(X, X, np.full(len(choices), scale), choices))
        np.testing.assert_array_equal(K, K.T)
        assert np.linalg.eigvalsh(K).min() > -1e-11


@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 1000])
def test_each_category_is_recognised_by_its_coordinate(count: int) -> None:
    x = (np.arange(count) + 0.5) / count
    np.testing.assert_array_equal(category(x, count), np.arange(count))
    np.testing.assert_array_equal(one_hot(x, count), np.eye(count))
    np.testing.assert_array_equal(category(np.array([0.0, 1.0]), count), [0, count - 1])


# --------------------------------------------------------------------------------------------------------- main effects


def _quadrature() -> tuple[Array, Array]:
    """Points and weights on [0, 1], exact for polynomials of degree 39."""
    u, weights = np.polynomial.legendre.leggauss(20)
    return 0.5 * (u + 1.0), 0.5 * weights


def test_polynomials_are_orthonormal_and_have_mean_0() -> None:
    x, weights = _quadrature()
    features = MainEffects(NUMERIC[:1], 1.0).features(x[:, None])
    np.testing.assert_allclose((features * weights[:, None]).T @ features, np.eye(DEGREES), atol=1e-13)
    np.testing.assert_allclose(weights @ features, 0.0, atol=1e-13)


def test_polynomials_are_those_of_legendre_by_degree() -> None:
    X = points(15, MIXED)
    effects = MainEffects(MIXED, len(MIXED))
    features = effects.features(X)
    numbers = 2.0 * X[:, MIXED == 0] - 1.0
    for degree in range(1, DEGREES + 1):
        expected = math.sqrt(2 * degree + 1) * eval_legendre(degree, numbers) / math.sqrt(len(MIXED))
        np.testing.assert_allclose(features[:, 2 * (degree - 1) : 2 * degree], expected, rtol=1e-12, atol=1e-14)
        assert (effects.degrees[2 * (degree - 1) : 2 * degree] == degree - 1).all()


def test_categories_have_an_effect_each_of_the_first_degree() -> None:
    X = points(30, MIXED)
    effects = MainEffects(MIXED, len(MIXED))
    categories = effects.features(X)[:, 2 * DEGREES :]
    expected = [(X[:, j, None] == X[None, :, j]) / len(MIXED) for j in (1, 3)]
    np.testing.assert_allclose(categories @ categories.T, sum(expected), rtol=1e-14)
    assert effects.degrees.shape == (2 * DEGREES + 3 + 7,)
    assert not effects.degrees[2 * DEGREES :].any()


def test_a_degree_with_variance_1_gives_a_sum_with_variance_1_on_average() -> None:
    x, weights = _quadrature()
    choices = np.array([0, 0, 5])
    X = np.column_stack([x, x, np.full_like(x, 0.5)])
    effects = MainEffects(choices, len(choices))
    squares = weights @ effects.features(X) ** 2
    np.testing.assert_allclose(np.bincount(effects.degrees, weights=squares), [1.0, 2 / 3, 2 / 3, 2 / 3], rtol=1e-13)


@pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([2, 2])], ids=str)
def test_slopes_of_main_effects(choices: NDArray[np.intp]) -> None:
    effects = MainEffects(choices, len(choices))
    Z = points(6, choices)
    weights = np.random.default_rng(1).normal(size=(6, len(effects.degrees)))
    slopes = effects.slopes(Z, weights)
    for j in range(len(choices)):
        step = 1e-6 * np.eye(len(choices))[j] * (choices == 0)
        rise = ((effects.features(Z + step) - effects.features(Z - step)) * weights).sum(axis=1)
        np.testing.assert_allclose(slopes[:, j], rise / 2e-6, rtol=1e-7, atol=1e-8)
