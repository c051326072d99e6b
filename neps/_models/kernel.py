"""The covariance of two configurations: a Matérn 5/2 kernel over the unit cube, with a length scale for each dimension.

NumPy only. What is added for main effects is in `neps._models.main_effects`; `GaussianProcess` builds on both.

Shapes: n and m points in d dimensions. X is (n, d), Z is (m, d). `choices` is (d,): how many categories a dimension
encodes, at the middles of as many equal parts of [0, 1]; 0 where it is a number. Two categories are equal or not: their
difference counts as 0 or 1, which is what a one-hot encoding gives when all its columns share a length scale.

A coordinate is NaN where the parameter is inactive. It then lies beside the axis, half an edge away from its centre: so
two inactive ones are equal, and an inactive one is further from the ends of a range than from its centre, and as far
from each category. docs/benchmarks-development.md compares this with imputation alone, the arc kernel, and conditional
kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "active_count",
    "category",
    "has_inactive",
    "matern52",
    "matern52_slope",
    "one_hot",
    "squared_differences",
    "squared_distances",
]

_Array = NDArray[np.float64]
_SQRT5 = 5.0**0.5
_BESIDE = 0.5
"""How far an inactive coordinate lies beside its axis, in edges of the cube."""


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
    """Squared differences in each dimension, 0 or 1 between categories, of m pairs of points, inactive ones included.

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
        if has_inactive(x):
            _beside(into, x, np.isnan(x), first, second, count)
    return squares


def _beside(
    squares: _Array,
    x: _Array,
    inactive: NDArray[np.bool_],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    count: int,
) -> None:
    """Set the squared differences (m,) of pairs that have an inactive coordinate, along one dimension x (n,)."""
    from_centre = np.full_like(x, 0.5) if count else (x - 0.5) ** 2
    alone = inactive[first] ^ inactive[second]
    active = np.where(inactive[first], second, first)[alone]
    squares[alone] = from_centre[active] + _BESIDE**2
    squares[inactive[first] & inactive[second]] = 0.0


def squared_distances(X: _Array, Z: _Array, lengthscales: _Array, choices: NDArray[np.intp]) -> _Array:
    """r² = Σ_j (x_j - z_j)² / l_j²: X (n, d), Z (m, d), lengthscales (d,) → (n, m)."""
    conditional = has_inactive(X) or has_inactive(Z)
    x, z = (_scaled(points, lengthscales, choices, conditional) for points in (X, Z))
    r2 = (x * x).sum(axis=1)[:, None] + (z * z).sum(axis=1) - 2.0 * x @ z.T
    return np.asarray(np.maximum(r2, 0.0))  # rounding may leave less, between points that are almost the same


def category(X: _Array, count: int) -> NDArray[np.intp]:
    """Which of `count` categories coordinates stand for, none of them NaN: any shape → the same shape."""
    return np.asarray(np.minimum((X * count).astype(np.intp), count - 1))


def one_hot(x: _Array, count: int) -> _Array:
    """Columns that are 1 where a coordinate stands for a category; an inactive one has none: (n,) → (n, count)."""
    inactive = np.isnan(x)
    if not inactive.any():
        return np.asarray(category(x, count)[:, None] == np.arange(count), dtype=np.float64)
    chosen = category(np.where(inactive, 0.0, x), count)[:, None] == np.arange(count)
    return np.asarray(chosen & ~inactive[:, None], dtype=np.float64)


def has_inactive(X: _Array) -> bool:
    """Whether one of some finite numbers is NaN: then their sum of squares is, which costs less than to ask each."""
    return bool(np.isnan(np.vdot(X, X)))


def active_count(X: _Array) -> float:
    """How many coordinates of points (n, d) are active, on average: d where all are."""
    return float((~np.isnan(X)).sum(axis=1).mean())


def _scaled(X: _Array, lengthscales: _Array, choices: NDArray[np.intp], conditional: bool) -> _Array:  # noqa: FBT001 - as it is called
    """Points whose Euclidean distances are those of the kernel: (n, d) → (n, as many columns as they need)."""
    numbers = choices == 0
    columns = [(X[:, numbers] - 0.5) / lengthscales[numbers]]
    columns += [one_hot(X[:, j], int(choices[j])) * (0.5**0.5 / lengthscales[j]) for j in np.flatnonzero(choices)]
    if conditional:
        columns = [np.nan_to_num(columns[0]), *columns[1:], np.isnan(X) * (_BESIDE / lengthscales)]
    return np.concatenate(columns, axis=1)
