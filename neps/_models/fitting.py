"""Hyperparameters of a Gaussian process: the most probable ones under priors that scale with the dimension.

Needs scipy. Samplers call `fit`; tests check `NegativeLogPosterior` against finite differences and other libraries.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsymm
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize

from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.kernel import active_count, matern52, matern52_slope, squared_differences
from neps._models.main_effects import DEGREES, MainEffects

__all__ = [
    "NOISE_FLOOR",
    "NegativeLogPosterior",
    "NegativeLogPrior",
    "beginnings",
    "bounded",
    "bounds",
    "fit",
    "from_theta",
    "most_probable",
    "to_theta",
]

_Array = NDArray[np.float64]

NOISE_FLOOR = 1e-8
"""The least variance of the noise, in squared standard deviations of the targets: duplicates stay solvable."""

_LENGTHSCALE_SIGMA = 1.0
_SIGNAL_PRIOR = (1.0, 1.0)
_NOISE_PRIOR = (-8.0, 3.0)
_EFFECTS_PRIOR = (-4.0, 2.0)
_STARTING_LENGTHSCALES = (0.2, 1.0)  # times √d
_STARTING_NOISE, _STARTING_EFFECTS = 1e-3, 0.2
# The noise is at least 5e-10 of the signal, so that rounding leaves the covariance of thousands of points definite.
_BOUNDS_LENGTHSCALE = (math.log(0.005), math.log(1e3))
_BOUNDS_SIGNAL = (math.log(0.05), math.log(20.0))
_BOUNDS_NOISE = (math.log(NOISE_FLOOR), math.log(2.0))
_BOUNDS_EFFECTS = (math.log(1e-6), math.log(50.0))
_IMPOSSIBLE = 1e10
_FTOL = 1e-6  # of the log posterior, relative: what is closer is as probable


class NegativeLogPrior:
    """-log p(θ) and its gradient, at θ = log (length scales, signal, noise, effects), (d + 6,).

    Length scales have the prior LogNormal(√2 + log(d)/2, 1): that of Hvarfner et al. (2024, "Vanilla Bayesian
    optimization performs great in high dimensions"), by which a function of many dimensions is assumed to be no harder
    than one of few, but narrower (they have √3). Where parameters are conditional, as many count as are active at once.
    Signal, noise and each degree's effects have LogNormal(1, 1),
    LogNormal(-8, 3) and LogNormal(-4, 2): our choice, wide enough for noisy training runs. The mode is taken in the
    parameters themselves, not in their logarithms, but for the effects, which could never be all but absent then.

    Args:
        d: how many dimensions there are.
        active: how many of them are active at once, on average.
        lengthscale: the logarithm of a length scale's median, less log(active)/2.
    """

    def __init__(self, d: int, active: float, lengthscale: float = 2.0**0.5) -> None:
        median = lengthscale + 0.5 * math.log(max(active, 1.0))
        self._mean = np.array([median] * d + [_SIGNAL_PRIOR[0], _NOISE_PRIOR[0]] + [_EFFECTS_PRIOR[0]] * DEGREES)
        self._sigma = np.array(
            [_LENGTHSCALE_SIGMA] * d + [_SIGNAL_PRIOR[1], _NOISE_PRIOR[1]] + [_EFFECTS_PRIOR[1]] * DEGREES
        )
        self._per_parameter = np.array([1.0] * (d + 2) + [0.0] * DEGREES)

    def __call__(self, theta: _Array) -> tuple[float, _Array]:
        """Value and gradient (d + 6,) at theta (d + 6,)."""
        standard = (theta - self._mean) / self._sigma
        value = float(np.sum(self._per_parameter * theta + 0.5 * standard**2))
        return value, self._per_parameter + standard / self._sigma


class NegativeLogPosterior:
    """-log p(y | X, θ) - log p(θ) and its gradient, at θ as in `NegativeLogPrior`.

    Args:
        X: (n, d).
        y: (n,), standardised.
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
    """

    def __init__(self, X: _Array, y: _Array, choices: NDArray[np.intp]) -> None:
        self.y, d = y, len(choices)
        self._pairs = np.triu_indices(len(y), 1)
        first, second = self._pairs
        self._flat = first * len(y) + second
        self._differences = squared_differences(X, first, second, choices)
        effects = MainEffects(choices, active := active_count(X))
        self._features, self._degrees = effects.features(X), effects.degrees
        self._prior = NegativeLogPrior(d, active)

    def given(self, y: _Array) -> Self:
        """The same at other targets (n,)."""
        other = copy.copy(self)
        other.y = y
        return other

    def __call__(self, theta: _Array) -> tuple[float, _Array]:
        """Value and gradient (d + 6,) at theta (d + 6,)."""
        likelihood, likelihood_gradient = self._likelihood(theta)
        prior, prior_gradient = self._prior(theta)
        return likelihood + prior, likelihood_gradient + prior_gradient

    def _likelihood(self, theta: _Array) -> tuple[float, _Array]:
        """Minus the log marginal likelihood (Rasmussen and Williams 2006, equations 2.30 and 5.9).

        What is symmetric is kept as its diagonal and as a vector of the pairs i < j.
        """
        n, d, y = len(self.y), len(self._differences), self.y
        inverse_squares, values = np.exp(-2.0 * theta[:d]), np.exp(theta[d:])
        (signal, noise), weights = values[:2], values[2:][self._degrees]
        r2 = inverse_squares @ self._differences
        unit = matern52(r2)
        K = (self._features * weights) @ self._features.T
        flat = K.reshape(-1)
        flat[self._flat] += signal * unit
        flat[:: n + 1] += signal + noise
        L, failed = dpotrf(K.T, lower=1, overwrite_a=1)  # the transpose is in LAPACK's order: nothing is copied
        if failed:
            return _IMPOSSIBLE, np.zeros_like(theta)
        alpha = dpotrs(L, y, lower=1)[0]
        value = 0.5 * y @ alpha + np.log(np.diagonal(L)).sum() + 0.5 * n * math.log(2.0 * math.pi)
        inverse = dpotri(L, lower=1, overwrite_c=1)[0]
        diagonal = np.diagonal(inverse) - alpha * alpha
        pairs = inverse.T.reshape(-1)[self._flat] - alpha[self._pairs[0]] * alpha[self._pairs[1]]
        lengthscales = -2.0 * signal * inverse_squares * (self._differences @ (pairs * matern52_slope(r2)))
        trace = diagonal.sum()
        gradient = [signal * (0.5 * trace + pairs @ unit), 0.5 * noise * trace]
        along = self._features * dsymm(1.0, inverse, self._features, lower=1)
        effects = 0.5 * weights * (along.sum(axis=0) - (alpha @ self._features) ** 2)
        by_degree = np.bincount(self._degrees, weights=effects, minlength=DEGREES)
        return float(value), np.concatenate([lengthscales, gradient, by_degree])


def fit(
    X: _Array,
    y: _Array,
    choices: NDArray[np.intp],
    start: Hyperparameters | None = None,
    *,
    iterations: int = 100,
) -> GaussianProcess:
    """The Gaussian process with the most probable hyperparameters, by L-BFGS-B.

    Args:
        X: (n, d), n and d at least 1.
        y: (n,), standardised targets (`neps._models.losses.Targets`).
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        start: where to begin; None begins twice, at short and at long length scales.
        iterations: the most that L-BFGS-B takes from each start.

    Returns:
        The fitted process. The same arguments give the same process: nothing is drawn.

    Example:
        >>> X = np.linspace(0.0, 1.0, 9)[:, None]
        >>> mean, variance = fit(X, np.cos(6.0 * X[:, 0]), np.array([0])).predict(np.array([[0.44]]))
        >>> bool(abs(mean[0] - np.cos(6.0 * 0.44)) < 0.02)
        True
    """
    starts = beginnings(len(choices)) if start is None else [start]
    found, _ = most_probable(NegativeLogPosterior(X, y, choices), starts, iterations)
    return GaussianProcess(X, y, choices, found)


def beginnings(d: int) -> list[Hyperparameters]:
    """Where a search for d length scales begins that has nothing better: at short ones, and at long ones."""
    effects = np.full(DEGREES, _STARTING_EFFECTS)
    return [
        Hyperparameters(np.full(d, scale * d**0.5), 1.0, _STARTING_NOISE, effects) for scale in _STARTING_LENGTHSCALES
    ]


def bounded(hyperparameters: Hyperparameters) -> Hyperparameters:
    """The same, moved into the bounds within which `most_probable` searches."""
    return from_theta(to_theta(hyperparameters), len(hyperparameters.lengthscales))


def most_probable(
    objective: NegativeLogPosterior, starts: Sequence[Hyperparameters], iterations: int
) -> tuple[Hyperparameters, float]:
    """The best that L-BFGS-B finds from any of the starts, and its negative log posterior."""
    d = len(starts[0].lengthscales)
    options = {"maxiter": iterations, "ftol": _FTOL}
    found = [
        minimize(objective, to_theta(start), jac=True, method="L-BFGS-B", bounds=bounds(d), options=options)
        for start in starts
    ]
    best = min(found, key=lambda result: float(result.fun))
    return from_theta(best.x, d), float(best.fun)


def bounds(d: int) -> _Array:
    """Within which θ is searched: (d + 6, 2)."""
    return np.array([_BOUNDS_LENGTHSCALE] * d + [_BOUNDS_SIGNAL, _BOUNDS_NOISE] + [_BOUNDS_EFFECTS] * DEGREES)


def to_theta(h: Hyperparameters) -> _Array:
    """Their logarithms, moved into the bounds: (d + 6,)."""
    theta: _Array = np.clip(np.log([*h.lengthscales, h.signal, h.noise, *h.effects]), *bounds(len(h.lengthscales)).T)
    return theta


def from_theta(theta: _Array, d: int) -> Hyperparameters:
    """What `theta` (d + 6,) stands for."""
    values = np.exp(theta)
    return Hyperparameters(values[:d], float(values[d]), float(values[d + 1]), values[d + 2 :])
