"""The process over configurations and fidelities once more, in NumPy: entry by entry, from the formulas alone.

Tests compare with it. Nothing of neps is imported but classes, for what they hold. Shapes: X (n, d), u (n,).
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import Legendre
from numpy.typing import NDArray

from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.gaussian_process import Hyperparameters

__all__ = ["covariance", "from_theta", "noisy", "posterior"]

Array = NDArray[np.float64]
Choices = NDArray[np.intp]


def covariance(X: Array, u: Array, Z: Array, v: Array, choices: Choices, h: FidelityHyperparameters) -> Array:
    """Of the noise-free losses at (X, u) and at (Z, v): (n, m)."""
    return np.array(
        [[_entry(x, a, z, b, choices, h) for z, b in zip(Z, v, strict=True)] for x, a in zip(X, u, strict=True)]
    )


def noisy(X: Array, u: Array, choices: Choices, h: FidelityHyperparameters) -> Array:
    """Of the observed targets: (n, n)."""
    return covariance(X, u, X, u, choices, h) + np.diag(h.top.noise + h.early_noise * u**2)


def posterior(process: FidelityProcess, Z: Array, v: Array) -> tuple[Array, Array]:
    """Mean (m,) and covariance (m, m) at (Z, v), given what the process is given."""
    X, u, choices, h = process.X, process.u, process.choices, process.over_fidelities
    K, k = noisy(X, u, choices, h), covariance(X, u, Z, v, choices, h)
    return k.T @ np.linalg.solve(K, process.y), covariance(Z, v, Z, v, choices, h) - k.T @ np.linalg.solve(K, k)


def from_theta(theta: Array, d: int) -> FidelityHyperparameters:
    values = np.exp(theta)
    top = Hyperparameters(values[:d], float(values[d]), float(values[d + 1]), values[d + 2 : d + 6])
    return FidelityHyperparameters(top, *values[d + 6 :].tolist())


def _entry(x: Array, u: float, z: Array, v: float, choices: Choices, h: FidelityHyperparameters) -> float:
    r2, main = 0.0, 0.0
    for j, count in enumerate(choices):
        if count:
            same = float(int(x[j] * count) == int(z[j] * count))
            r2 += (1.0 - same) / h.top.lengthscales[j] ** 2
            main += h.top.effects[0] * same / len(choices)
        else:
            r2 += ((x[j] - z[j]) / h.top.lengthscales[j]) ** 2
            for degree in range(1, 5):
                polynomial = Legendre.basis(degree, domain=[0.0, 1.0])
                product = (2 * degree + 1) * float(polynomial(x[j]) * polynomial(z[j]))
                main += h.top.effects[degree - 1] * product / len(choices)
    r = (5.0 * r2) ** 0.5
    top = h.top.signal * (1.0 + r + r * r / 3.0) * np.exp(-r) + main
    return float(top * (1.0 + h.walk * min(u, v) + h.slope * u * v) + h.trend * (min(u, v) + u * v))
