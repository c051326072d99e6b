"""The posterior over configurations and fidelities against a closed form and finite differences.

What GPyTorch says of it is in `test_reference_libraries`.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from numerics.cube import points
from numerics.dense_fidelity_process import posterior

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
CATEGORICAL = np.array([4, 5])
SPACES = pytest.mark.parametrize("choices", [NUMERIC, MIXED, CATEGORICAL], ids=str)
LEVELS = np.array([1.0, 0.6, 0.25, 0.0])


def _hyperparameters(d: int, noise: float = 0.01) -> FidelityHyperparameters:
    top = Hyperparameters(np.linspace(0.4, 0.9, d), 1.3, noise, np.array([0.5, 0.3, 0.02, 0.1]))
    return FidelityHyperparameters(top, walk=0.3, slope=0.7, trend=0.4, early_noise=0.05)


def _data(choices: NDArray[np.intp], n: int = 20) -> tuple[Array, Array, Array]:
    X, u = points(n, choices), np.resize(LEVELS, n)
    return X, u, np.asarray(np.sin(5.0 * X[:, 0]) + X.sum(axis=1) - 1.5 + u * (0.5 + X[:, 0]))


def _process(choices: NDArray[np.intp], n: int = 20, noise: float = 0.01) -> FidelityProcess:
    return FidelityProcess(*_data(choices, n), choices, _hyperparameters(len(choices), noise))


# ------------------------------------------------------------------------------------------------------------ posterior


@SPACES
@pytest.mark.parametrize("n", [1, 2, 20])
def test_the_posterior_at_the_highest_fidelity(choices: NDArray[np.intp], n: int) -> None:
    process, Z = _process(choices, n), points(15, choices, seed=1)
    mean, variance = process.predict(Z)
    expected, covariances = posterior(process, Z, np.zeros(15))
    np.testing.assert_allclose(mean, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(variance, np.diagonal(covariances), rtol=1e-8, atol=1e-11)


@SPACES
def test_the_posterior_of_a_configuration_over_fidelities(choices: NDArray[np.intp]) -> None:
    process, Z = _process(choices), points(6, choices, seed=1)
    means, covariances = process.joint(Z, LEVELS)
    assert means.shape == (6, 4)
    for z, mean, covariance_of_z in zip(Z, means, covariances, strict=True):
        expected, expected_covariance = posterior(process, np.tile(z, (4, 1)), LEVELS)
        np.testing.assert_allclose(mean, expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(covariance_of_z, expected_covariance, rtol=1e-8, atol=1e-10)


def test_the_joint_posterior_ends_in_that_of_the_highest_fidelity() -> None:
    process, Z = _process(MIXED), points(9, MIXED, seed=1)
    means, covariances = process.joint(Z, LEVELS)
    np.testing.assert_allclose([means[:, -1], covariances[:, -1, -1]], process.predict(Z), rtol=1e-9)
    np.testing.assert_allclose(covariances, covariances.transpose(0, 2, 1), atol=1e-14)
    assert np.linalg.eigvalsh(covariances).min() > -1e-12


@SPACES
def test_gradients_at_the_highest_fidelity(choices: NDArray[np.intp]) -> None:
    process = _process(choices)
    Z = np.concatenate([points(5, choices, seed=1), process.X[:2]])
    Z = np.where(choices > 0, Z, 0.01 + 0.98 * Z)
    mean, variance, d_mean, d_variance = process.predict_with_gradient(Z)
    np.testing.assert_allclose([mean, variance], process.predict(Z), rtol=1e-9)
    for j in range(len(choices)):
        step = 1e-6 * np.eye(len(choices))[j] * (choices == 0)
        high, low = process.predict(Z + step), process.predict(Z - step)
        np.testing.assert_allclose(d_mean[:, j], (high[0] - low[0]) / 2e-6, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(d_variance[:, j], (high[1] - low[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_at_the_highest_fidelity_alone_it_is_the_plain_process() -> None:
    X, _, y = _data(MIXED)
    h, Z = _hyperparameters(4), points(15, MIXED, seed=1)
    plain = GaussianProcess(X, y, MIXED, h.top)
    ours = FidelityProcess(X, np.zeros(20), y, MIXED, h)
    np.testing.assert_allclose(ours.predict(Z), plain.predict(Z), rtol=1e-10, atol=1e-13)


def test_noise_grows_on_the_way_down() -> None:
    process = _process(NUMERIC)
    np.testing.assert_allclose(process.noise(LEVELS), [0.06, 0.028, 0.013125, 0.01])
    assert process.noise(LEVELS.reshape(2, 2)).shape == (2, 2)


def test_lower_fidelities_tell_less() -> None:
    X, h = np.full((1, 3), 0.5), _hyperparameters(3)
    variances = [
        FidelityProcess(X, np.array([u]), np.ones(1), NUMERIC, h).predict(X)[1][0] for u in (0.0, 0.25, 0.6, 1.0)
    ]
    assert variances == sorted(variances)
    assert variances[-1] > 10.0 * variances[0]


# ------------------------------------------------------------------------------------------------------------ believing


@SPACES
def test_believing_is_fitting_again_with_the_mean_as_target(choices: NDArray[np.intp]) -> None:
    process, Z = _process(choices), points(9, choices, seed=4)
    pending, v = points(5, choices, seed=9), np.array([0.25, 1.0, 0.0, 1.0, 0.6])
    believing = process.believing_at(pending, v)
    mean, _ = posterior(process, pending, v)
    np.testing.assert_allclose(believing.y, np.concatenate([process.y, mean]), rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(believing.u, np.concatenate([process.u, v]))
    expected, covariances = posterior(believing, Z, np.zeros(9))
    ours = believing.predict(Z)
    np.testing.assert_allclose(ours[0], expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours[1], np.diagonal(covariances), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(ours[0], process.predict(Z)[0], atol=1e-8)
    assert np.all(ours[1] <= process.predict(Z)[1] + 1e-12)


def test_believing_at_the_top_is_that_of_the_plain_process() -> None:
    process, Z, pending = _process(MIXED), points(9, MIXED, seed=4), points(5, MIXED, seed=9)
    at_top, plain = process.believing_at(pending, np.zeros(5)), process.believing(pending)
    for ours, expected in zip(at_top.predict_with_gradient(Z), plain.predict_with_gradient(Z), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------------------------------------ ill-conditioned

TWENTY = points(20, NUMERIC)
RISING = np.linspace(-1.0, 1.0, 20)
ILL = {
    "n = 1": (TWENTY[:1], np.ones(1), np.ones(1)),
    "duplicates": (np.repeat(TWENTY[:5], 4, axis=0), np.tile(LEVELS, 5), RISING),
    "the same results twice": (np.tile(TWENTY[:10], (2, 1)), np.zeros(20), np.tile(RISING[:10], 2)),
    "near duplicates": (0.5 + 1e-13 * TWENTY, np.resize(LEVELS, 20), RISING),
    "fidelities that all but agree": (TWENTY, 1e-14 * np.arange(20.0), RISING),
    "constant targets": (TWENTY, np.resize(LEVELS, 20), np.zeros(20)),
    "all at the lowest": (TWENTY, np.ones(20), RISING),
    "all at the highest": (TWENTY, np.zeros(20), RISING),
}


@pytest.mark.parametrize("large", [1.0, 1e3])
@pytest.mark.parametrize("case", ILL)
def test_ill_conditioned_results(case: str, large: float) -> None:
    X, u, y = ILL[case]
    h = _hyperparameters(3, noise=1e-8)
    h = FidelityHyperparameters(h.top, large * h.walk, large * h.slope, large * h.trend, 1e-8)
    process, Z = FidelityProcess(X, u, y, NUMERIC, h), np.concatenate([X, points(10, NUMERIC, seed=1)])
    for believing in (process, process.believing_at(Z, np.resize(LEVELS, len(Z)))):
        mean, variance = believing.predict(Z)
        assert np.all(np.abs(mean) < 20.0)
        assert np.all((variance > 0.0) & (variance < 5.0))
        means, covariances = believing.joint(Z, LEVELS)
        assert np.all(np.isfinite(means))
        assert np.diagonal(covariances, axis1=1, axis2=2).min() > -1e-6 * large
        assert all(np.isfinite(part).all() for part in believing.predict_with_gradient(Z))
