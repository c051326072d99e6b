"""Hyperparameters of a Gaussian process over configuration and fidelity: the most probable ones.

Needs scipy. `neps._models.fidelity_surrogate` calls `most_probable`; tests check the objective against finite
differences. Shapes are those of `neps._models.fidelity_process`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize

from neps._models.fidelity_process import FidelityHyperparameters, growth
from neps._models.fitting import NegativeLogPrior, beginnings, bounds, from_theta, to_theta
from neps._models.kernel import active_count, matern52, matern52_slope, squared_differences
from neps._models.main_effects import DEGREES, MainEffects

__all__ = ["FidelityNegativeLogPosterior", "fidelity_beginnings", "fidelity_bounded", "most_probable"]

_Array = NDArray[np.float64]
_FTOL = 1e-6
_IMPOSSIBLE = 1e10
_LENGTHSCALE = 2.0**0.5 - 1.0
_PRIOR_MEAN = np.array([-2.0, -1.0, -0.5, -5.0])
_PRIOR_SIGMA = np.array([1.5, 1.5, 1.5, 3.0])
_BOUNDS = np.log([[1e-4, 20.0], [1e-4, 50.0], [1e-4, 20.0], [1e-8, 4.0]])


class FidelityNegativeLogPosterior:
    """-log p(y | X, u, θ) - log p(θ) and its gradient, at θ = log (those of the top, walk, slope, trend, early noise).

    The first d + 6 have the prior `NegativeLogPrior`, but with length scales that are shorter by a factor of e: where
    evaluations at low fidelities are cheap, there are enough to see more of the surface. The others, in the order of
    `FidelityHyperparameters`, have LogNormal(-2, 1.5), LogNormal(-1, 1.5), LogNormal(-0.5, 1.5) and LogNormal(-5, 3),
    whose mode is taken in their logarithms: our choice, wide enough for noisy early epochs.

    Args:
        X: (n, d).
        u: (n,).
        y: (n,), standardised.
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
    """

    def __init__(self, X: _Array, u: _Array, y: _Array, choices: NDArray[np.intp]) -> None:
        self.y, self._u, self._d = y, u, len(choices)
        self._pairs = np.triu_indices(len(y), 1)
        first, second = self._pairs
        self._differences = squared_differences(X, first, second, choices)
        effects = MainEffects(choices, active := active_count(X))
        self._features, self._degrees = effects.features(X), effects.degrees
        self._growth = growth(u, u)
        self._prior = NegativeLogPrior(self._d, active, _LENGTHSCALE)

    def given(self, y: _Array) -> Self:
        """The same at other targets (n,)."""
        other = copy.copy(self)
        other.y = y
        return other

    def __call__(self, theta: _Array) -> tuple[float, _Array]:
        """Value and gradient (d + 10,) at theta (d + 10,)."""
        value, gradient = self._likelihood(theta)
        prior, prior_gradient = self._prior(theta[:-4])
        standard = (theta[-4:] - _PRIOR_MEAN) / _PRIOR_SIGMA
        prior += 0.5 * float(standard @ standard)
        return value + prior, gradient + np.concatenate([prior_gradient, standard / _PRIOR_SIGMA])

    def _likelihood(self, theta: _Array) -> tuple[float, _Array]:
        """Minus the log marginal likelihood (Rasmussen and Williams 2006, equations 2.30 and 5.9)."""
        n, d, y = len(self.y), self._d, self.y
        inverse_squares, values = np.exp(-2.0 * theta[:d]), np.exp(theta[d:])
        (signal, noise), weights, (walk, slope, trend, early) = values[:2], values[2:-4][self._degrees], values[-4:]
        r2 = inverse_squares @ self._differences
        unit = np.eye(n)
        unit[self._pairs] = unit.T[self._pairs] = matern52(r2)
        top = signal * unit + (self._features * weights) @ self._features.T
        least, product = self._growth
        factor = 1.0 + walk * least + slope * product
        K = top * factor + trend * (least + product)
        K[np.diag_indices_from(K)] += noise + early * self._u**2
        L, failed = dpotrf(K, lower=1)
        if failed:
            return _IMPOSSIBLE, np.zeros_like(theta)
        alpha = dpotrs(L, y, lower=1)[0]
        value = 0.5 * y @ alpha + np.log(np.diagonal(L)).sum() + 0.5 * n * math.log(2.0 * math.pi)
        inverse = dpotri(L, lower=1)[0]
        B = np.tril(inverse) + np.tril(inverse, -1).T - np.outer(alpha, alpha)  # twice the derivative by K
        of_top = B * factor
        pairs = of_top[self._pairs]
        lengthscales = -2.0 * signal * inverse_squares * (self._differences @ (pairs * matern52_slope(r2)))
        effects = 0.5 * weights * ((of_top @ self._features) * self._features).sum(axis=0)
        B_top, diagonal = B * top, np.diagonal(B)
        rest = [
            0.5 * walk * np.vdot(B_top, least),
            0.5 * slope * np.vdot(B_top, product),
            0.5 * trend * np.vdot(B, least + product),
            0.5 * early * diagonal @ self._u**2,
        ]
        gradient = [
            lengthscales,
            [0.5 * signal * np.vdot(of_top, unit), 0.5 * noise * diagonal.sum()],
            np.bincount(self._degrees, weights=effects, minlength=DEGREES),
            rest,
        ]
        return float(value), np.concatenate(gradient)


def most_probable(
    objective: FidelityNegativeLogPosterior, starts: Sequence[FidelityHyperparameters], iterations: int
) -> tuple[FidelityHyperparameters, float]:
    """The best that L-BFGS-B finds from any of the starts, and its negative log posterior."""
    d = len(starts[0].top.lengthscales)
    limits = np.concatenate([bounds(d), _BOUNDS])
    options = {"maxiter": iterations, "ftol": _FTOL}
    found = [
        minimize(objective, _to_theta(start), jac=True, method="L-BFGS-B", bounds=limits, options=options)
        for start in starts
    ]
    best = min(found, key=lambda result: float(result.fun))
    return _from_theta(best.x, d), float(best.fun)


def fidelity_bounded(hyperparameters: FidelityHyperparameters) -> FidelityHyperparameters:
    """The same, moved into the bounds within which `most_probable` searches."""
    return _from_theta(_to_theta(hyperparameters), len(hyperparameters.top.lengthscales))


def _from_theta(theta: _Array, d: int) -> FidelityHyperparameters:
    return FidelityHyperparameters(from_theta(theta[:-4], d), *np.exp(theta[-4:]).tolist())


def _to_theta(h: FidelityHyperparameters) -> _Array:
    rest = np.clip(np.log([h.walk, h.slope, h.trend, h.early_noise]), *_BOUNDS.T)
    return np.concatenate([to_theta(h.top), rest])


def fidelity_beginnings(d: int) -> list[FidelityHyperparameters]:
    """Where a search for d length scales begins that has nothing better."""
    return [FidelityHyperparameters(top) for top in beginnings(d)]
