"""Hyperparameters of a Gaussian process: the most probable ones under priors that scale with the dimension.

Needs scipy. Samplers call `fit`; tests check `negative_log_posterior` against finite differences.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from neps.models.gaussian_process import GaussianProcess, Hyperparameters
from neps.models.kernel import matern52, matern52_slope, squared_differences

__all__ = ["NOISE_FLOOR", "NegativeLogPosterior", "fit"]

_Array = NDArray[np.float64]

NOISE_FLOOR = 1e-6
"""The least variance of the noise, in squared standard deviations of the targets: duplicates stay solvable."""

_LENGTHSCALE_SIGMA = 3.0**0.5
_SIGNAL_PRIOR = (1.0, 1.0)
_NOISE_PRIOR = (-5.0, 2.0)
_STARTING_LENGTHSCALES = (0.2, 1.0)
# The noise is at least 5e-8 of the signal, so that rounding leaves the covariance of thousands of points definite.
_BOUNDS_LENGTHSCALE = (math.log(0.005), math.log(1e3))
_BOUNDS_SIGNAL = (math.log(0.05), math.log(20.0))
_BOUNDS_NOISE = (math.log(NOISE_FLOOR), math.log(2.0))


class NegativeLogPosterior:
    """-log p(y | X, θ) - log p(θ) and its gradient, at θ = log (length scales, signal, noise), (d + 2,).

    Length scales have the prior LogNormal(√2 + log(d)/2, √3) of Hvarfner et al. (2024, "Vanilla Bayesian optimization
    performs great in high dimensions"), so that a function of many dimensions is assumed to be no harder than one of
    few. Signal and noise have LogNormal(1, 1) and LogNormal(-5, 2): our choice, wide enough for noisy training runs.
    The mode is taken in the parameters themselves, not in their logarithms.

    Args:
        X: (n, d).
        y: (n,), standardised.
        categorical: (d,).
    """

    def __init__(self, X: _Array, y: _Array, categorical: NDArray[np.bool_]) -> None:
        self._y = y
        self._differences = np.stack(
            [squared_differences(x, x, categorical=bool(c)) for x, c in zip(X.T, categorical, strict=True)]
        )
        d = len(categorical)
        self._prior_mean = np.array([2.0**0.5 + 0.5 * math.log(d)] * d + [_SIGNAL_PRIOR[0], _NOISE_PRIOR[0]])
        self._prior_sigma = np.array([_LENGTHSCALE_SIGMA] * d + [_SIGNAL_PRIOR[1], _NOISE_PRIOR[1]])

    def __call__(self, theta: _Array) -> tuple[float, _Array]:
        """Value and gradient (d + 2,) at theta (d + 2,)."""
        likelihood, likelihood_gradient = self._likelihood(theta)
        standard = (theta - self._prior_mean) / self._prior_sigma
        prior = float(np.sum(theta + 0.5 * standard**2))
        return likelihood + prior, likelihood_gradient + 1.0 + standard / self._prior_sigma

    def _likelihood(self, theta: _Array) -> tuple[float, _Array]:
        """Minus the log marginal likelihood (Rasmussen and Williams 2006, equations 2.30 and 5.9)."""
        inverse_squares, (signal, noise) = np.exp(-2.0 * theta[:-2]), np.exp(theta[-2:])
        r2 = np.tensordot(inverse_squares, self._differences, axes=1)
        unit = matern52(r2)
        n = len(self._y)
        L = cholesky(signal * unit + noise * np.eye(n), lower=True, check_finite=False)
        alpha = cho_solve((L, True), self._y, check_finite=False)
        value = 0.5 * self._y @ alpha + np.log(np.diag(L)).sum() + 0.5 * n * math.log(2.0 * math.pi)
        W = cho_solve((L, True), np.eye(n), check_finite=False) - np.outer(alpha, alpha)
        slopes = W * matern52_slope(r2)
        lengthscales = -signal * inverse_squares * np.tensordot(self._differences, slopes, axes=2)
        gradient = [0.5 * signal * np.sum(W * unit), 0.5 * noise * np.trace(W)]
        return float(value), np.concatenate([lengthscales, gradient])


def fit(X: _Array, y: _Array, categorical: NDArray[np.bool_]) -> GaussianProcess:
    """The Gaussian process with the most probable hyperparameters, by L-BFGS-B from short and from long length scales.

    Args:
        X: (n, d), n and d at least 1.
        y: (n,), standardised targets (`neps.models.losses.model_targets`).
        categorical: (d,).

    Returns:
        The fitted process. The same data give the same process: nothing is drawn.

    Example:
        >>> X = np.linspace(0.0, 1.0, 9)[:, None]
        >>> mean, variance = fit(X, np.cos(6.0 * X[:, 0]), np.array([False])).predict(np.array([[0.44]]))
        >>> bool(abs(mean[0] - np.cos(6.0 * 0.44)) < 0.02)
        True
    """
    objective = NegativeLogPosterior(X, y, categorical)
    d = len(categorical)
    bounds = [_BOUNDS_LENGTHSCALE] * d + [_BOUNDS_SIGNAL, _BOUNDS_NOISE]
    starts = [np.log([scale * d**0.5] * d + [1.0, 1e-3]) for scale in _STARTING_LENGTHSCALES]
    found = [minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    theta = min(found, key=lambda result: float(result.fun)).x
    values = np.exp(theta)
    return GaussianProcess(X, y, categorical, Hyperparameters(values[:-2], float(values[-2]), float(values[-1])))
