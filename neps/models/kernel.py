"""The Matérn 5/2 kernel over the unit cube, with a length scale for each dimension, and its derivatives.

NumPy only. `GaussianProcess` builds on it.

Shapes: n and m points in d dimensions. X is (n, d), Z is (m, d). `categorical` is (d,), True where a dimension encodes
a category. Two categories are equal or not: their difference counts as 0 or 1, which is what a one-hot encoding gives
when all its columns share a length scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["matern52", "matern52_slope", "squared_differences", "squared_distances"]

_Array = NDArray[np.float64]
_SQRT5 = 5.0**0.5


def squared_differences(x: _Array, z: _Array, *, categorical: bool) -> _Array:
    """Squared differences in one dimension, 0 or 1 between categories: x (n,), z (m,) → (n, m)."""
    difference = x[:, None] - z[None, :]
    return (difference != 0.0).astype(np.float64) if categorical else difference * difference


def squared_distances(X: _Array, Z: _Array, lengthscales: _Array, categorical: NDArray[np.bool_]) -> _Array:
    """r² = Σ_j (x_j - z_j)² / l_j²: X (n, d), Z (m, d), lengthscales (d,) → (n, m)."""
    r2 = np.zeros((len(X), len(Z)))
    for j, lengthscale in enumerate(lengthscales):
        r2 += squared_differences(X[:, j], Z[:, j], categorical=bool(categorical[j])) / lengthscale**2
    return r2


def matern52(r2: _Array) -> _Array:
    """k(r) = (1 + √5 r + 5/3 r²) exp(-√5 r), of unit variance (Rasmussen and Williams 2006, equation 4.17)."""
    r = np.sqrt(r2)
    return (1.0 + _SQRT5 * r + 5.0 / 3.0 * r2) * np.exp(-_SQRT5 * r)


def matern52_slope(r2: _Array) -> _Array:
    """The derivative by r², -5/6 (1 + √5 r) exp(-√5 r): any shape → the same shape."""
    r = np.sqrt(r2)
    return -5.0 / 6.0 * (1.0 + _SQRT5 * r) * np.exp(-_SQRT5 * r)
