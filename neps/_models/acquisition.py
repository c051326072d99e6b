"""Log expected improvement, stable where expected improvement itself is 0 in floating point, and its gradient.

Needs scipy.special. Samplers maximise it, alone or together with other terms.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

from neps._models.gaussian_process import GaussianProcess

__all__ = ["Acquisition", "LogExpectedImprovement", "Sum", "log_expected_improvement", "log_h", "log_h_slope"]

_Array = NDArray[np.float64]
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_FAR = -100.0


class Acquisition(Protocol):
    """What a point is worth, on a logarithmic scale: to be maximised."""

    def __call__(self, Z: _Array) -> _Array:
        """The values at Z (m, d): (m,)."""

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """The values (m,), and their gradients (m, d), which are 0 along categories."""


@dataclasses.dataclass(frozen=True, slots=True)
class LogExpectedImprovement:
    """The logarithm of E[max(best - f(z), 0)], where f is what `process` believes of the noise-free loss.

    Args:
        process: the model.
        best: what is to be improved upon.
        exploration: a factor of the model's standard deviation. 1 is expected improvement; below 1, a point counts
            less for what is not known about it, and more for what is predicted.
    """

    process: GaussianProcess
    best: float
    exploration: float = 1.0

    @property
    def incumbent(self) -> _Array:
        """Of the points that the process is given, pending ones included, the one with the lowest mean: (d,)."""
        X = self.process.X
        return np.asarray(X[self.process.mean(X).argmin()])

    def __call__(self, Z: _Array) -> _Array:
        """See `Acquisition`."""
        mean, variance = self.process.predict(Z)
        return log_expected_improvement(mean, self.exploration**2 * variance, self.best)

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """See `Acquisition`."""
        mean, variance, d_mean, d_variance = self.process.predict_with_gradient(Z)
        deviation = self.exploration * np.sqrt(variance)
        u = (self.best - mean) / deviation
        slope = log_h_slope(u)
        d_deviation = self.exploration**2 * d_variance / (2.0 * deviation[:, None])
        gradient = ((1.0 - u * slope)[:, None] * d_deviation - slope[:, None] * d_mean) / deviation[:, None]
        return log_h(u) + np.log(deviation), gradient


@dataclasses.dataclass(frozen=True, slots=True)
class Sum:
    """The sum of several terms: a product of what they are the logarithms of."""

    terms: tuple[Acquisition, ...]

    def __call__(self, Z: _Array) -> _Array:
        """See `Acquisition`."""
        return np.asarray(np.sum([term(Z) for term in self.terms], axis=0))

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """See `Acquisition`."""
        values, gradients = zip(*(term.with_gradient(Z) for term in self.terms), strict=True)
        return np.sum(values, axis=0), np.sum(gradients, axis=0)


def log_h(z: _Array) -> _Array:
    """log(φ(z) + z Φ(z)), the logarithm of the improvement that a standard normal variable is expected to make.

    As Ament et al. (2023, "Unexpected improvements to expected improvement", equation 9) for z > -1. Below, they take
    the logarithm of erfcx, and lose digits as z² grows; here 1 - |z| m(|z|), with Mills's ratio m, is replaced by its
    asymptotic series from z = -100 on, so that value and slope keep at least 11 digits everywhere.

    Args:
        z: any shape, finite.

    Returns:
        The same shape: about log z for large z, about -z²/2 - 2 log |z| for z far below 0.

    Example:
        >>> log_h(np.array([-1e6, -1.0, 0.0])).round(4).tolist()
        [-500000000028.55, -2.4851, -0.9189]
    """
    right = np.maximum(z, -1.0)
    left = np.minimum(z, -1.0)
    near = np.log(np.exp(-0.5 * right * right - _LOG_SQRT_2PI) + right * ndtr(right))
    return np.where(z > -1.0, near, -0.5 * left * left - _LOG_SQRT_2PI + np.log(_tail(left)))


def log_h_slope(z: _Array) -> _Array:
    """Φ(z) / (φ(z) + z Φ(z)), the derivative of `log_h`: any shape → the same shape."""
    right = np.maximum(z, -1.0)
    left = np.minimum(z, -1.0)
    near = ndtr(right) / (np.exp(-0.5 * right * right - _LOG_SQRT_2PI) + right * ndtr(right))
    return np.where(z > -1.0, near, _mills(-left) / _tail(left))


def log_expected_improvement(mean: _Array, variance: _Array, best: float) -> _Array:
    """The logarithm of E[max(best - f, 0)], to be maximised, for f normal with mean and variance (m,) → (m,)."""
    deviation = np.sqrt(variance)
    return log_h((best - mean) / deviation) + np.log(deviation)


def _mills(t: _Array) -> _Array:
    """Φ(-t) / φ(t), for t > 0."""
    return math.sqrt(0.5 * math.pi) * np.asarray(erfcx(t / math.sqrt(2.0)))


def _tail(z: _Array) -> _Array:
    """h(z) / φ(z) = 1 - |z| m(|z|), for z <= -1."""
    inverse = 1.0 / np.minimum(z, _FAR) ** 2
    series = inverse * (1.0 - inverse * (3.0 - inverse * (15.0 - inverse * 105.0)))
    return np.where(z > _FAR, 1.0 + z * _mills(-z), series)
