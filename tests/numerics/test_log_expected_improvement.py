"""Log expected improvement against arithmetic of arbitrary precision."""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest

from neps.models.acquisition import log_expected_improvement, log_h, log_h_slope

FAR_BELOW = [-1e6, -12345.678, -1000.0, -100.1, -100.0, -99.9, -50.0, -10.0, -3.0]
AROUND = [-1.0 - 1e-9, -1.0, -1.0 + 1e-9, -0.5, -1e-8, 0.0, 1e-8, 0.7, 3.0, 8.0, 40.0, 1e3]


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
