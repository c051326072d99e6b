"""What a model makes of inactive coordinates: distances, effects, gradients, and nothing new where all are active."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from benchmarks.conditional.kernels import WAYS
from benchmarks.conditional.process import Process
from benchmarks.conditional.running import kind_of
from neps._models.acquisition import LogExpectedImprovement
from neps._models.fidelity_fitting import FidelityNegativeLogPosterior
from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.fitting import NegativeLogPosterior, to_theta
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.kernel import active_count, matern52, squared_differences, squared_distances
from neps._models.main_effects import DEGREES, MainEffects
from neps._models.terms import LogPrior
from neps.samplers._model_based.axes import axes_of
from neps.samplers._model_based.priors import log_prior
from neps.space import Categorical, Float, SearchSpace
from numerics.cube import points
from rigs.conditional_spaces import random_space

Array = NDArray[np.float64]
MIXED = np.array([0, 3, 0, 2])
EFFECTS = np.array([0.3, 0.2, 0.1, 0.05])
NAN = np.nan


def holed(n: int, seed: int = 0) -> Array:
    """Points of which the last three coordinates are inactive half of the time."""
    X = points(n, MIXED, seed)
    off = np.random.default_rng(seed + 99).random(X.shape) < 0.5
    off[:, 0] = False
    return np.where(off, np.nan, X)


def targets(X: Array) -> Array:
    return np.asarray(np.sin(5.0 * X[:, 0]) + np.nan_to_num(X).sum(axis=1) - 1.0)


def process(n: int = 15, noise: float = 1e-3) -> GaussianProcess:
    X = holed(n)
    return GaussianProcess(X, targets(X), MIXED, Hyperparameters(np.array([0.4, 0.9, 1.3, 0.7]), 1.3, noise, EFFECTS))


def test_an_inactive_coordinate_lies_beside_the_axis() -> None:
    numbers = np.array([[0.5], [1.0], [NAN], [NAN]])
    r2 = squared_distances(numbers, numbers, np.array([0.5]), np.array([0]))
    np.testing.assert_allclose(r2[2], [0.25 / 0.25, 0.5 / 0.25, 0.0, 0.0], atol=1e-15)
    categories = np.array([[0.25], [0.75], [NAN]])
    r2 = squared_distances(categories, categories, np.array([1.0]), np.array([2]))
    np.testing.assert_allclose(r2, [[0.0, 1.0, 0.75], [1.0, 0.0, 0.75], [0.75, 0.75, 0.0]], atol=1e-15)


def test_squared_differences_of_pairs_add_up_to_squared_distances() -> None:
    X, Z, lengthscales = holed(30), holed(30, seed=1), np.array([0.3, 0.7, 1.1, 2.0])
    both, first = np.concatenate([X, Z]), np.arange(30)
    expected = (squared_differences(both, first, first + 30, MIXED).T / lengthscales**2).sum(axis=1)
    np.testing.assert_allclose(np.diagonal(squared_distances(X, Z, lengthscales, MIXED)), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_the_kernel_is_positive_semidefinite_on_random_spaces(seed: int) -> None:
    space = random_space(seed, parameters=12)
    generator = np.random.default_rng(seed)
    X = np.array([space.encode(space.sample(generator)) for _ in range(60)])
    choices = axes_of(space).choices
    for scale in (0.05, 0.5, 20.0):
        K = matern52(squared_distances(X, X, np.full(len(choices), scale), choices))
        np.testing.assert_allclose(np.diagonal(K), 1.0, atol=1e-11)
        assert np.linalg.eigvalsh(K).min() > -1e-10


def test_where_all_are_active_nothing_changes_bit_for_bit() -> None:
    """Those that lie beside the axis have columns of their own: they may cost others their last digits only."""
    X, Z = points(20, MIXED), points(5, MIXED, seed=1)
    plain = GaussianProcess(X, targets(X), MIXED, process().hyperparameters)
    counted = GaussianProcess(X, targets(X), MIXED, process().hyperparameters, active=4.0)
    for ours, expected in zip(plain.predict_with_gradient(Z), counted.predict_with_gradient(Z), strict=True):
        np.testing.assert_array_equal(ours, expected)
    beside = squared_distances(np.concatenate([X, holed(1)]), Z, np.ones(4), MIXED)[:20]
    np.testing.assert_allclose(beside, squared_distances(X, Z, np.ones(4), MIXED), rtol=1e-12)
    assert active_count(X) == 4.0


def test_main_effects_of_what_is_inactive_are_none() -> None:
    X = np.array([[0.3, NAN, 0.7, 0.25], [0.3, 0.5, NAN, NAN]])
    phi = MainEffects(MIXED, 3.0).features(X)
    full = MainEffects(MIXED, 3.0).features(np.array([[0.3, 0.5, 0.7, 0.25]] * 2))
    numbers, categories = np.tile([True, True], DEGREES), np.array([True] * 5)
    of_first = np.concatenate([numbers, np.arange(5) >= 3])
    of_second = np.concatenate([np.tile([True, False], DEGREES), np.arange(5) < 3])
    assert len(categories) + len(numbers) == phi.shape[1]
    np.testing.assert_array_equal(phi, full * [of_first, of_second])


def test_gradients_of_the_posterior_along_active_axes() -> None:
    found, Z = process(), holed(9, seed=3)
    Z = np.where(MIXED > 0, Z, 0.01 + 0.98 * Z)
    mean, variance, d_mean, d_variance = found.predict_with_gradient(Z)
    np.testing.assert_allclose([mean, variance], found.predict(Z), rtol=1e-9)
    assert np.isfinite([d_mean, d_variance]).all()
    for j in range(4):
        step = 1e-6 * np.eye(4)[j] * (MIXED == 0)
        high, low = found.predict(Z + step), found.predict(Z - step)
        np.testing.assert_allclose(d_mean[:, j], (high[0] - low[0]) / 2e-6, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(d_variance[:, j], (high[1] - low[1]) / 2e-6, rtol=1e-6, atol=1e-8)
    assert not np.isnan(LogExpectedImprovement(found, 0.0).with_gradient(Z)[1]).any()


def test_finite_differences_of_the_log_posterior() -> None:
    X = holed(14)
    objective, theta = NegativeLogPosterior(X, targets(X), MIXED), 0.3 * np.arange(10.0) - 1.5
    numerical = approx_fprime(theta, lambda at: objective(at)[0], 1e-7)
    np.testing.assert_allclose(objective(theta)[1], numerical, rtol=1e-4, atol=1e-5)


def test_finite_differences_of_the_log_posterior_over_fidelities() -> None:
    X = holed(14)
    objective = FidelityNegativeLogPosterior(X, np.linspace(0.0, 1.0, 14), targets(X), MIXED)
    theta = 0.2 * np.arange(14.0) - 1.5
    numerical = approx_fprime(theta, lambda at: objective(at)[0], 1e-7)
    np.testing.assert_allclose(objective(theta)[1], numerical, rtol=1e-4, atol=1e-5)


def test_believing_keeps_how_many_are_active_at_once() -> None:
    found, X = process(), points(6, MIXED, seed=5)
    believed = found.believing(X)
    anew = GaussianProcess(believed.X, believed.y, MIXED, found.hyperparameters, active_count(found.X))
    np.testing.assert_allclose(believed.predict(holed(9, 7)), anew.predict(holed(9, 7)), rtol=1e-7)
    over = FidelityProcess(found.X, np.zeros(15), found.y, MIXED, FidelityHyperparameters(found.hyperparameters))
    at_the_top = over.believing_at(X, np.zeros(6))
    np.testing.assert_allclose(at_the_top.mean(holed(9, 7)), found.mean(holed(9, 7)), rtol=1e-5, atol=1e-5)


def test_the_comparison_compares_this_model() -> None:
    """The process of the benchmark, in the way that neps has kept, is neps's own."""
    space = SearchSpace(
        {
            "kind": Categorical(["a", "b", "c"]),
            "x": Float(0, 1),
            "y": Float(0, 1, active_if={"kind": "a"}),
            "z": Categorical([1, 2], active_if={"kind": ["b", "c"]}),
        }
    )
    generator = np.random.default_rng(0)
    X = np.array([space.encode(space.sample(generator)) for _ in range(25)])
    choices, y = axes_of(space).choices, targets(X[:, [1, 0, 2, 3]])
    ours = GaussianProcess(X, y, choices, Hyperparameters(np.array([0.4, 0.9, 1.3, 0.7]), 1.3, 1e-3, EFFECTS))
    theirs, theta = Process(WAYS["beside the axis"], kind_of(space), X, y), to_theta(ours.hyperparameters)
    Z = np.array([space.encode(space.sample(generator)) for _ in range(9)])
    np.testing.assert_allclose(theirs.predict(theta, Z), ours.predict(Z), rtol=1e-6)
    objective = NegativeLogPosterior(X, y, choices)
    np.testing.assert_allclose(theirs.negative_log_posterior(theta)[0], objective(theta)[0], rtol=1e-9)
    np.testing.assert_allclose(theirs.negative_log_posterior(theta)[1], objective(theta)[1], rtol=1e-6, atol=1e-6)


def test_the_prior_of_what_is_inactive_is_that_of_a_draw() -> None:
    """The term's mean over draws of an active parameter is its value where that is inactive."""
    space = SearchSpace(
        {
            "kind": Categorical(["a", "b"]),
            "x": Float(0, 1, default=0.5, default_confidence="high", active_if={"kind": "a"}),
            "c": Categorical([1, 2, 3], default=2, active_if={"kind": "a"}),
        }
    )
    term = log_prior(space, 2.0)
    assert isinstance(term, LogPrior)
    quantiles = (np.arange(3000) + 0.5) / 3000
    x = np.array([space["x"].quantile(each) for each in quantiles])
    c = np.array([space["c"].to_unit(space["c"].from_unit(space["c"].quantile(each))) for each in quantiles])
    drawn = np.column_stack([np.full(3000, 0.25), x, c])
    inactive = term(np.array([[0.75, NAN, NAN]]))
    np.testing.assert_allclose(inactive, term(drawn).mean(), atol=5e-3)
    values, slopes = term.with_gradient(np.array([[0.25, 0.4, 0.5], [0.75, NAN, NAN]]))
    assert np.isfinite(values).all()
    assert slopes[0, 1] > 0.0
    assert slopes[1].tolist() == [0.0, 0.0, 0.0]
