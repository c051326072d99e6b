"""The covariance of two configurations: a Matérn 5/2 kernel over the unit cube, with a length scale for each dimension.

NumPy only. What is added for main effects is in `neps._models.main_effects`; `GaussianProcess` builds on both.

Shapes: n and m points in d dimensions. X is (n, d), Z is (m, d). `choices` is (d,): how many categories a dimension
encodes, at the middles of as many equal parts of [0, 1]; 0 where it is a number. Two categories are equal or not: their
difference counts as 0 or 1, which is what a one-hot encoding gives when all its columns share a length scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["category", "matern52", "matern52_slope", "one_hot", "squared_differences", "squared_distances"]

_Array = NDArray[np.float64]
_SQRT5 = 5.0**0.5


def matern52(r2: _Array) -> _Array:
    """k(r) = (1 + √5 r + 5/3 r²) exp(-√5 r), of unit variance (Rasmussen and Williams 2006, equation 4.17)."""
    r = _SQRT5 * np.sqrt(r2)
    return (1.0 + r + 5.0 / 3.0 * r2) * np.exp(-r)


def matern52_slope(r2: _Array) -> _Array:
    """The derivative by r², -5/6 (1 + √5 r) exp(-√5 r): any shape → the same shape."""
    r = _SQRT5 * np.sqrt(r2)
    return -5.0 / 6.0 * (1.0 + r) * np.exp(-r)


def squared_differences(
    X: _Array, first: NDArray[np.intp], second: NDArray[np.intp], choices: NDArray[np.intp]
) -> _Array:
    """Squared differences in each dimension, 0 or 1 between categories, of m pairs of points.

    One dimension is made after the other: of many pairs, what lies between takes no more memory than one of them.

    Args:
        X: (n, d).
        first: of each pair, which point, (m,).
        second: the other point, (m,).
        choices: (d,).

    Returns:
        (d, m).
    """
    squares = np.empty((len(choices), len(first)))
    for x, count, into in zip(X.T, choices, squares, strict=True):
        np.subtract(x[first], x[second], out=into)
        if count:
            np.not_equal(into, 0.0, out=into)
        else:
            np.multiply(into, into, out=into)
    return squares


def squared_distances(X: _Array, Z: _Array, lengthscales: _Array, choices: NDArray[np.intp]) -> _Array:
    """r² = Σ_j (x_j - z_j)² / l_j²: X (n, d), Z (m, d), lengthscales (d,) → (n, m)."""
    x, z = (_scaled(points, lengthscales, choices) for points in (X, Z))
    r2 = (x * x).sum(axis=1)[:, None] + (z * z).sum(axis=1) - 2.0 * x @ z.T
    return np.asarray(np.maximum(r2, 0.0))  # rounding may leave less, between points that are almost the same


def category(X: _Array, count: int) -> NDArray[np.intp]:
    """Which of `count` categories coordinates stand for: any shape → the same shape."""
    return np.asarray(np.minimum((X * count).astype(np.intp), count - 1))


def one_hot(x: _Array, count: int) -> _Array:
    """Columns that are 1 where a coordinate stands for a category: (n,) → (n, count)."""
    return np.asarray(category(x, count)[:, None] == np.arange(count), dtype=np.float64)


def _scaled(X: _Array, lengthscales: _Array, choices: NDArray[np.intp]) -> _Array:
    """Points whose Euclidean distances are those of the kernel: (n, d) → (n, as many columns as categories need)."""
    numbers = choices == 0
    columns = [(X[:, numbers] - 0.5) / lengthscales[numbers]]
    columns += [one_hot(X[:, j], int(choices[j])) * (0.5**0.5 / lengthscales[j]) for j in np.flatnonzero(choices)]
    return np.concatenate(columns, axis=1)
